#include <criterion/criterion.h>

#include "exporter/commands/drill_moment.h"

#define COMMIT                                                                                     \
    "rmgr: Transaction len (rec/tot):     34/    34, tx:        741, lsn: 0/0301D7D8, prev "       \
    "0/0301D798, desc: COMMIT 2026-11-23 02:13:45.250000 UTC"

static void expect_end(const char *line, double expected)
{
    double end = -1;
    cr_expect(drill_moment_of_line(line, &end), "%s", line);
    cr_expect_float_eq(end, expected, 1e-5, "%s: %f", line, end);
}

static void expect_none(const char *line)
{
    double end = -1;
    cr_expect_not(drill_moment_of_line(line, &end), "%s", line);
    cr_expect_eq(end, -1.0);
}

Test(drill_moment, a_commit_tells_its_time)
{
    expect_end(COMMIT, 1795400025.25);
}

Test(drill_moment, a_commit_with_more_to_say_does_too)
{
    expect_end(COMMIT "; rels: base/5/16384; inval msgs: catcache 80 catcache 79", 1795400025.25);
}

Test(drill_moment, a_transaction_that_was_rolled_back_tells_its_time)
{
    expect_end("desc: ABORT 2026-11-23 02:13:45.000001 UTC", 1795400025.000001);
}

Test(drill_moment, a_prepared_transaction_tells_when_it_ended)
{
    expect_end("desc: COMMIT_PREPARED 733: 2026-11-23 02:13:45.500000 UTC", 1795400025.5);
    expect_end("desc: ABORT_PREPARED 733: 2026-11-23 02:13:45.500000 UTC", 1795400025.5);
}

Test(drill_moment, other_lines_tell_nothing)
{
    expect_none("");
    expect_none("desc: PREPARE gid x: 2026-11-23 02:13:45.500000 UTC");
    expect_none("desc: COMMIT");
    expect_none("desc: COMMIT soon");
    expect_none("desc: COMMIT 2026-11-23");
    expect_none("desc: ASSIGNMENT xtop 741: subxacts: 742");
}

Test(drill_moment, is_said_as_recovery_takes_it)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    drill_moment_add(&text, 1795400025.12);
    cr_expect_str_eq(strbuf_text(&text), "2026-11-23 02:13:45.120+00");
}

Test(drill_moment, lies_inside_and_is_not_always_the_same)
{
    bool differs = false;
    double first = drill_moment_between(1795400000, 1795500000);
    for (int i = 0; i < 100; i++) {
        double moment = drill_moment_between(1795400000, 1795500000);
        cr_expect(moment >= 1795400000 && moment < 1795500000, "%f", moment);
        differs = differs || moment != first;
    }
    cr_expect(differs);
}

Test(drill_moment, is_the_begin_where_nothing_lies_between)
{
    cr_expect_eq(drill_moment_between(1795400000, 1795400000), 1795400000.0);
    cr_expect_eq(drill_moment_between(1795400000, 1795300000), 1795400000.0);
}
