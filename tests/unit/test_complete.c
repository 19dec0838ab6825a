/* Parts of complete: what backups need, what pg_wal has, where files are on their way. */
#include "exporter/commands/complete.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/commands/complete_need.h"
#include "exporter/commands/complete_pg_wal.h"
#include "exporter/commands/complete_say.h"
#include "exporter/commands/complete_scratch.h"

#define MIB           (UINT64_C(1) << 20)
#define SYSTEM_ID     UINT64_C(7300000000000000001)
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

/* What backups need. */

static const struct info_database databases[] = {
    {.id = 1, .repo_key = 2, .system_id = 1, .version = "14"},
    {.id = 2, .repo_key = 2, .system_id = SYSTEM_ID, .version = "15"},
};

static struct complete_need need_of(const struct info_backup *backups, size_t count,
                                    const struct text_list *copies, const struct timeline *way)
{
    const struct info_stanza stanza = {
        .name = "main",
        .databases = databases,
        .database_count = COUNT_OF(databases),
        .backups = backups,
        .backup_count = count,
    };
    const struct need_question question = {
        .stanza = &stanza,
        .repo_key = 2,
        .archive_copies = copies,
        .segment_size = 16 * MIB,
        .way = way,
    };
    struct complete_need need = {0};
    struct err err = {0};
    cr_assert(complete_need(&question, &need, &err), "%s", err.text);
    return need;
}

#define BACKUP(backup_label, first, last)                                                          \
    {                                                                                              \
        .label = (backup_label), .repo_key = 2, .database_id = 2, .archive_start = (first),        \
        .archive_stop = (last)                                                                     \
    }

static const struct text_list no_copies = {0};
static const struct timeline first_way = {.id = 1};

Test(complete, a_backup_needs_all_from_its_start_to_its_stop_across_logs)
{
    static const struct info_backup backups[] = {
        BACKUP("A", "0000000100000001000000FE", "000000010000000200000001")};
    struct complete_need need = need_of(backups, 1, &no_copies, &first_way);
    cr_assert_eq(need.count, 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(need.items[i].segment.number, 0x1FE + i);
    cr_expect_str_eq(need.items[0].backup, "A");
    cr_expect_eq(need.backup_count, 1);
    complete_need_done(&need);
}

Test(complete, what_two_backups_need_is_needed_once)
{
    static const struct info_backup backups[] = {
        BACKUP("B", "000000010000000000000004", "000000010000000000000006"),
        BACKUP("A", "000000010000000000000002", "000000010000000000000004")};
    struct complete_need need = need_of(backups, 2, &no_copies, &first_way);
    cr_assert_eq(need.count, 5);
    cr_expect_eq(need.items[0].segment.number, 2);
    cr_expect_eq(need.items[4].segment.number, 6);
    complete_need_done(&need);
}

Test(complete, offline_backups_and_those_that_carry_their_wal_need_none)
{
    static const struct info_backup backups[] = {
        BACKUP("OFFLINE", NULL, NULL),
        BACKUP("COPY", "000000010000000000000004", "000000010000000000000006")};
    struct text_list copies CLEANUP(text_list_done) = {0};
    struct err err;
    cr_assert(text_list_add(&copies, "COPY", &err));
    struct complete_need need = need_of(backups, 2, &copies, &first_way);
    cr_expect_eq(need.count, 0);
    cr_expect_eq(need.backup_count, 0);
    complete_need_done(&need);
}

Test(complete, backups_of_an_older_database_are_counted_and_left_out)
{
    struct info_backup backups[] = {
        BACKUP("OLD", "000000010000000000000004", "000000010000000000000006"),
        BACKUP("ELSEWHERE", "000000010000000000000004", "000000010000000000000006")};
    backups[0].database_id = 1;
    backups[1].repo_key = 1;
    struct complete_need need = need_of(backups, 2, &no_copies, &first_way);
    cr_expect_eq(need.count, 0);
    cr_expect_eq(need.older_count, 1);
    complete_need_done(&need);
}

Test(complete, a_backup_across_a_promotion_needs_each_segment_of_its_own_timeline)
{
    static const struct info_backup backups[] = {
        BACKUP("A", "000000010000000000000004", "000000020000000000000007")};
    struct timeline_switch ancestors[] = {{.timeline = 1, .lsn = 6 * 16 * MIB + 100}};
    const struct timeline way = {.id = 2, .ancestors = ancestors, .count = 1};
    struct complete_need need = need_of(backups, 1, &no_copies, &way);
    static const uint32_t timelines[] = {1, 1, 2, 2};
    cr_assert_eq(need.count, COUNT_OF(timelines));
    for (size_t i = 0; i < COUNT_OF(timelines); i++)
        cr_expect_eq(need.items[i].segment.timeline, timelines[i], "%zu", i);
    complete_need_done(&need);
}

Test(complete, a_range_that_makes_no_sense_is_an_error_that_names_the_backup)
{
    static const char *const ranges[][2] = {
        {"000000010000000000000006", "000000010000000000000004"},
        {"000000010000000000000006", "rubbish"},
        {"000000010000000000000001", "00000001FFFF000000000001"},
    };
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        const struct info_backup backups[] = {BACKUP("A", ranges[i][0], ranges[i][1])};
        const struct info_stanza stanza = {.databases = databases,
                                           .database_count = COUNT_OF(databases),
                                           .backups = backups,
                                           .backup_count = 1};
        const struct need_question question = {&stanza, 2, &no_copies, 16 * MIB, &first_way};
        struct complete_need need = {0};
        struct err err = {0};
        cr_expect_not(complete_need(&question, &need, &err), "%zu", i);
        cr_expect_eq(err.code, ERR_PROTOCOL);
        cr_expect(strstr(err.text, "backup A: "), "%s", err.text);
    }
}

/* What pg_wal has: a data directory with segments of 1 MiB. */

static char data[] = "/tmp/test_complete_XXXXXX";
static struct pg_wal wal;
static struct err err;

/* Of the first page of a segment, PostgreSQL's XLogLongPageHeaderData. */
struct page {
    uint16_t magic, info;
    uint32_t timeline;
    uint64_t address;
    uint32_t remaining, padding;
    uint64_t system_id;
    uint32_t segment_size, block_size;
};

static struct page page_of(uint64_t number)
{
    return (struct page){0xD110, 2, 1, number * MIB, 0, 0, SYSTEM_ID, MIB, 8192};
}

static void in_data(const char *name, struct strbuf *out)
{
    strbuf_printf(out, "%s/%s", data, name);
}

static void write_file(const char *name, const void *bytes, size_t length, off_t size)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    in_data(name, &path);
    int fd = open(strbuf_text(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
    cr_assert_eq(ftruncate(fd, size), 0);
    close(fd);
}

static void write_segment(const char *name, const struct page *page)
{
    write_file(name, page, sizeof *page, MIB);
}

static void make_folder(const char *name)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    in_data(name, &path);
    cr_assert_eq(mkdir(strbuf_text(&path), 0700), 0);
}

static void make_cluster(void)
{
    uint64_t system_id = SYSTEM_ID;
    struct page page = page_of(5);
    cr_assert(mkdtemp(data));
    make_folder("global");
    make_folder("pg_wal");
    make_folder("pg_wal/archive_status");
    write_file("global/pg_control", &system_id, sizeof system_id, 8192);
    write_segment("pg_wal/000000010000000000000005", &page);
    err = (struct err){0};
    cr_assert(pg_wal_open(data, &wal, &err), "%s", err.text);
}

static void remove_cluster(void)
{
    static const char *const names[] = {
        "pg_wal/000000010000000000000005",
        "pg_wal/000000010000000000000006",
        "pg_wal/archive_status/000000010000000000000005.ready",
        "pg_wal/archive_status/000000010000000000000005.done",
        "pg_wal/00000002.history",
        "pg_wal/archive_status",
        "pg_wal",
        "global/pg_control",
        "global",
        "copy",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        in_data(names[i], &path);
        remove(strbuf_text(&path));
    }
    pg_wal_done(&wal);
    cr_expect_eq(rmdir(data), 0);
}

TestSuite(complete_pg_wal, .init = make_cluster, .fini = remove_cluster);

static const struct wal_segment fifth = {1, 5};

Test(complete_pg_wal, the_cluster_is_known_by_its_files_alone)
{
    cr_expect_eq(wal.cluster.system_id, SYSTEM_ID);
    cr_expect_eq(wal.cluster.segment_size, MIB);
}

Test(complete_pg_wal, a_segment_is_whole_once_archiving_knows_it)
{
    static const char *const marks[] = {"pg_wal/archive_status/000000010000000000000005.ready",
                                        "pg_wal/archive_status/000000010000000000000005.done"};
    cr_expect_eq(pg_wal_state(&wal, &fifth), PG_WAL_UNFINISHED);
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        write_file(marks[i], "", 0, 0);
        cr_expect_eq(pg_wal_state(&wal, &fifth), PG_WAL_WHOLE, "%s", marks[i]);
        in_data(marks[i], &path);
        unlink(strbuf_text(&path));
    }
}

Test(complete_pg_wal, a_segment_is_whole_when_its_timeline_is_written_behind_it)
{
    wal.writing = (struct wal_segment){1, 6};
    cr_expect_eq(pg_wal_state(&wal, &fifth), PG_WAL_WHOLE);
    wal.writing = fifth;
    cr_expect_eq(pg_wal_state(&wal, &fifth), PG_WAL_UNFINISHED);
    wal.writing = (struct wal_segment){2, 6};
    cr_expect_eq(pg_wal_state(&wal, &fifth), PG_WAL_UNFINISHED);
}

Test(complete_pg_wal, a_file_that_holds_something_else_is_not_there)
{
    const struct wal_segment sixth = {1, 6};
    struct page recycled = page_of(3), foreign = page_of(6), newer = page_of(6), zero = {0},
                small = page_of(6);
    foreign.system_id++;
    newer.timeline = 2;
    small.segment_size = 2 * MIB;
    const struct page *const pages[] = {&recycled, &foreign, &newer, &zero, &small};
    wal.writing = (struct wal_segment){1, 9};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        write_segment("pg_wal/000000010000000000000006", pages[i]);
        cr_expect_eq(pg_wal_state(&wal, &sixth), PG_WAL_NONE, "%zu", i);
    }
    struct page right = page_of(6);
    write_segment("pg_wal/000000010000000000000006", &right);
    cr_expect_eq(pg_wal_state(&wal, &sixth), PG_WAL_WHOLE);
    write_file("pg_wal/000000010000000000000006", &right, sizeof right, MIB / 2);
    cr_expect_eq(pg_wal_state(&wal, &sixth), PG_WAL_NONE, "cut short");
}

/* The first pages of a timeline's first segment are copied from the one that was left. */
Test(complete_pg_wal, a_segment_may_begin_with_the_timeline_before_its_own)
{
    const struct wal_segment sixth = {2, 6};
    struct page page = page_of(6);
    struct strbuf path CLEANUP(strbuf_done) = {0};
    write_segment("pg_wal/000000010000000000000006", &page);
    in_data("pg_wal/000000010000000000000006", &path);
    cr_expect(wal_file_check(strbuf_text(&path), &wal.cluster, &sixth, &err), "%s", err.text);
}

Test(complete_pg_wal, a_copy_is_the_whole_segment)
{
    struct strbuf to CLEANUP(strbuf_done) = {0};
    struct stat status;
    in_data("copy", &to);
    cr_assert(pg_wal_copy(&wal, &fifth, strbuf_text(&to), &err), "%s", err.text);
    cr_assert_eq(stat(strbuf_text(&to), &status), 0);
    cr_expect_eq(status.st_size, (off_t)MIB);
    cr_expect(wal_file_check(strbuf_text(&to), &wal.cluster, &fifth, &err), "%s", err.text);
}

Test(complete_pg_wal, what_a_file_holds_instead_is_told)
{
    const struct wal_segment sixth = {1, 6};
    struct strbuf path CLEANUP(strbuf_done) = {0};
    in_data("pg_wal/000000010000000000000005", &path);
    cr_expect_not(wal_file_check(strbuf_text(&path), &wal.cluster, &sixth, &err));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect_str_eq(err.text, "the file holds not 000000010000000000000006 but timeline 1, LSN "
                               "0/500000 of the cluster 7300000000000000001");
}

Test(complete_pg_wal, history_files_are_listed_and_read)
{
    static const char text[] = "1\t0/600000\tno recovery target specified\n";
    struct text_list names CLEANUP(text_list_done) = {0};
    struct strbuf read CLEANUP(strbuf_done) = {0};
    write_file("pg_wal/00000002.history", text, sizeof text - 1, sizeof text - 1);
    cr_assert(pg_wal_histories(&wal, &names, &err), "%s", err.text);
    cr_assert_eq(names.count, 1);
    cr_assert(pg_wal_history(&wal, names.items[0], &read, &err), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&read), text);
}

Test(complete_pg_wal, a_folder_without_a_cluster_is_a_wrong_configuration)
{
    struct pg_wal none = {0};
    cr_expect_not(pg_wal_open("/nowhere", &none, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, "cannot read /nowhere/global/pg_control"), "%s", err.text);
}

/* Where files are on their way. */

static char base[] = "/tmp/test_complete_base_XXXXXX";

static void make_base(void)
{
    cr_assert(mkdtemp(base));
}

static void remove_base(void)
{
    cr_expect_eq(rmdir(base), 0, "something is left behind");
}

TestSuite(complete_scratch, .init = make_base, .fini = remove_base);

static void put_file(const struct scratch *scratch, const char *name)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    scratch_file(scratch, name, &path);
    int fd = open(strbuf_text(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

Test(complete_scratch, it_goes_with_all_that_is_in_it)
{
    struct scratch scratch = {0};
    struct stat status;
    struct err error = {0};
    cr_assert(scratch_make(base, &scratch, &error), "%s", error.text);
    cr_assert_eq(stat(scratch.path, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0700);
    put_file(&scratch, "one");
    put_file(&scratch, "one");
    put_file(&scratch, "two");
    scratch_done(&scratch);
}

Test(complete_scratch, what_a_killed_one_left_is_removed_and_one_in_use_is_not)
{
    struct scratch left = {0}, used = {0}, next = {0};
    struct err error = {0};
    cr_assert(scratch_make(base, &left, &error) && scratch_make(base, &used, &error));
    put_file(&left, "segment");
    close(left.lock); /* as the kernel does */
    cr_assert(scratch_make(base, &next, &error), "%s", error.text);
    cr_expect_neq(access(left.path, F_OK), 0);
    cr_expect_eq(access(used.path, F_OK), 0);
    free(left.path);
    scratch_done(&used);
    scratch_done(&next);
}

Test(complete_scratch, a_folder_that_cannot_be_made_is_named)
{
    struct scratch scratch = {0};
    struct err error = {0};
    cr_expect_not(scratch_make("/nowhere", &scratch, &error));
    cr_expect_str_eq(error.text, "cannot make a folder in /nowhere: No such file or directory");
}

/* Where it can be done. */

Test(complete, it_is_done_on_the_host_that_has_pg_wal)
{
    static const struct {
        const char *option, *expected;
    } cases[] = {
        {"pg1-path", ""},
        {"pg2-path", "stanza main has no pg1-path here"},
        {"pg1-host", "PostgreSQL of stanza main is on /value (pg1-host)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stanza stanza = {.name = TEXT_OF("main")};
        struct err error = {0};
        cr_assert(pair_list_add(&stanza.options, cases[i].option, "/value", &error));
        cr_expect_eq(complete_is_possible(&stanza, &error), !*cases[i].expected);
        cr_expect(strstr(error.text, cases[i].expected), "%s", error.text);
        pair_list_done(&stanza.options);
    }
}

/* What is told. */

Test(complete_say, a_step_is_a_line_of_its_own_where_there_is_no_terminal,
     .init = cr_redirect_stdout)
{
    struct teller teller = {0};
    say_step(&teller, "%d of 2", 1);
    say_step(&teller, "%d of 2", 2);
    say_line(&teller, "done");
    cr_expect_stdout_eq_str("1 of 2\n2 of 2\ndone\n");
}

Test(complete_say, on_a_terminal_a_step_is_replaced_by_what_comes_next, .init = cr_redirect_stdout)
{
    struct teller teller = {.terminal = true};
    say_step(&teller, "%d of 2", 1);
    say_step(&teller, "%d of 2", 2);
    say_line(&teller, "done");
    say_end(&teller);
    cr_expect_stdout_eq_str("1 of 2\r\033[K2 of 2\r\033[Kdone\n");
}
