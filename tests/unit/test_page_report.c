#include "exporter/web/page_report.h"

#include <string.h>

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"

#define NOW 1795379400.0 /* 2026-11-22 20:30:00 UTC */

static const struct page_view present = {.now = NOW};
static const struct page_view past = {.now = NOW, .past = true, .known_at = NOW - 3600};

static struct report *report;

static void make_report(void)
{
    report = report_new();
    cr_assert_not_null(report);
}

static void free_report(void)
{
    report_free(report);
}

/* Whether the whole report comes out as this HTML. */
static void expect_html(const struct page_view *view, const char *wanted)
{
    struct strbuf out = {0};
    page_add_group(&out, view, report->root, 4);
    cr_expect_str_eq(strbuf_text(&out), wanted, "%s", strbuf_text(&out));
    strbuf_done(&out);
}

TestSuite(page_report, .init = make_report, .fini = free_report);

Test(page_report, an_empty_report_is_nothing)
{
    expect_html(&present, "");
}

Test(page_report, a_verdict_says_its_grade_in_words_first)
{
    report_verdict(report, NULL, GRADE_FAILED, "a gap & more");
    expect_html(&present, "<p class=\"verdict\"><strong class=\"grade failed\">Failed</strong> "
                          "a gap &amp; more</p>\n");
}

Test(page_report, a_verdict_that_begins_with_its_grade_does_not_say_it_twice)
{
    report_verdict(report, NULL, GRADE_UNKNOWN, "unknown: nobody answers");
    expect_html(&present, "<p class=\"verdict\"><strong class=\"grade unknown\">Unknown</strong> "
                          "nobody answers</p>\n");
}

Test(page_report, a_verdict_that_begins_with_a_longer_word_keeps_it)
{
    report_verdict(report, NULL, GRADE_WARNING, "warnings were written");
    expect_html(&present, "<p class=\"verdict\"><strong class=\"grade warning\">Warning</strong> "
                          "warnings were written</p>\n");
}

Test(page_report, a_verdict_of_the_past_is_unknown_since_then)
{
    report_verdict(report, NULL, GRADE_PROVEN, "PROVEN");
    expect_html(&past, "<p class=\"verdict\"><strong class=\"grade unknown\">Unknown</strong> "
                       "unknown since <time datetime=\"2026-11-22T19:30:00Z\">2026-11-22 19:30:00 "
                       "UTC</time> <span class=\"age\">(1 h ago)</span>, last known: PROVEN</p>\n");
}

Test(page_report, grades_of_the_past_are_unknown_at_best_and_bad_ones_stay)
{
    static const enum grade shown[] = {
        [GRADE_NONE] = GRADE_NONE,       [GRADE_PROVEN] = GRADE_UNKNOWN,
        [GRADE_OK] = GRADE_UNKNOWN,      [GRADE_UNKNOWN] = GRADE_UNKNOWN,
        [GRADE_WARNING] = GRADE_WARNING, [GRADE_FAILED] = GRADE_FAILED,
    };
    for (enum grade grade = GRADE_NONE; grade <= GRADE_FAILED; grade++) {
        cr_expect_eq(page_view_grade(&past, grade), shown[grade], "grade %d", (int)grade);
        cr_expect_eq(page_view_grade(&present, grade), grade, "grade %d", (int)grade);
    }
}

Test(page_report, facts_are_a_list_of_names_and_values_and_times)
{
    report_fact(report, NULL, "Stored", "%d GiB", 12);
    report_time(report, NULL, "Last backup", NOW - 11520);
    report_time(report, NULL, "Last drill", 0);
    expect_html(&present,
                "<dl>\n<div><dt>Stored</dt><dd>12 GiB</dd></div>\n"
                "<div><dt>Last backup</dt><dd><time datetime=\"2026-11-22T17:18:00Z\">2026-11-22 "
                "17:18:00 UTC</time> <span class=\"age\">(3 h 12 min ago)</span></dd></div>\n"
                "<div><dt>Last drill</dt><dd>never</dd></div>\n</dl>\n");
}

Test(page_report, a_step_shows_its_command_if_it_has_one)
{
    report_step(report, NULL, "Take a backup now.", "pgbackup_exporter run -- backup");
    report_step(report, NULL, "Look at the disk.", NULL);
    expect_html(&present,
                "<ul class=\"steps\">\n<li>Take a backup now.<pre><code>pgbackup_exporter run -- "
                "backup</code></pre></li>\n<li>Look at the disk.</li>\n</ul>\n");
}

/* A line breaks behind a hyphen: who types "-- repo" from a phone gives another command. */
Test(page_report, an_option_of_a_command_is_kept_whole)
{
    report_step(report, NULL, "Restore", "run --repo=2 -- restore  --type='a&b'");
    expect_html(&present, "<ul class=\"steps\">\n<li>Restore<pre><code>run "
                          "<span>--repo=2</span> -- restore  "
                          "<span>--type=&#39;a&amp;b&#39;</span></code></pre></li>\n</ul>\n");
}

Test(page_report, a_detail_is_folded_away_whole)
{
    report_detail(report, NULL, "What pgbackrest said", "line 1\nline 2");
    expect_html(&present, "<details><summary>What pgbackrest said</summary><pre>line 1\nline 2"
                          "</pre></details>\n");
}

static bool comes_out_with(const char *part)
{
    struct strbuf out = {0};
    page_add_group(&out, &present, report->root, 4);
    bool found = strstr(strbuf_text(&out), part) != NULL;
    strbuf_done(&out);
    return found;
}

Test(page_report, events_are_a_table_and_only_spans_have_a_length)
{
    report_event(report, NULL, "full", "20261122-020000F", NOW - 86400, NOW - 86400 + 125);
    report_event(report, NULL, "gap", "one segment", NOW - 60, NOW - 60);
    cr_expect(comes_out_with("<th scope=\"row\">full</th><td>20261122-020000F</td><td><time "
                             "datetime=\"2026-11-21T20:30:00Z\">2026-11-21 20:30:00 UTC</time> "
                             "<span class=\"age\">(1 d ago)</span></td>"
                             "<td class=\"number\">2 min 5 s</td></tr>"));
    cr_expect(comes_out_with("(1 min ago)</span></td><td class=\"number\"></td></tr>"));
}

Test(page_report, what_to_do_comes_right_after_the_verdict_whatever_the_order_of_adding)
{
    report_detail(report, NULL, "Detail", "text");
    report_fact(report, NULL, "Fact", "value");
    report_step(report, NULL, "Step", NULL);
    report_verdict(report, NULL, GRADE_OK, "verdict");
    expect_html(&present,
                "<p class=\"verdict\"><strong class=\"grade ok\">OK</strong> verdict</p>\n"
                "<ul class=\"steps\">\n<li>Step</li>\n</ul>\n"
                "<dl>\n<div><dt>Fact</dt><dd>value</dd></div>\n</dl>\n"
                "<details><summary>Detail</summary><pre>text</pre></details>\n");
}

Test(page_report, groups_in_groups_have_headings_that_descend_to_the_lowest)
{
    struct report_item *group = NULL;
    for (int i = 0; i < 5; i++)
        group = report_group(report, group, i % 2 ? "odd" : "even");
    cr_expect(comes_out_with("<h4>even</h4>"));
    cr_expect(comes_out_with("<h5>odd</h5>"));
    cr_expect(comes_out_with("<h6>even</h6>"));
    cr_expect(comes_out_with("<h6>odd</h6>"));
    cr_expect_not(comes_out_with("<h7>"));
}

Test(page_report, texts_that_are_missing_are_empty)
{
    report_event(report, NULL, NULL, NULL, NOW, NOW);
    report_step(report, NULL, NULL, NULL);
    report_detail(report, NULL, NULL, NULL);
    cr_expect(comes_out_with("<li></li>"));
    cr_expect(comes_out_with("<summary></summary><pre></pre>"));
}
