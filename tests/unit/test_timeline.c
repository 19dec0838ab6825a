#include "collectors/model/timeline.h"

#include <criterion/criterion.h>
#include <string.h>

#define MB16 ((uint64_t)16 << 20)

static struct timeline timeline;
static struct err err;

static bool parse(uint32_t id, const char *text)
{
    timeline_done(&timeline);
    return timeline_parse(id, text, strlen(text), &timeline, &err);
}

static void end(void)
{
    timeline_done(&timeline);
}

TestSuite(timeline, .fini = end);

/* As PostgreSQL 15 writes it after two promotions. */
static const char history[] = "1\t0/3000148\tno recovery target specified\n"
                              "\n"
                              "2\t0/5000000\tat restore point \"x\"\n";

Test(timeline, a_history_file_gives_the_ancestors_in_order)
{
    cr_assert(parse(3, history), "%s", err.text);
    cr_assert_eq(timeline.count, 2);
    cr_expect_eq(timeline.ancestors[0].timeline, 1);
    cr_expect_eq(timeline.ancestors[0].lsn, 0x3000148);
    cr_expect_eq(timeline.ancestors[1].timeline, 2);
    cr_expect_eq(timeline.ancestors[1].lsn, 0x5000000);
}

Test(timeline, a_segment_lies_on_the_newest_timeline_that_had_begun_in_it)
{
    cr_assert(parse(3, history));
    cr_expect_eq(timeline_of_segment(&timeline, 2, MB16), 1);
    cr_expect_eq(timeline_of_segment(&timeline, 3, MB16), 2); /* left within it */
    cr_expect_eq(timeline_of_segment(&timeline, 4, MB16), 2);
    cr_expect_eq(timeline_of_segment(&timeline, 5, MB16), 3);
    cr_expect_eq(timeline_of_segment(&timeline, 500, MB16), 3);
}

Test(timeline, without_ancestors_all_segments_are_its_own)
{
    struct timeline first = {.id = 1};
    cr_expect_eq(timeline_of_segment(&first, 0, MB16), 1);
    cr_expect_eq(timeline_of_segment(&first, 7, MB16), 1);
}

Test(timeline, it_has_itself_and_its_ancestors_only)
{
    cr_assert(parse(5, history));
    cr_expect(timeline_has(&timeline, 5));
    cr_expect(timeline_has(&timeline, 1));
    cr_expect(timeline_has(&timeline, 2));
    cr_expect_not(timeline_has(&timeline, 3));
    cr_expect_not(timeline_has(&timeline, 6));
}

Test(timeline, comments_and_an_lsn_with_a_high_half_are_read)
{
    cr_assert(parse(2, "# a comment\n1\tA/FFFFFFFF\n"), "%s", err.text);
    cr_expect_eq(timeline.ancestors[0].lsn, UINT64_C(0xAFFFFFFFF));
}

Test(timeline, an_ancestor_as_young_as_the_timeline_is_refused)
{
    cr_expect_not(parse(2, "2\t0/1\n"));
    cr_expect_eq(err.code, ERR_PROTOCOL);
}

Test(timeline, ancestors_out_of_order_are_refused)
{
    cr_expect_not(parse(9, "2\t0/1\n1\t0/2\n"));
    cr_expect_not(parse(9, "1\t0/2\n2\t0/1\n"));
}

Test(timeline, a_file_that_was_cut_short_is_refused)
{
    cr_expect_not(parse(2, ""));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect_not(parse(2, "# a comment\n"));
    cr_expect_not(timeline_parse(2, "1\t0/1\n\0\0\0", 9, &timeline, &err));
    cr_expect(parse(1, ""), "%s", err.text);
}

Test(timeline, a_broken_line_is_named)
{
    static const char *const broken[] = {
        "x",      "1",     "1\tabc",          "1\t0/", "1 0/1x", "-1\t0/1", "1\t0/FFFFFFFFF",
        "0\t0/1", "1\t/1", "99999999999\t0/1"};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        cr_expect_not(parse(9, broken[i]), "%s", broken[i]);
        cr_expect(strstr(err.text, "line 1"), "%s", err.text);
    }
}

Test(timeline, a_history_file_is_known_by_its_name)
{
    uint32_t id = 0;
    cr_assert(timeline_history_name("0000000A.history", &id));
    cr_expect_eq(id, 10);
    static const char *const others[] = {"00000000.history", "000000A.history",
                                         "0000000a.history", "0000000A.history.gz",
                                         "0000000A",         "0000000AA.history"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        cr_expect_not(timeline_history_name(others[i], &id), "%s", others[i]);
}
