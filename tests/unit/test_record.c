#include "collectors/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_record_XXXXXX";
static struct strbuf path, below, text;
static struct err err;

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    strbuf_printf(&below, "%s/kind", folder);
    strbuf_printf(&path, "%s/kind/one.json", folder);
    err = (struct err){0};
}

static void remove_folder(void)
{
    unlink(strbuf_text(&path));
    strbuf_puts(&path, ".lock");
    unlink(strbuf_text(&path));
    rmdir(strbuf_text(&below));
    cr_expect_eq(rmdir(folder), 0);
    strbuf_done(&path);
    strbuf_done(&below);
    strbuf_done(&text);
}

TestSuite(record, .init = make_folder, .fini = remove_folder);

static bool write_text(const char *json)
{
    strbuf_truncate(&text, 0);
    strbuf_puts(&text, json);
    return record_write(strbuf_text(&path), &text, &err);
}

Test(record, its_folders_are_made_and_all_users_may_read_it)
{
    struct stat status;
    cr_assert(write_text("{}"), "%s", err.text);
    cr_assert(stat(strbuf_text(&path), &status) == 0);
    cr_expect_eq(status.st_mode & 07777, 0644U);
}

Test(record, members_are_read_as_they_were_written)
{
    struct json_t *root = NULL;
    double time = 0;
    char *word = NULL;
    struct strbuf members CLEANUP(strbuf_done) = {0};
    strbuf_puts(&members, "{\n");
    record_add_text(&members, "word", "a \"b\"");
    record_add_time(&members, "time_ms", 1795397422.729);
    strbuf_puts(&members, "  \"last\": true\n}\n");
    cr_assert(write_text(strbuf_text(&members)));
    cr_assert(record_read(strbuf_text(&path), &root, &err), "%s", err.text);
    struct json_at at = json_root(root);
    cr_assert(record_take_text(&at, "word", &word, &err));
    cr_assert(record_take_time(&at, "time_ms", &time, &err));
    cr_expect_str_eq(word, "a \"b\"");
    cr_expect_eq(time, 1795397422.729);
    free(word);
    json_free(root);
}

Test(record, what_is_not_known_is_not_written_and_read_as_nothing)
{
    struct json_t *root = NULL;
    double time = 1;
    char *word = folder;
    record_add_text(&text, "word", NULL);
    record_add_time(&text, "time_ms", 0);
    cr_expect_eq(text.length, 0);
    cr_assert(write_text("{}"));
    cr_assert(record_read(strbuf_text(&path), &root, &err));
    struct json_at at = json_root(root);
    cr_assert(record_take_text(&at, "word", &word, &err));
    cr_assert(record_take_time(&at, "time_ms", &time, &err));
    cr_expect_null(word);
    cr_expect_eq(time, 0.0);
    json_free(root);
}

Test(record, a_file_that_is_not_there_is_no_record)
{
    struct json_t *root = NULL;
    cr_expect(record_read(strbuf_text(&path), &root, &err), "%s", err.text);
    cr_expect_null(root);
}

Test(record, what_is_no_object_is_named)
{
    static const char *const wrong[] = {"", "[]", "{\"a\": ", "7"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct json_t *root = NULL;
        cr_assert(write_text(wrong[i]));
        cr_expect_not(record_read(strbuf_text(&path), &root, &err), "%s", wrong[i]);
        cr_expect_eq(err.code, ERR_PROTOCOL);
        cr_expect(strstr(err.text, "one.json: "), "%s", err.text);
    }
}

Test(record, a_text_without_memory_is_not_written)
{
    strbuf_puts(&text, "{}");
    text.failed = true;
    cr_expect_not(record_write(strbuf_text(&path), &text, &err));
    cr_expect_eq(err.code, ERR_MEMORY);
}

Test(record, a_folder_that_cannot_be_made_is_named)
{
    strbuf_puts(&text, "{}");
    cr_expect_not(record_write("/proc/nowhere/kind/one.json", &text, &err));
    cr_expect(strstr(err.text, "cannot make the folder /proc/nowhere"), "%s", err.text);
}

Test(record, one_lock_keeps_others_away_and_is_seen)
{
    int fd = -1, other = -1;
    cr_expect_not(record_is_running(strbuf_text(&path)));
    cr_assert(record_lock(strbuf_text(&path), &fd, &err), "%s", err.text);
    cr_expect(record_is_running(strbuf_text(&path)));
    cr_expect_not(record_lock(strbuf_text(&path), &other, &err));
    cr_expect_eq(err.code, ERR_STUCK);
    cr_expect_eq(other, -1);
    close(fd);
    cr_expect_not(record_is_running(strbuf_text(&path)));
}
