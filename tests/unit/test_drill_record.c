#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/drill_record.h"

static char folder[] = "/tmp/test_drill_record_XXXXXX";
static struct strbuf path;

static void make_folder(void)
{
    struct strbuf directory CLEANUP(strbuf_done) = {0};
    cr_assert(mkdtemp(folder));
    strbuf_printf(&directory, "%s/state", folder);
    drill_record_path(strbuf_text(&directory), "main", 2, &path);
}

static void remove_folder(void)
{
    char below[sizeof folder + 60];
    unlink(strbuf_text(&path));
    snprintf(below, sizeof below, "%s/state/drill/main.repo2.json.lock", folder);
    unlink(below);
    snprintf(below, sizeof below, "%s/state/drill", folder);
    rmdir(below);
    snprintf(below, sizeof below, "%s/state", folder);
    rmdir(below);
    cr_expect_eq(rmdir(folder), 0);
    strbuf_done(&path);
}

TestSuite(drill_record, .init = make_folder, .fini = remove_folder);

static char text_of_label[] = "20261123-020000F";
static char text_of_stage[] = "recovery";
static char text_of_error[] = "FATAL: \"x\"\n\x1B";

static const struct drill_record sample = {
    .label = text_of_label,
    .stage = text_of_stage,
    .error = text_of_error,
    .started_at = 1795397422.729,
    .ready_at = 1795397450,
    .ended_at = 1795397500,
    .recovered_at = 1795390000.5,
    .success_started_at = 1795000000,
    .success_ready_at = 1795000050,
    .success_ended_at = 1795000100,
    .failed_before = true,
    .success_recovered_at = 1794999999,
};

static void write_text(const char *text)
{
    struct err err = {0};
    cr_assert(drill_record_write(strbuf_text(&path), &sample, &err)); /* makes the folders */
    FILE *file = fopen(strbuf_text(&path), "w");
    fputs(text, file);
    fclose(file);
}

Test(drill_record, its_file_is_named_after_stanza_and_repository)
{
    cr_expect(strstr(strbuf_text(&path), "/state/drill/main.repo2.json"));
}

Test(drill_record, what_was_written_is_read_back)
{
    struct err err = {0};
    struct drill_record seen = {0};
    cr_assert(drill_record_write(strbuf_text(&path), &sample, &err), "%s", err.text);
    cr_assert(drill_record_read(strbuf_text(&path), &seen, &err), "%s", err.text);
    cr_expect_str_eq(seen.label, sample.label);
    cr_expect_str_eq(seen.stage, sample.stage);
    cr_expect_str_eq(seen.error, "FATAL: \"x\"\n\xEF\xBF\xBD");
    cr_expect_eq(seen.started_at, sample.started_at);
    cr_expect_eq(seen.ended_at, sample.ended_at);
    cr_expect_eq(seen.recovered_at, sample.recovered_at);
    cr_expect_eq(seen.success_started_at, sample.success_started_at);
    cr_expect_eq(seen.ready_at, sample.ready_at);
    cr_expect(seen.failed_before);
    cr_expect_eq(seen.success_ready_at, sample.success_ready_at);
    cr_expect_eq(seen.success_ended_at, sample.success_ended_at);
    cr_expect_eq(seen.success_recovered_at, sample.success_recovered_at);
    cr_expect_not(seen.succeeded);
    drill_record_done(&seen);
}

Test(drill_record, a_success_has_no_error)
{
    struct err err = {0};
    struct drill_record seen = {0}, success = {.succeeded = true, .partial = true, .ended_at = 5};
    cr_assert(drill_record_write(strbuf_text(&path), &success, &err), "%s", err.text);
    cr_assert(drill_record_read(strbuf_text(&path), &seen, &err), "%s", err.text);
    cr_expect(seen.succeeded);
    cr_expect(seen.partial);
    cr_expect_null(seen.error);
    drill_record_done(&seen);
}

Test(drill_record, all_users_may_read_it)
{
    struct err err = {0};
    struct stat status;
    cr_assert(drill_record_write(strbuf_text(&path), &sample, &err), "%s", err.text);
    cr_assert(stat(strbuf_text(&path), &status) == 0);
    cr_expect_eq(status.st_mode & 07777, 0644U);
}

Test(drill_record, no_file_is_no_drill)
{
    struct err err = {0};
    struct drill_record seen = {.started_at = 1};
    cr_assert(drill_record_read(strbuf_text(&path), &seen, &err), "%s", err.text);
    cr_expect_eq(seen.started_at, 0.0);
}

Test(drill_record, a_file_that_is_no_record_is_named_with_the_place)
{
    struct err err = {0};
    struct drill_record seen = {0};
    write_text("{\"backup\": \"x\", \"ended_ms\": \"soon\"}");
    cr_expect_not(drill_record_read(strbuf_text(&path), &seen, &err));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect(strstr(err.text, "main.repo2.json: "), "%s", err.text);
    cr_expect(strstr(err.text, "ended_ms"), "%s", err.text);
    cr_expect_null(seen.label);
}

Test(drill_record, half_a_file_is_an_error)
{
    struct err err = {0};
    struct drill_record seen = {0};
    write_text("{\"backup\": \"x");
    cr_expect_not(drill_record_read(strbuf_text(&path), &seen, &err));
    cr_expect_eq(err.code, ERR_PROTOCOL);
}

Test(drill_record, one_that_runs_is_known_and_keeps_others_away)
{
    struct err err = {0};
    int fd = -1, other = -1;
    cr_expect_not(drill_record_is_running(strbuf_text(&path)));
    cr_assert(drill_record_lock(strbuf_text(&path), &fd, &err), "%s", err.text);
    cr_expect(drill_record_is_running(strbuf_text(&path)));
    cr_expect_not(drill_record_lock(strbuf_text(&path), &other, &err));
    cr_expect_eq(err.code, ERR_STUCK);
    close(fd);
    cr_expect_not(drill_record_is_running(strbuf_text(&path)));
    cr_assert(drill_record_lock(strbuf_text(&path), &fd, &err), "%s", err.text);
    close(fd);
}
