#include <criterion/criterion.h>
#include <string.h>

#include "collectors/parse/spool.h"

/* As pgBackRest 2.45 wrote it. */
static const char global_error[] =
    "103\nunable to find a valid repository:\n"
    "repo1: [FileMissingError] unable to load info file '/b/repo1/archive/main/archive.info':\n"
    "FileMissingError: unable to open missing file '/b/repo2:x' for read\n"
    "HINT: has a stanza-create been performed?";

static const char log_lines[] =
    "2026-11-23 02:40:06.246 P00   WARN: dropped WAL file '00000001000000000000000A' because "
    "archive queue exceeded 32MB\n"
    "2026-11-23 02:40:06.258 P00   WARN: dropped WAL file '00000001000000000000000B' because "
    "archive queue exceeded 32MB\n"
    "2026-11-23 02:40:06.300 P00   INFO: pushed WAL file '00000001000000000000000C' to the "
    "archive\n"
    "2026-11-23 02:40:06.258 P00   WARN: dropped WAL file '00000001000000000000000B' because "
    "archive queue exceeded 32MB\n";

Test(spool, files_are_known_by_their_names)
{
    cr_expect_eq(spool_file_of("global.error"), SPOOL_GLOBAL_ERROR);
    cr_expect_eq(spool_file_of("00000001000000000000000A.error"), SPOOL_ERROR);
    cr_expect_eq(spool_file_of("00000001000000000000000A.partial.error"), SPOOL_ERROR);
    cr_expect_eq(spool_file_of("00000002.history.error"), SPOOL_ERROR);
    cr_expect_eq(spool_file_of("00000001000000000000000A.ok"), SPOOL_OK);
    cr_expect_eq(spool_file_of("00000001000000000000000A.ok.pgbackrest.tmp"), SPOOL_OTHER);
    cr_expect_eq(spool_file_of("0000.ok"), SPOOL_OTHER);
    cr_expect_eq(spool_file_of(".ok"), SPOOL_OTHER);
    cr_expect_eq(spool_file_of(""), SPOOL_OTHER);
}

Test(spool, an_error_names_repositories_at_the_begin_of_lines)
{
    cr_expect(spool_error_names(global_error, 1));
    cr_expect_not(spool_error_names(global_error, 2));
    cr_expect(spool_error_names_one(global_error));
    cr_expect_not(spool_error_names_one("62\nstop file exists for all stanzas"));
    cr_expect_not(spool_error_names("repository1: x", 1));
    cr_expect_not(spool_error_names("repo12: x", 1));
    cr_expect(spool_error_names("repo12: x", 12));
}

Test(spool, dropped_segments_are_named_once)
{
    struct text_list list = {0};
    struct err err = {0};
    cr_assert(spool_dropped(log_lines, strlen(log_lines), &list, &err));
    cr_assert_eq(list.count, 2);
    cr_expect_str_eq(list.items[0], "00000001000000000000000A");
    cr_expect_str_eq(list.items[1], "00000001000000000000000B");
    text_list_done(&list);
}

Test(spool, a_name_that_is_cut_off_is_passed_over)
{
    struct text_list list = {0};
    struct err err = {0};
    size_t half = (size_t)(strstr(log_lines, "000A'") - log_lines);
    cr_assert(spool_dropped(log_lines, half, &list, &err));
    cr_assert(spool_dropped("dropped WAL file '", 18, &list, &err));
    cr_assert(spool_dropped("dropped WAL file 'x' ", 21, &list, &err));
    cr_expect_eq(list.count, 0);
    text_list_done(&list);
}

Test(spool, bytes_behind_a_nul_are_read_too)
{
    struct text_list list = {0};
    struct err err = {0};
    static const char text[] = "a\0dropped WAL file '00000001000000000000000A' b";
    cr_assert(spool_dropped(text, sizeof text - 1, &list, &err));
    cr_expect_eq(list.count, 1);
    text_list_done(&list);
}

static uint64_t size_of(const char *text)
{
    uint64_t size = 77;
    return spool_parse_size(text, &size) ? size : 77;
}

Test(spool, sizes_are_read_as_pgbackrest_does)
{
    cr_expect_eq(size_of("67108864"), (uint64_t)64 << 20);
    cr_expect_eq(size_of("64MB"), (uint64_t)64 << 20);
    cr_expect_eq(size_of("64mib"), (uint64_t)64 << 20);
    cr_expect_eq(size_of("1g"), (uint64_t)1 << 30);
    cr_expect_eq(size_of("2T"), (uint64_t)2 << 40);
    cr_expect_eq(size_of("3PiB"), (uint64_t)3 << 50);
    cr_expect_eq(size_of("10B"), 10);
    cr_expect_eq(size_of("4K"), 4096);
}

Test(spool, what_is_no_size_is_refused)
{
    static const char *const wrong[] = {"",
                                        "MB",
                                        "-1",
                                        "1 MB",
                                        "1X",
                                        "1MBB",
                                        "1.5G",
                                        "0x10",
                                        " 1",
                                        "1i",
                                        "99999999999999P",
                                        "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        cr_expect_eq(size_of(wrong[i]), 77, "%s", wrong[i]);
}
