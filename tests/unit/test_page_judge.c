#include "exporter/web/page_judge.h"

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"
#include "tests/unit/page_fixture.h"

static struct report *report_of(enum grade grade)
{
    struct report *report = new_report();
    report_verdict(report, report_group(report, NULL, "group"), grade, "verdict");
    return report;
}

static const struct page page = {.now = 1000};

static struct page_target ran(enum run_outcome outcome, const struct report *report,
                              const struct report *last_good)
{
    return (struct page_target){.has_run = true,
                                .current = true,
                                .outcome = outcome,
                                .started_at = 900,
                                .report = report,
                                .last_good_at = 500,
                                .last_good_report = last_good};
}

TestSuite(page_judge, .fini = free_reports);

/* Present and past */

Test(page_judge, only_a_good_and_recent_run_is_sound)
{
    struct page_target target = ran(RUN_OK, NULL, NULL);
    cr_expect(page_target_is_sound(&target));
    target.current = false;
    cr_expect_not(page_target_is_sound(&target));
    target = ran(RUN_DOWN, NULL, NULL);
    cr_expect_not(page_target_is_sound(&target));
    target = ran(RUN_FAILED, NULL, NULL);
    cr_expect_not(page_target_is_sound(&target));
    target = (struct page_target){0};
    cr_expect_not(page_target_is_sound(&target));
}

Test(page_judge, what_is_too_old_is_not_the_present)
{
    struct page_target target = ran(RUN_OK, report_of(GRADE_OK), NULL);
    cr_expect_eq(page_present_report(&target), target.report);
    target.current = false;
    cr_expect_null(page_present_report(&target));
}

Test(page_judge, a_sound_target_has_no_past)
{
    struct page_view view;
    struct page_target target = ran(RUN_OK, report_of(GRADE_OK), report_of(GRADE_OK));
    cr_expect_null(page_past_report(&page, &target, &view));
}

Test(page_judge, the_past_of_what_is_down_is_its_last_good_run)
{
    struct page_view view = {0};
    struct page_target target = ran(RUN_DOWN, NULL, report_of(GRADE_OK));
    cr_expect_eq(page_past_report(&page, &target, &view), target.last_good_report);
    cr_expect(view.past);
    cr_expect_eq(view.known_at, 500);
}

Test(page_judge, a_good_run_that_is_too_old_is_itself_the_past)
{
    struct page_view view = {0};
    struct page_target target = ran(RUN_OK, report_of(GRADE_OK), NULL);
    target.current = false;
    cr_expect_eq(page_past_report(&page, &target, &view), target.report);
    cr_expect_eq(view.known_at, 900);
}

/* Grades */

Test(page_judge, the_grade_of_a_target_is_the_worst_of_now_and_before)
{
    const struct report *ok = report_of(GRADE_OK);
    const struct report *warning = report_of(GRADE_WARNING);
    const struct report *failed = report_of(GRADE_FAILED);
    const struct {
        struct page_target target;
        enum grade grade;
    } cases[] = {
        {ran(RUN_OK, NULL, NULL), GRADE_NONE},
        {ran(RUN_OK, ok, NULL), GRADE_OK},
        {ran(RUN_OK, ok, failed), GRADE_OK},
        {ran(RUN_DOWN, NULL, NULL), GRADE_FAILED},
        {ran(RUN_DOWN, warning, NULL), GRADE_WARNING},
        {ran(RUN_DOWN, warning, failed), GRADE_FAILED},
        {ran(RUN_DOWN, ok, ok), GRADE_UNKNOWN},
        {ran(RUN_FAILED, NULL, NULL), GRADE_UNKNOWN},
        {ran(RUN_FAILED, NULL, ok), GRADE_UNKNOWN},
        {ran(RUN_FAILED, NULL, failed), GRADE_FAILED},
        {{.has_run = false}, GRADE_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cr_expect_eq(page_target_grade(&page, &cases[i].target), cases[i].grade, "case %zu", i);
}

/* Findings */

struct seen {
    size_t count;
    struct page_finding last;
};

static void see(void *context, const struct page_finding *finding)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = *finding;
}

static struct seen visit(const struct page_target *target)
{
    struct seen seen = {0};
    struct page one = {.now = 1000, .targets = target, .target_count = 1};
    page_visit_findings(&one, see, &seen);
    return seen;
}

Test(page_judge, a_verdict_is_found_with_the_group_that_it_stands_in)
{
    struct page_target target = ran(RUN_OK, report_of(GRADE_WARNING), NULL);
    struct seen seen = visit(&target);
    cr_expect_eq(seen.count, 1);
    cr_expect_eq(seen.last.grade, GRADE_WARNING);
    cr_expect_str_eq(seen.last.group->title, "group");
    cr_expect_str_eq(seen.last.verdict->text, "verdict");
}

Test(page_judge, a_target_that_has_not_run_is_one_finding_without_a_verdict)
{
    struct page_target target = {.has_run = false};
    struct seen seen = visit(&target);
    cr_expect_eq(seen.count, 1);
    cr_expect_eq(seen.last.grade, GRADE_UNKNOWN);
    cr_expect_null(seen.last.verdict);
}

Test(page_judge, what_is_unknown_is_said_once_by_the_verdict_last_known)
{
    struct page_target target = ran(RUN_FAILED, NULL, report_of(GRADE_OK));
    struct seen seen = visit(&target);
    cr_expect_eq(seen.count, 1);
    cr_expect_eq(seen.last.grade, GRADE_UNKNOWN);
    cr_expect_not_null(seen.last.verdict);
}

Test(page_judge, what_is_down_without_a_verdict_is_found_beside_what_was_known)
{
    struct page_target target = ran(RUN_DOWN, NULL, report_of(GRADE_OK));
    cr_expect_eq(visit(&target).count, 2);
}

/* From a status of the poller */

static const struct collector wal = {.name = "wal"};

Test(page_judge, a_status_without_a_run_is_one_that_has_not_been_looked_at)
{
    char name[] = "main/repo1";
    struct label labels[] = {{"stanza", "main"}, {NULL, NULL}};
    struct poller_status status = {
        .collector = &wal, .target = name, .labels = labels, .running_s = 2};
    struct page_target target = page_target_of(&status, "stanza", 1000);
    cr_expect_not(target.has_run);
    cr_expect_str_eq(target.collector, "wal");
    cr_expect_str_eq(target.target, "main/repo1");
    cr_expect_str_eq(target.group, "main");
    cr_expect_str_eq(page_target_of(&status, "path", 1000).group, "");
    cr_expect_eq(target.running_s, 2);
}

Test(page_judge, a_status_brings_its_run_and_the_last_good_one_before_it)
{
    char name[] = "main/repo1";
    struct label labels[] = {{"stanza", "main"}, {NULL, NULL}};
    struct report *now = new_report();
    struct report *then = new_report();
    struct snapshot good = {.started_at = 100, .report = then};
    struct snapshot newest = {.outcome = RUN_DOWN,
                              .error = {.code = ERR_CONNECT, .text = "refused"},
                              .started_at = 200,
                              .duration_s = 0.5,
                              .expires_ms = 5000,
                              .report = now,
                              .last_good = &good};
    struct poller_status status = {.collector = &wal,
                                   .target = name,
                                   .labels = labels,
                                   .failures = 7,
                                   .combines = true,
                                   .snapshot = &newest};

    struct page_target target = page_target_of(&status, "stanza", 4999);
    cr_expect(target.has_run && target.current && target.leads);
    cr_expect_str_eq(target.group, "main");
    cr_expect_eq(target.outcome, RUN_DOWN);
    cr_expect_str_eq(target.error, "refused");
    cr_expect_eq(target.started_at, 200);
    cr_expect_eq(target.duration_s, 0.5);
    cr_expect_eq(target.failures, 7);
    cr_expect_eq(target.report, now);
    cr_expect_eq(target.last_good_at, 100);
    cr_expect_eq(target.last_good_report, then);
    cr_expect_not(page_target_of(&status, "stanza", 5000).current);
}
