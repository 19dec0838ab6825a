#include "collectors/command_record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_command_record_XXXXXX";
static struct strbuf path;
static struct err err;

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    command_record_path(folder, "main", 2, "backup", &path);
}

static void remove_folder(void)
{
    struct strbuf below = {0};
    strbuf_printf(&below, "%s/command", folder);
    unlink(strbuf_text(&path));
    rmdir(strbuf_text(&below));
    cr_expect_eq(rmdir(folder), 0);
    strbuf_done(&below);
    strbuf_done(&path);
}

TestSuite(command_record, .init = make_folder, .fini = remove_folder);

static const struct command_record sample = {
    .began_at = 1795397422.729, .has_ended = true, .ended_at = 1795397500, .exit_status = 50};

static struct command_record read_back(void)
{
    struct command_record seen = {0};
    err = (struct err){0};
    cr_assert(command_record_read(strbuf_text(&path), &seen, &err), "%s", err.text);
    return seen;
}

Test(command_record, its_file_is_named_after_stanza_repository_and_command)
{
    cr_expect(strstr(strbuf_text(&path), "/command/main.repo2.backup.json"));
}

Test(command_record, what_was_written_is_read_back)
{
    cr_assert(command_record_write(strbuf_text(&path), &sample, &err), "%s", err.text);
    struct command_record seen = read_back();
    cr_expect_eq(seen.began_at, sample.began_at);
    cr_expect(seen.has_ended);
    cr_expect_eq(seen.ended_at, sample.ended_at);
    cr_expect_eq(seen.exit_status, 50);
}

Test(command_record, no_file_is_no_command)
{
    struct command_record seen = read_back();
    cr_expect_eq(command_record_status(&seen, false), -1);
    cr_expect_eq(seen.ended_at, 0.0);
}

Test(command_record, a_file_that_is_no_record_is_named_with_the_place)
{
    struct command_record seen = {.exit_status = 7};
    cr_assert(command_record_write(strbuf_text(&path), &sample, &err), "%s", err.text);
    FILE *file = fopen(strbuf_text(&path), "w");
    fputs("{\"exit_status\": \"fine\"}", file);
    fclose(file);
    cr_expect_not(command_record_read(strbuf_text(&path), &seen, &err));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect(strstr(err.text, "main.repo2.backup.json: "), "%s", err.text);
    cr_expect(strstr(err.text, "exit_status"), "%s", err.text);
    cr_expect_eq(seen.exit_status, 7);
}

Test(command_record, while_one_runs_the_status_is_that_of_the_one_before)
{
    const struct command_record running = {.began_at = 5, .exit_status = 82};
    const struct command_record first = {.began_at = 5, .exit_status = -1};
    cr_expect_eq(command_record_status(&running, true), 82);
    cr_expect_eq(command_record_status(&first, true), -1);
}

Test(command_record, one_that_neither_runs_nor_ended_was_killed)
{
    const struct command_record begun = {.began_at = 5, .exit_status = 0};
    cr_expect_eq(command_record_status(&begun, false), COMMAND_RECORD_KILLED);
    cr_expect_eq(command_record_status(&sample, false), 50);
}

Test(command_record, is_kept_of_commands_that_change_a_repository_and_of_check)
{
    cr_expect(command_record_is_kept("backup"));
    cr_expect(command_record_is_kept("stanza-upgrade"));
    cr_expect(command_record_is_kept("check"));
    cr_expect_not(command_record_is_kept("restore"));
    cr_expect_not(command_record_is_kept("back"));
    cr_expect_not(command_record_is_kept(""));
}
