#include "exporter/web/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"
#include "tests/unit/page_fixture.h"

#define HOUR 3600.0
#define DAY  86400.0

static struct report *report_saying(enum grade grade, const char *text)
{
    struct report *report = new_report();
    report_verdict(report, NULL, grade, "%s", text);
    return report;
}

static struct page_target sound(const char *collector, const char *name,
                                const struct report *report)
{
    return target_that_ran("main", collector, name, report);
}

static struct page_target down(const char *name, const char *error, const struct report *before)
{
    struct page_target target = sound("backups", name, NULL);
    target.outcome = RUN_DOWN;
    target.error = error;
    target.last_good_at = NOW - 3 * HOUR;
    target.last_good_report = before;
    return target;
}

static struct page_target failed(const char *name, const char *error, const struct report *before)
{
    struct page_target target = down(name, error, before);
    target.outcome = RUN_FAILED;
    target.failures = 3;
    return target;
}

static char *render(const struct page_target *targets, size_t count)
{
    struct strbuf out = {0};
    struct page page = {.program = "pgbackup_exporter",
                        .version = "1.2.3",
                        .group_noun = "Stanza",
                        .now = NOW,
                        .targets = targets,
                        .target_count = count};
    page_render(&out, &page);
    cr_assert_not(out.failed);
    return strbuf_steal(&out);
}

static bool has(const char *html, const char *part)
{
    return strstr(html, part) != NULL;
}

/* From the first `from` up to the next `to`; "" when there is none. Freed by the caller. */
static char *between(const char *html, const char *from, const char *to)
{
    const char *start = strstr(html, from);
    const char *end = start ? strstr(start, to) : NULL;
    return end ? strndup(start, (size_t)(end - start)) : strdup("");
}

static char *headline_of(const char *html)
{
    return between(html, "<div class=\"headline", "</div>");
}

/* Whether the page of one target has such a headline and part. */
static void expect_page(struct page_target target, const char *headline, const char *part)
{
    char *html = render(&target, 1);
    char *top = headline_of(html);
    cr_expect(has(top, headline), "%s", top);
    cr_expect(has(html, part), "%s", html);
    free(top);
    free(html);
}

TestSuite(page, .fini = free_reports);

/* The headline */

Test(page, the_headline_is_the_worst_grade_in_words)
{
    static const struct {
        enum grade grade;
        const char *words;
    } cases[] = {
        {GRADE_PROVEN, "<strong class=\"grade proven\">Proven</strong> everything was tried"},
        {GRADE_OK, "<strong class=\"grade ok\">OK</strong> nothing is known to be wrong"},
        {GRADE_UNKNOWN, "<strong class=\"grade unknown\">Unknown</strong> not everything"},
        {GRADE_WARNING, "<strong class=\"grade warning\">Warning</strong> something needs"},
        {GRADE_FAILED, "<strong class=\"grade failed\">Failed</strong> something needs you now"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct page_target targets[] = {
            sound("backups", "main/repo1", report_saying(GRADE_PROVEN, "fine")),
            sound("backups", "main/repo2", report_saying(cases[i].grade, "as it is")),
        };
        char *html = render(targets, COUNT_OF(targets));
        char *top = headline_of(html);
        cr_expect(has(top, cases[i].words), "%s", top);
        free(top);
        free(html);
    }
}

Test(page, the_title_says_the_worst_grade_too)
{
    expect_page(sound("wal", "main/repo1", report_saying(GRADE_FAILED, "a gap")), "",
                "<title>Failed - pgbackup_exporter</title>");
}

Test(page, the_headline_counts_the_verdicts_of_each_grade)
{
    struct report *report = report_saying(GRADE_FAILED, "one");
    report_verdict(report, report_group(report, NULL, "deeper"), GRADE_FAILED, "two");
    report_verdict(report, NULL, GRADE_OK, "three");
    expect_page(sound("wal", "main/repo1", report), "<p class=\"counts\">2 failed, 1 ok</p>", "");
}

Test(page, problems_are_listed_worst_first_with_a_link_to_their_card)
{
    struct page_target targets[] = {
        sound("backups", "main/repo1", report_saying(GRADE_WARNING, "late")),
        sound("backups", "main/repo2", report_saying(GRADE_FAILED, "NOT restorable")),
        sound("backups", "main/repo3", report_saying(GRADE_OK, "looks restorable")),
    };
    char *html = render(targets, COUNT_OF(targets));
    char *top = headline_of(html);
    const char *worst = strstr(top, "<a href=\"#t1\">backups main/repo2</a>: NOT restorable");
    cr_assert_not_null(worst, "%s", top);
    cr_expect(has(worst, "<a href=\"#t0\">backups main/repo1</a>: late"));
    cr_expect_not(has(top, "looks restorable"));
    cr_expect(has(html, "id=\"t0\"") && has(html, "id=\"t1\""));
    free(top);
    free(html);
}

/* What is not known is not good */

Test(page, a_page_without_targets_is_unknown_and_says_so)
{
    static const char *const notices[] = {
        "no stanza is configured: /etc/pgbackrest.conf names none", NULL};
    struct strbuf out = {0};
    struct page page = {.program = "pgbackup_exporter",
                        .version = "1.2.3",
                        .group_noun = "Stanza",
                        .now = NOW,
                        .notices = notices};
    page_render(&out, &page);
    const char *html = strbuf_text(&out);
    cr_expect(has(html, "<div class=\"headline unknown\">"));
    cr_expect(has(html, "Unknown</strong> nothing is watched"));
    cr_expect(has(html, "<p class=\"notice\">no stanza is configured: /etc/pgbackrest.conf"));
    cr_expect_not(has(html, "class=\"grade ok\""));
    strbuf_done(&out);
}

Test(page, a_sound_target_without_a_verdict_does_not_make_the_page_good)
{
    expect_page(sound("archiver", "main", new_report()), "Unknown</strong> not everything", "");
}

Test(page, before_the_first_run_it_says_that_nothing_has_been_looked_at)
{
    expect_page((struct page_target){.group = "main", .collector = "wal", .target = "main/repo1"},
                "Unknown</strong> nothing has been looked at yet", "");
}

Test(page, a_target_that_has_not_run_yet_is_unknown)
{
    expect_page((struct page_target){.group = "", .collector = "wal", .target = "main/repo1"},
                "Unknown</strong> <a href=\"#t0\">wal main/repo1</a>: has not been looked at yet",
                "not yet</a>");
}

Test(page, of_a_failed_look_the_last_known_verdict_is_said_to_be_old)
{
    const struct report *before = report_saying(GRADE_PROVEN, "PROVEN (drill 3 d ago)");
    expect_page(failed("main/repo1", "took over 60000 ms", before),
                "Unknown</strong> <a href=\"#t0\">backups main/repo1</a>: unknown since <time "
                "datetime=\"2026-11-22T17:30:00Z\">2026-11-22 17:30:00 UTC</time> <span "
                "class=\"age\">(3 h ago)</span>, last known: PROVEN (drill 3 d ago)",
                "could not be looked at: took over 60000 ms");
}

Test(page, what_was_known_as_failed_stays_failed_while_it_cannot_be_looked_at)
{
    const struct report *before = report_saying(GRADE_FAILED, "NOT restorable");
    expect_page(failed("main/repo1", "took too long", before), "Failed</strong> something needs",
                "last known: NOT restorable");
}

Test(page, a_failed_look_without_anything_known_before_is_unknown)
{
    expect_page(failed("main/repo1", "no such program", NULL),
                "Unknown</strong> <a href=\"#t0\">backups main/repo1</a>: could not be looked at: "
                "no such program",
                "<article class=\"card unknown\"");
}

Test(page, what_is_down_has_failed_and_its_last_known_verdict_is_unknown)
{
    const struct report *before = report_saying(GRADE_OK, "looks restorable");
    expect_page(down("main/repo2", "connection refused", before),
                "<p class=\"counts\">1 failed, 1 unknown</p>", "down: connection refused");
}

Test(page, what_is_down_by_its_own_verdict_is_not_said_to_be_twice)
{
    struct page_target target = down("main/repo2", "connection refused", NULL);
    target.report = report_saying(GRADE_WARNING, "not reachable");
    expect_page(target, "<p class=\"counts\">1 warning</p>", "not reachable");
}

Test(page, an_outdated_verdict_is_of_the_past_though_its_run_went_well)
{
    struct page_target target = sound("wal", "main/repo1", report_saying(GRADE_OK, "no gap"));
    target.current = false;
    target.started_at = NOW - 2 * DAY - HOUR;
    target.running_s = 4000;
    expect_page(target, "(2 d 1 h ago)</span>, last known: no gap", "running for 1 h 6 min");
    expect_page(target, "<strong class=\"grade unknown\">", "out of date</a>");
}

Test(page, what_is_unknown_never_has_the_colour_of_good)
{
    const struct report *good = report_saying(GRADE_OK, "fine");
    struct page_target targets[] = {
        failed("a", "x", good),
        down("b", "x", good),
        {.group = "main", .collector = "wal", .target = "c"},
    };
    char *html = render(targets, COUNT_OF(targets));
    cr_expect_not(has(html, "class=\"grade ok\""));
    cr_expect_not(has(html, "class=\"card ok"));
    cr_expect_not(has(html, "class=\"headline ok"));
    free(html);
}

/* Cards */

Test(page, of_a_long_error_the_first_line_is_shown_and_the_whole_is_folded_away)
{
    struct page_target target = failed("main/repo1", "first\nsecond", NULL);
    expect_page(target, "could not be looked at: first ...</li>", "<pre>first\nsecond</pre>");
}

Test(page, an_error_that_a_verdict_tells_is_not_said_again)
{
    struct page_target target = down("main", "connection refused", NULL);
    struct report *report = new_report();
    report_verdict(report, NULL, GRADE_UNKNOWN, "not asked: connection refused");
    target.report = report;
    char *html = render(&target, 1);
    cr_expect_not(has(html, "down: connection refused"), "%s", html);
    cr_expect_not(has(html, "The whole error"), "%s", html);
    free(html);
}

Test(page, a_report_that_says_nothing_has_no_card)
{
    struct report *report = new_report();
    report_group(report, NULL, "Commands by run");
    struct page_target target = sound("commands", "main/repo1", report);
    char *html = render(&target, 1);
    cr_expect_not(has(html, "<article"), "%s", html);
    cr_expect(has(html, "<td>ok</td>"), "%s", html);
    free(html);
}

Test(page, a_card_takes_the_title_of_the_only_group)
{
    struct report *report = new_report();
    report_verdict(report, report_group(report, NULL, "repo2 r2 (s3)"), GRADE_OK, "fine");
    struct page_target target = sound("backups", "main/repo2", report);
    char *html = render(&target, 1);
    cr_expect(has(html, "<h3>repo2 r2 (s3)</h3>"));
    cr_expect_not(has(html, "<h4>"));
    cr_expect(has(html, "<p class=\"origin\">backups main/repo2, looked at 5 s ago</p>"));
    free(html);
}

/* Order */

Test(page, targets_are_grouped_leaders_first_and_the_rest_last)
{
    struct page_target targets[] = {
        sound("mount", "/mnt/nas", report_saying(GRADE_OK, "mounted")),
        sound("archiver", "main", report_saying(GRADE_OK, "archiving works")),
        sound("archiver", "other", report_saying(GRADE_OK, "archiving works")),
        sound("verdict", "main", report_saying(GRADE_OK, "looks restorable")),
    };
    targets[0].group = "";
    targets[2].group = "other";
    targets[3].leads = true;
    char *html = render(targets, COUNT_OF(targets));
    static const char *const order[] = {"<h2>Stanza main</h2>",    "<h3>verdict main</h3>",
                                        "<h3>archiver main</h3>",  "<h2>Stanza other</h2>",
                                        "<h3>archiver other</h3>", "<h2>Other</h2>",
                                        "<h3>mount /mnt/nas</h3>", ">Collectors</h2>"};
    const char *at = html;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        at = strstr(at, order[i]);
        cr_assert_not_null(at, "%s is not where it should be", order[i]);
    }
    free(html);
}

Test(page, each_collector_has_its_row)
{
    struct page_target target = failed("main/repo1", "took too long", NULL);
    expect_page(target, "",
                "<tr><th scope=\"row\">backups</th><td>main/repo1</td><td><a href=\"#t0\">failed"
                "</a></td><td>5 s ago</td><td class=\"number\">32 ms</td><td class=\"number\">3"
                "</td></tr>");
}

/* Text from outside */

#define HOSTILE "</pre></code></style><script>alert(1)</script>\" onmouseover='x' & \x1b[2J\xff"
#define HARMLESS                                                                                   \
    "&lt;/pre&gt;&lt;/code&gt;&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; "          \
    "onmouseover=&#39;x&#39; &amp; \xEF\xBF\xBD[2J\xEF\xBF\xBD"

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        found++;
    return found;
}

Test(page, every_text_from_outside_is_escaped_wherever_it_stands)
{
    static const char *const notices[] = {HOSTILE, NULL};
    struct report *report = new_report();
    struct report_item *group = report_group(report, NULL, HOSTILE);
    report_verdict(report, group, GRADE_FAILED, "%s", HOSTILE);
    report_fact(report, group, HOSTILE, "%s", HOSTILE);
    report_time(report, group, HOSTILE, NOW);
    report_event(report, group, HOSTILE, HOSTILE, NOW, NOW);
    report_step(report, group, HOSTILE, HOSTILE);
    report_detail(report, group, HOSTILE, HOSTILE);
    report_group(report, group, HOSTILE);
    struct page_target targets[] = {
        sound(HOSTILE, HOSTILE, report),
        failed(HOSTILE, HOSTILE, report),
    };
    targets[0].group = HOSTILE;
    struct strbuf out = {0};
    struct page page = {.program = HOSTILE,
                        .version = HOSTILE,
                        .host = HOSTILE,
                        .metrics_path = HOSTILE,
                        .group_noun = HOSTILE,
                        .now = NOW,
                        .notices = notices,
                        .targets = targets,
                        .target_count = COUNT_OF(targets)};
    page_render(&out, &page);
    const char *html = strbuf_text(&out);
    cr_expect_eq(count(html, "<script"), 0);
    cr_expect_eq(count(html, "onmouseover='"), 0);
    cr_expect_eq(count(html, "\x1b"), 0);
    cr_expect_eq(count(html, "\xff"), 0);
    cr_expect_eq(count(html, "</style>"), 1);
    cr_expect_geq(count(html, HARMLESS), 30);
    strbuf_done(&out);
}

Test(page, it_needs_no_script_and_nothing_from_elsewhere)
{
    struct page_target target = sound("wal", "main/repo1", report_saying(GRADE_OK, "no gap"));
    char *html = render(&target, 1);
    cr_expect_eq(count(html, "<script"), 0);
    cr_expect_eq(count(html, "src="), 0);
    cr_expect_eq(count(html, "url("), 0);
    cr_expect_eq(count(html, "@import"), 0);
    cr_expect_eq(count(html, "://"), 0);
    cr_expect_eq(count(html, "<style>"), 1);
    free(html);
}

Test(page, running_out_of_room_shows_as_a_failure)
{
    struct page_target target = sound("wal", "main/repo1", report_saying(GRADE_OK, "no gap"));
    struct page page = {.program = "p",
                        .version = "1",
                        .group_noun = "Stanza",
                        .now = NOW,
                        .targets = &target,
                        .target_count = 1};
    struct strbuf whole = {0};
    page_render(&whole, &page);
    for (size_t limit = 1; limit <= whole.length; limit++) {
        struct strbuf out = {.limit = limit};
        page_render(&out, &page);
        cr_assert_eq(out.failed, limit < whole.length, "limit %zu", limit);
        strbuf_done(&out);
    }
    strbuf_done(&whole);
}

/* Fleets */

#define FLEET 1000

static char fleet_names[FLEET][16];
static struct page_target fleet_targets[FLEET * 3];

/* The last stanza of many is the only one that is not well. */
static struct page fleet(void)
{
    const struct report *good = report_saying(GRADE_OK, "looks restorable");
    const struct report *bad = report_saying(GRADE_FAILED, "NOT restorable: <gone>");
    for (size_t i = 0; i < FLEET; i++) {
        snprintf(fleet_names[i], sizeof fleet_names[i], "stanza & %zu", i);
        for (size_t j = 0; j < 3; j++) {
            struct page_target *target = &fleet_targets[i * 3 + j];
            *target = sound("wal", fleet_names[i], i + 1 < FLEET ? good : bad);
            target->group = fleet_names[i];
        }
    }
    return (struct page){.program = "p",
                         .version = "1",
                         .group_noun = "Stanza",
                         .now = NOW,
                         .targets = fleet_targets,
                         .target_count = COUNT_OF(fleet_targets)};
}

static char *render_page(const struct page *page)
{
    struct strbuf out = {0};
    page_render(&out, page);
    cr_assert_not(out.failed);
    return strbuf_steal(&out);
}

Test(page, of_a_fleet_the_worst_stanza_comes_first_and_the_rest_in_lines)
{
    struct page page = fleet();
    char *html = render_page(&page);
    const char *worst = strstr(html, "<h2>Stanza stanza &amp; 999</h2>");
    const char *next = strstr(html, "<h2>Stanza stanza &amp; 0</h2>");
    cr_assert(worst && next && worst < next);
    cr_expect(has(html, "<li><strong class=\"grade ok\">OK</strong> "
                        "<a href=\"?stanza=stanza%20%26%20998\">stanza &amp; 998</a></li>"));
    cr_expect(has(html, "<a href=\"?stanza=stanza%20%26%20999\">wal stanza &amp; 999</a>: NOT"));
    free(html);
}

Test(page, of_a_fleet_it_stays_small)
{
    struct page page = fleet();
    char *html = render_page(&page);
    cr_expect_lt(strlen(html), 256 * 1024, "%zu bytes", strlen(html));
    free(html);
}

Test(page, about_one_stanza_it_shows_that_one_and_what_belongs_to_none)
{
    struct page page = fleet();
    page.only = "stanza & 998";
    fleet_targets[0].group = "";
    char *html = render_page(&page);
    cr_expect(has(html, "<h2>Stanza stanza &amp; 998</h2>"));
    cr_expect(has(html, "<h2>Other</h2>"));
    cr_expect_not(has(html, "stanza &amp; 999"));
    cr_expect(has(html, "OK</strong> nothing is known to be wrong"));
    free(html);
}

Test(page, a_stanza_that_nobody_watches_is_unknown_however_good_the_rest_is)
{
    struct page page = fleet();
    page.only = "typo";
    fleet_targets[0].group = "";
    char *html = render_page(&page);
    cr_expect(has(html, "<title>Unknown - "), "%s", html);
    cr_expect(has(html, "Unknown</strong> nothing of this name is watched"), "%s", html);
    cr_expect_not(has(html, "class=\"headline ok"));
    cr_expect_not(has(html, "<ul class=\"problems\">\n</ul>"));
    free(html);
}

Test(page, a_stanza_in_one_line_says_why_it_is_bad_cut_to_a_length)
{
    struct page page = fleet();
    struct strbuf text CLEANUP(strbuf_done) = {0};
    while (text.length < 500)
        strbuf_puts(&text, "\xC3\xA4\xE2\x82\xAC<");
    const struct report *bad = report_saying(GRADE_WARNING, strbuf_text(&text));
    for (size_t i = 0; i < 20 * 3; i++)
        fleet_targets[i].report = bad;
    char *html = render_page(&page);
    char *line = between(html, "stanza%20%26%2015\">stanza &amp; 15</a>: ", "</li>");
    cr_expect_str_eq(line + strlen(line) - 4, " ...");
    cr_expect_lt(strlen(line), 400);
    free(line);
    free(html);
}

Test(page, verdicts_are_shown_the_worst_first)
{
    struct report *report = report_saying(GRADE_OK, "looks restorable");
    report_verdict(report, NULL, GRADE_FAILED, "segments are missing");
    struct page_target target = sound("wal", "main/repo1", report);
    char *html = render(&target, 1);
    char *card = between(html, "<article", "</article>");
    cr_expect_lt(strstr(card, "segments are missing"), strstr(card, "looks restorable"));
    free(card);
    free(html);
}

Test(page, a_verdict_says_how_long_ago_the_moment_was_that_it_names)
{
    struct report *report = new_report();
    report_verdict_of(report, NULL, GRADE_PROVEN, NOW - 3 * DAY,
                      "PROVEN (drill 2026-11-19 20:30 UTC, <41 min>)");
    expect_page(sound("wal", "main/repo1", report), "",
                "<p class=\"verdict\"><strong class=\"grade proven\">Proven</strong> (drill <span "
                "title=\"2026-11-19 20:30 UTC\">3 d ago</span>, &lt;41 min&gt;)</p>");
}

Test(page, of_many_events_the_newest_are_listed)
{
    struct report *report = new_report();
    for (int i = 0; i < 50; i++) {
        struct strbuf label CLEANUP(strbuf_done) = {0};
        strbuf_printf(&label, "backup %d.", i);
        report_event(report, NULL, "full", strbuf_text(&label), NOW - HOUR + i, NOW - HOUR + i);
    }
    struct page_target target = sound("wal", "main/repo1", report);
    char *html = render(&target, 1);
    cr_expect(has(html, "<td>backup 49.</td>") && has(html, "<td>backup 30.</td>"));
    cr_expect_not(has(html, "<td>backup 29.</td>"));
    cr_expect(has(html, "and 30 older ones"));
    free(html);
}

Test(page, of_two_collectors_of_one_target_the_leader_draws_the_time_line)
{
    struct report *report = new_report();
    report_event(report, NULL, "full", "b", NOW - HOUR, NOW - HOUR);
    struct page_target targets[] = {sound("backups", "main/repo1", report),
                                    sound("restorability", "main/repo1", report)};
    targets[1].leads = true;
    char *html = render(targets, COUNT_OF(targets));
    cr_expect_eq(count(html, "<svg class=\"line"), 1);
    cr_expect(has(html, "aria-labelledby=\"l1-t l1-d\""));
    free(html);
}
