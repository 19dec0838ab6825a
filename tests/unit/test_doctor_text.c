#include "exporter/commands/doctor_text.h"

#include <criterion/criterion.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "tests/unit/page_fixture.h"

static struct report *report;
static struct strbuf out;

static void begin(void)
{
    report = new_report();
}

static void end(void)
{
    free_reports();
    strbuf_done(&out);
}

TestSuite(doctor_text, .init = begin, .fini = end);

static struct page_target target_of(const char *group)
{
    return target_that_ran(group, "wal", "main/repo1", report);
}

static struct page page_of(const struct page_target *targets, size_t count)
{
    return (struct page){.program = "pgbackup_exporter",
                         .version = "1.2.3",
                         .host = "db1",
                         .now = NOW,
                         .targets = targets,
                         .target_count = count};
}

static const char *told(const struct page_target *targets, size_t count, bool coloured)
{
    const struct page page = page_of(targets, count);
    doctor_text(&out, &page, coloured);
    cr_assert_not(out.failed);
    return strbuf_text(&out);
}

static void expect(const struct page_target *target, const char *text)
{
    const char *all = told(target, 1, false);
    cr_expect(strstr(all, text), "%s is not in\n%s", text, all);
}

Test(doctor_text, says_who_looked_where_and_when)
{
    struct page_target target = target_of("main");
    expect(&target, "pgbackup_exporter 1.2.3 looked at db1, 2026-11-22 20:30 UTC\n");
}

Test(doctor_text, a_failure_stands_with_its_step_and_the_command)
{
    struct report_item *group = report_group(report, NULL, "Mount /backup");
    report_verdict(report, group, GRADE_FAILED, "not mounted");
    report_step(report, group, "mount it", "sudo mount /backup");
    struct page_target target = target_of("main");
    expect(&target, "\nFAILED\n  * Mount /backup: not mounted\n      next: mount it\n"
                    "        $ sudo mount /backup\n");
}

Test(doctor_text, what_is_worst_comes_first)
{
    struct report_item *group = report_group(report, NULL, "One");
    report_verdict(report, group, GRADE_OK, "fine");
    report_verdict(report, group, GRADE_WARNING, "doubtful");
    report_verdict(report, group, GRADE_FAILED, "broken");
    struct page_target target = target_of("main");
    expect(&target, "\nFAILED\n  * One: broken\n\nWARNING\n  * One: doubtful\n\nOK\n"
                    "  * One: fine\n\n1 failed, 1 warning, 0 unknown, 1 ok\n");
}

Test(doctor_text, what_is_well_needs_no_step)
{
    struct report_item *group = report_group(report, NULL, "One");
    report_verdict(report, group, GRADE_OK, "fine");
    report_step(report, group, "do nothing", NULL);
    struct page_target target = target_of("main");
    cr_expect_null(strstr(told(&target, 1, false), "next:"));
}

Test(doctor_text, the_errors_of_a_failure_are_shown_line_by_line)
{
    struct report_item *group = report_group(report, NULL, "One");
    report_verdict(report, group, GRADE_FAILED, "broken");
    report_detail(report, group, "error", "first\nsecond");
    struct page_target target = target_of("main");
    expect(&target, "      error:\n        | first\n        | second\n");
}

Test(doctor_text, a_collector_without_an_answer_is_unknown)
{
    struct page_target target = target_of("main");
    target.has_run = false;
    target.report = NULL;
    expect(&target, "UNKNOWN\n  * collector wal of main/repo1: no answer in time\n");
}

Test(doctor_text, of_several_stanzas_each_finding_says_which)
{
    struct report_item *group = report_group(report, NULL, "One");
    report_verdict(report, group, GRADE_FAILED, "broken");
    const struct page_target targets[] = {target_of("main"), target_of("other")};
    const char *all = told(targets, COUNT_OF(targets), false);
    cr_expect(strstr(all, "  * main: One: broken\n"), "%s", all);
    cr_expect(strstr(all, "  * other: One: broken\n"), "%s", all);
}

Test(doctor_text, colours_are_for_terminals)
{
    struct report_item *group = report_group(report, NULL, "One");
    report_verdict(report, group, GRADE_FAILED, "broken");
    struct page_target target = target_of("main");
    cr_expect_null(strchr(told(&target, 1, false), '\033'));
    strbuf_truncate(&out, 0);
    cr_expect(strstr(told(&target, 1, true), "\033[1;31mFAILED\033[0m\n"));
}

Test(doctor_text, the_worst_of_all_decides)
{
    struct report_item *group = report_group(report, NULL, "One");
    report_verdict(report, group, GRADE_OK, "fine");
    struct page_target target = target_of("main");
    const struct page page = page_of(&target, 1);
    cr_expect_eq(doctor_worst(&page), GRADE_OK);
    report_verdict(report, group, GRADE_FAILED, "broken");
    cr_expect_eq(doctor_worst(&page), GRADE_FAILED);
}

Test(doctor_text, nothing_looked_at_is_unknown_not_well)
{
    const struct page page = page_of(NULL, 0);
    cr_expect_eq(doctor_worst(&page), GRADE_UNKNOWN);
}
