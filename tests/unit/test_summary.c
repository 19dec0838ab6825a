#include "exporter/web/summary.h"

#include <string.h>

#include <criterion/criterion.h>

static struct report *report;

static void new_report(void)
{
    report = report_new();
}

static void free_report(void)
{
    report_free(report);
}

TestSuite(summary, .init = new_report, .fini = free_report);

static struct page_target repository(void)
{
    return (struct page_target){.group = "main",
                                .collector = "backups",
                                .target = "main/repo1",
                                .has_run = true,
                                .current = true,
                                .outcome = RUN_OK,
                                .report = report};
}

/* The summary of a page with this one target. */
static struct strbuf summary_of(const struct page_target *target)
{
    struct strbuf line = {0};
    summary_write(&line, &(struct page){.now = 1000, .targets = target, .target_count = 1});
    return line;
}

static void expect_summary(const struct page_target *target, const char *expected)
{
    struct strbuf line = summary_of(target);
    cr_expect_str_eq(strbuf_text(&line), expected);
    strbuf_done(&line);
}

static void add_verdict(const char *title, enum grade grade, const char *text)
{
    report_verdict(report, report_group(report, NULL, title), grade, "%s", text);
}

Test(summary, says_that_nothing_is_watched)
{
    struct strbuf line = {0};
    summary_write(&line, &(struct page){.now = 1000});
    cr_expect_str_eq(strbuf_text(&line), "Nothing is watched");
    strbuf_done(&line);
}

Test(summary, is_short_when_nothing_is_wrong)
{
    struct page_target target = repository();
    add_verdict("repo1 nas", GRADE_OK, "looks restorable");
    expect_summary(&target, "OK: nothing known to be wrong");
}

Test(summary, names_the_worst_finding_and_how_many_are_as_bad)
{
    struct page_target target = repository();
    add_verdict("repo1 nas", GRADE_WARNING, "late");
    add_verdict("repo2 r2", GRADE_FAILED, "NOT restorable: no full backup");
    add_verdict("repo3", GRADE_FAILED, "NOT restorable: gone");
    expect_summary(&target, "Failed (2): main, repo2 r2: NOT restorable: no full backup");
}

Test(summary, a_target_that_was_not_looked_at_is_unknown)
{
    struct page_target target = repository();
    target.has_run = false;
    expect_summary(&target, "Unknown: backups main/repo1: not looked at yet");
}

Test(summary, what_was_known_before_is_said_to_be_old)
{
    struct page_target target = repository();
    target.current = false;
    add_verdict("repo1 nas", GRADE_OK, "looks restorable");
    expect_summary(&target, "Unknown: main, repo1 nas: last known: looks restorable");
}

Test(summary, a_failure_is_told_with_its_error_in_one_line)
{
    struct page_target target = repository();
    target.report = NULL;
    target.outcome = RUN_FAILED;
    target.error = "first line\nsecond line";
    struct strbuf line = summary_of(&target);
    cr_expect(strstr(strbuf_text(&line), "backups main/repo1: first line second line"), "%s",
              strbuf_text(&line));
    strbuf_done(&line);
}

Test(summary, what_is_long_is_cut_at_a_character)
{
    struct strbuf text = {0};
    for (int i = 0; i < 200; i++)
        strbuf_puts(&text, "€");
    for (int shift = 0; shift < 3; shift++) {
        struct report *shifted = report_new();
        struct page_target target = repository();
        target.report = shifted;
        report_verdict(shifted, NULL, GRADE_FAILED, "%.*s%s", shift, "xx", strbuf_text(&text));
        struct strbuf line = summary_of(&target);
        cr_expect_leq(line.length, (size_t)SUMMARY_MOST_BYTES);
        cr_expect_geq(line.length, (size_t)SUMMARY_MOST_BYTES - 3);
        cr_expect_str_eq(line.data + line.length - strlen("€..."), "€...");
        strbuf_done(&line);
        report_free(shifted);
    }
    strbuf_done(&text);
}
