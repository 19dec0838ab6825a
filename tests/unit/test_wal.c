#include "collectors/model/wal.h"

#include <criterion/criterion.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

Test(wal, a_name_says_timeline_and_end)
{
    static const struct {
        const char *name;
        uint64_t segment_size;
        uint32_t timeline;
        uint64_t end;
    } cases[] = {
        {"000000010000000000000000", 16 * MIB, 1, 0x1000000},
        {"000000010000000000000001", 16 * MIB, 1, 0x2000000},
        {"0000000A00000016000000B3", 16 * MIB, 10, 0x16B4000000},
        {"0000000100000000000000FF", 16 * MIB, 1, 0x100000000},
        {"000000010000000100000000", 16 * MIB, 1, 0x101000000},
        {"FFFFFFFF0000000000000FFF", MIB, UINT32_MAX, 0x100000000},
        {"000000010000000000000003", GIB, 1, 0x100000000},
        {"000000010000000100000000", GIB, 1, 0x140000000},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct wal_segment segment;
        cr_assert(wal_segment_parse(cases[i].name, cases[i].segment_size, &segment), "%s",
                  cases[i].name);
        cr_assert_eq(segment.timeline, cases[i].timeline, "%s", cases[i].name);
        cr_assert_eq(wal_segment_end(&segment, cases[i].segment_size), cases[i].end, "%s",
                     cases[i].name);
    }
}

Test(wal, numbers_go_on_from_one_log_to_the_next)
{
    static const struct {
        const char *last, *next;
        uint64_t segment_size;
    } cases[] = {
        {"000000010000000000000FFF", "000000010000000100000000", MIB},
        {"0000000100000000000000FF", "000000010000000100000000", 16 * MIB},
        {"00000001000000000000003F", "000000010000000100000000", 64 * MIB},
        {"000000010000000000000003", "000000010000000100000000", GIB},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct wal_segment last, next;
        cr_assert(wal_segment_parse(cases[i].last, cases[i].segment_size, &last));
        cr_assert(wal_segment_parse(cases[i].next, cases[i].segment_size, &next));
        cr_assert_eq(last.number + 1, next.number, "%s", cases[i].last);
    }
}

Test(wal, other_names_are_no_segments)
{
    static const char *const names[] = {
        "",
        "00000001000000000000000",
        "0000000100000000000000010",
        "000000010000000000000001.partial",
        "000000010000000000000002.00000028.backup",
        "00000002.history",
        "00000001000000000000000g",
        "00000001000000000000000a",
        "00000001 000000000000001",
        "-00000010000000000000001",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct wal_segment segment = {.timeline = 7};
        cr_assert(!wal_segment_parse(names[i], 16 * MIB, &segment), "accepted: %s", names[i]);
        cr_assert_eq(segment.timeline, 7, "written on failure");
    }
}

Test(wal, a_segment_that_the_size_cannot_have_is_refused)
{
    struct wal_segment segment;
    cr_assert(!wal_segment_parse("000000010000000000001000", MIB, &segment));
    cr_assert(!wal_segment_parse("000000010000000000000100", 16 * MIB, &segment));
    cr_assert(!wal_segment_parse("000000010000000000000004", GIB, &segment));
}

Test(wal, a_segment_without_a_sayable_end_is_refused)
{
    struct wal_segment segment;
    cr_assert(!wal_segment_parse("00000001FFFFFFFF000000FF", 16 * MIB, &segment));
    cr_assert(wal_segment_parse("00000001FFFFFFFF000000FE", 16 * MIB, &segment));
    cr_assert_eq(wal_segment_end(&segment, 16 * MIB), UINT64_MAX - 16 * MIB + 1);
}

Test(wal, sizes_that_postgresql_cannot_have_are_refused)
{
    static const uint64_t sizes[] = {0, 1, MIB / 2, MIB + 1, 3 * MIB, 2 * GIB, UINT64_MAX};
    struct wal_segment segment;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        cr_assert(!wal_segment_size_is_valid(sizes[i]));
        cr_assert(!wal_segment_parse("000000010000000000000000", sizes[i], &segment));
    }
    for (uint64_t size = MIB; size <= GIB; size *= 2)
        cr_assert(wal_segment_size_is_valid(size));
}

Test(wal, a_history_file_of_a_backup_proves_its_segment_archived)
{
    struct wal_segment segment = {0};
    cr_expect(wal_segment_archived("000000010000000000000006.00000028.backup", 16 * MIB, &segment));
    cr_expect_eq(segment.number, 6u);
    cr_expect(wal_segment_archived("000000010000000000000007", 16 * MIB, &segment));
    cr_expect_eq(segment.number, 7u);
}

Test(wal, other_files_prove_no_segment_archived)
{
    static const char *const names[] = {"",
                                        "00000002.history",
                                        "000000010000000000000006.partial",
                                        "000000010000000000000006.backup",
                                        "000000010000000000000006.00000028.backup.gz",
                                        "000000010000000000000006.0000028.backup",
                                        "00000001000000000000000X.00000028.backup"};
    struct wal_segment segment = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_expect_not(wal_segment_archived(names[i], 16 * MIB, &segment), "%s", names[i]);
}

Test(wal, a_segment_is_named_as_it_was_read)
{
    static const char *const names[] = {"000000010000000200000003", "0000000AFFFFFFFF00000000"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct strbuf name CLEANUP(strbuf_done) = {0};
        struct wal_segment segment;
        cr_assert(wal_segment_parse(names[i], UINT64_C(16) << 20, &segment));
        wal_segment_name(&segment, UINT64_C(16) << 20, &name);
        cr_expect_str_eq(strbuf_text(&name), names[i]);
    }
}
