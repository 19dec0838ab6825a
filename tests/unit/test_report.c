#include <criterion/criterion.h>

#include "exporter/report/report.h"

static struct report *new_report(void)
{
    struct report *report = report_new();
    cr_assert(report);
    return report;
}

static const struct report_item *child(const struct report_item *group, size_t index)
{
    cr_assert_lt(index, group->child_count);
    return group->children[index];
}

Test(report, begins_as_a_group_without_title_and_children)
{
    struct report *report = new_report();
    cr_expect_eq(report->root->kind, REPORT_GROUP);
    cr_expect_null(report->root->title);
    cr_expect_eq(report->root->child_count, 0);
    cr_expect_not(report->failed);
    report_free(report);
}

Test(report, puts_items_into_their_group_in_order)
{
    struct report *report = new_report();
    struct report_item *stanza = report_group(report, NULL, "stanza main");
    struct report_item *repo = report_group(report, stanza, "repository nas");
    report_fact(report, repo, "backups", "%d", 7);
    report_fact(report, stanza, "timeline", "%d", 3);
    cr_expect_eq(report->root->child_count, 1);
    cr_expect_str_eq(child(report->root, 0)->title, "stanza main");
    cr_expect_eq(child(stanza, 0), repo);
    cr_expect_str_eq(child(stanza, 1)->title, "timeline");
    cr_expect_str_eq(child(repo, 0)->text, "7");
    report_free(report);
}

Test(report, keeps_grade_and_sentence_of_a_verdict)
{
    struct report *report = new_report();
    report_verdict(report, NULL, GRADE_WARNING, "%s is %d%% full", "the queue", 80);
    const struct report_item *verdict = child(report->root, 0);
    cr_expect_eq(verdict->kind, REPORT_VERDICT);
    cr_expect_eq(verdict->grade, GRADE_WARNING);
    cr_expect_str_eq(verdict->text, "the queue is 80% full");
    report_free(report);
}

Test(report, keeps_a_fact_that_is_a_time)
{
    struct report *report = new_report();
    report_time(report, NULL, "last backup", 1700000000.5);
    const struct report_item *fact = child(report->root, 0);
    cr_expect_eq(fact->kind, REPORT_FACT);
    cr_expect_str_eq(fact->title, "last backup");
    cr_expect_eq(fact->time, 1700000000.5);
    cr_expect_null(fact->text);
    report_free(report);
}

Test(report, keeps_the_span_of_an_event)
{
    struct report *report = new_report();
    report_event(report, NULL, "full", "20231114-221320F", 100, 200);
    const struct report_item *event = child(report->root, 0);
    cr_expect_eq(event->kind, REPORT_EVENT);
    cr_expect_str_eq(event->title, "full");
    cr_expect_str_eq(event->text, "20231114-221320F");
    cr_expect_eq(event->time, 100);
    cr_expect_eq(event->end, 200);
    report_free(report);
}

Test(report, keeps_a_step_with_and_without_a_command)
{
    struct report *report = new_report();
    report_step(report, NULL, "Take a full backup.", "pgbackup_exporter run -- backup");
    report_step(report, NULL, "Ask the storage team.", NULL);
    cr_expect_eq(child(report->root, 0)->kind, REPORT_STEP);
    cr_expect_str_eq(child(report->root, 0)->text, "Take a full backup.");
    cr_expect_str_eq(child(report->root, 0)->command, "pgbackup_exporter run -- backup");
    cr_expect_null(child(report->root, 1)->command);
    report_free(report);
}

Test(report, keeps_a_detail_with_all_its_lines)
{
    struct report *report = new_report();
    report_detail(report, NULL, "last error", "line one\n\tline two");
    cr_expect_eq(child(report->root, 0)->kind, REPORT_DETAIL);
    cr_expect_str_eq(child(report->root, 0)->title, "last error");
    cr_expect_str_eq(child(report->root, 0)->text, "line one\n\tline two");
    report_free(report);
}

#define HOSTILE  "a\x1B[2J\xFF\r"
#define HARMLESS "a\xEF\xBF\xBD[2J\xEF\xBF\xBD\xEF\xBF\xBD"

Test(report, makes_every_text_printable)
{
    struct report *report = new_report();
    report_group(report, NULL, HOSTILE);
    report_verdict(report, NULL, GRADE_OK, "%s", HOSTILE);
    report_fact(report, NULL, HOSTILE, "%s", HOSTILE);
    report_time(report, NULL, HOSTILE, 1);
    report_event(report, NULL, HOSTILE, HOSTILE, 1, 1);
    report_step(report, NULL, HOSTILE, HOSTILE);
    report_detail(report, NULL, HOSTILE, HOSTILE);
    for (size_t i = 0; i < report->root->child_count; i++) {
        const struct report_item *item = child(report->root, i);
        cr_expect(!item->title || strcmp(item->title, HARMLESS) == 0, "title of item %zu", i);
        cr_expect(!item->text || strcmp(item->text, HARMLESS) == 0, "text of item %zu", i);
        cr_expect(!item->command || strcmp(item->command, HARMLESS) == 0, "command of item %zu", i);
    }
    report_free(report);
}

Test(report, copies_its_texts)
{
    struct report *report = new_report();
    char text[] = "before";
    report_detail(report, NULL, text, text);
    text[0] = 'X';
    cr_expect_str_eq(child(report->root, 0)->title, "before");
    cr_expect_str_eq(child(report->root, 0)->text, "before");
    report_free(report);
}

Test(report, takes_a_null_report_and_null_texts)
{
    cr_expect_null(report_group(NULL, NULL, "group"));
    report_verdict(NULL, NULL, GRADE_OK, "fine");
    report_fact(NULL, NULL, "fact", "text");
    report_time(NULL, NULL, "fact", 1);
    report_event(NULL, NULL, "full", NULL, 1, 1);
    report_step(NULL, NULL, "step", NULL);
    report_detail(NULL, NULL, "detail", "text");
    report_free(NULL);

    struct report *report = new_report();
    report_event(report, NULL, NULL, NULL, 1, 1);
    report_detail(report, NULL, NULL, NULL);
    cr_expect_null(child(report->root, 0)->title);
    cr_expect_null(child(report->root, 1)->text);
    cr_expect_not(report->failed);
    report_free(report);
}

Test(report, keeps_thousands_of_children_in_order)
{
    enum { COUNT = 10000 };
    struct report *report = new_report();
    for (int i = 0; i < COUNT; i++)
        report_event(report, NULL, "full", NULL, i, i);
    cr_assert_eq(report->root->child_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(report->root->children[i]->time, (double)i);
    report_free(report);
}

Test(report, grades_a_group_by_the_worst_in_it)
{
    struct report *report = new_report();
    struct report_item *stanza = report_group(report, NULL, "stanza");
    struct report_item *good = report_group(report, stanza, "good");
    struct report_item *bad = report_group(report, stanza, "bad");
    report_verdict(report, good, GRADE_PROVEN, "drilled");
    report_verdict(report, bad, GRADE_FAILED, "lost");
    report_verdict(report, bad, GRADE_OK, "fine");
    cr_expect_eq(report_worst(good), GRADE_PROVEN);
    cr_expect_eq(report_worst(bad), GRADE_FAILED);
    cr_expect_eq(report_worst(stanza), GRADE_FAILED);
    cr_expect_eq(report_worst(report->root), GRADE_FAILED);
    report_free(report);
}

Test(report, never_takes_unknown_for_good)
{
    struct report *report = new_report();
    report_verdict(report, NULL, GRADE_UNKNOWN, "not looked at");
    report_verdict(report, NULL, GRADE_OK, "fine");
    cr_expect_eq(report_worst(report->root), GRADE_UNKNOWN);
    report_free(report);
}

Test(report, has_no_grade_while_nothing_was_graded)
{
    struct report *report = new_report();
    report_fact(report, NULL, "fact", "text");
    cr_expect_eq(report_worst(report->root), GRADE_NONE);
    cr_expect_eq(report_worst(NULL), GRADE_NONE);
    report_free(report);
}

Test(report, names_its_grades)
{
    cr_expect_str_eq(grade_name(GRADE_NONE), "");
    cr_expect_str_eq(grade_name(GRADE_PROVEN), "proven");
    cr_expect_str_eq(grade_name(GRADE_OK), "ok");
    cr_expect_str_eq(grade_name(GRADE_UNKNOWN), "unknown");
    cr_expect_str_eq(grade_name(GRADE_WARNING), "warning");
    cr_expect_str_eq(grade_name(GRADE_FAILED), "failed");
}
