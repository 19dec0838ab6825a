#include "exporter/web/timeline_svg.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/page_fixture.h"

#define HOUR 3600.0

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

TestSuite(timeline_svg, .init = begin, .fini = end);

static void add(const char *kind, double time, double until)
{
    report_event(report, NULL, kind, "its label", time, until);
}

/* The row of what was added, on an axis of 1000 hours: an hour is a tenth of the width. */
static const char *row(void)
{
    timeline_svg_row(&out, &(struct timeline_axis){.first = NOW - 1000 * HOUR, .now = NOW},
                     &(struct timeline_row){.number = 7, .title = "nas", .report = report});
    return strbuf_text(&out);
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        found++;
    return found;
}

static void expect(const char *part)
{
    const char *svg = row();
    cr_expect(strstr(svg, part), "%s is not in\n%s", part, svg);
}

Test(timeline_svg, a_backup_stands_where_it_ended)
{
    add("full", NOW - 9 * HOUR, NOW - 8 * HOUR);
    expect("<use href=\"#s-full\" class=\"full\" x=\"78.30%\" y=\"32\"><title>full: its label, "
           "2026-11-22 11:30 UTC to 2026-11-22 12:30 UTC</title></use>");
}

Test(timeline_svg, the_last_hour_has_a_tenth_of_the_width)
{
    add("latest moment", NOW - HOUR, NOW - HOUR);
    expect("<rect class=\"lost\" x=\"87.90%\" y=\"24\" width=\"9.60%\"");
}

Test(timeline_svg, a_gap_too_short_to_be_seen_is_drawn_wide_enough)
{
    add("gap", NOW - 900 * HOUR, NOW - 900 * HOUR + 1);
    expect("<rect class=\"gap\" x=\"4.81%\" y=\"20\" width=\"0.60%\"");
}

Test(timeline_svg, marks_of_a_kind_in_one_place_are_drawn_once)
{
    for (int i = 0; i < 50; i++)
        add("incr", NOW - 900 * HOUR + i, NOW - 900 * HOUR + i);
    cr_expect_eq(count(row(), "#s-incr"), 1);
}

Test(timeline_svg, a_kind_that_it_does_not_know_is_a_dot)
{
    add("eclipse", NOW - HOUR, NOW - HOUR);
    expect("#s-other");
}

Test(timeline_svg, what_lies_outside_of_the_axis_stays_at_its_ends)
{
    add("full", NOW + 90 * HOUR, NOW + 90 * HOUR);
    add("full", 5, 5);
    cr_expect_eq(count(row(), "x=\"97.50%\" y=\"32\""), 1);
    cr_expect_eq(count(strbuf_text(&out), "x=\"1.50%\" y=\"32\""), 1);
}

Test(timeline_svg, it_is_said_in_words_what_is_drawn)
{
    add("full", NOW - 9 * HOUR, NOW - 8 * HOUR);
    add("incr", NOW - 2 * HOUR, NOW - 2 * HOUR);
    add("latest moment", NOW - HOUR, NOW - HOUR);
    expect("<title id=\"l7-t\">Time line of nas</title><desc id=\"l7-d\">Since 2026-11-22 11:30 "
           "UTC: 1 incr, 1 full. A restore reaches 2026-11-22 19:30 UTC. Now is 2026-11-22 20:30 "
           "UTC</desc>");
}

Test(timeline_svg, hostile_names_do_nothing)
{
    report_event(report, NULL, "<script>", "\"><script>alert(1)</script>", NOW - HOUR, NOW);
    timeline_svg_row(&out, &(struct timeline_axis){.first = NOW - 1000 * HOUR, .now = NOW},
                     &(struct timeline_row){.title = "</title><script>", .report = report});
    cr_expect_eq(count(strbuf_text(&out), "<script"), 0);
    cr_expect_eq(count(strbuf_text(&out), "&lt;script&gt;"), 3);
}

Test(timeline_svg, an_event_without_a_time_is_not_drawn)
{
    add("full", 0, 0);
    cr_expect_eq(timeline_count(report), 0);
    cr_expect_eq(timeline_first(report, NOW), NOW);
}

Test(timeline_svg, the_axis_is_labelled_for_narrow_and_for_wide_screens)
{
    timeline_svg_axis(&out, &(struct timeline_axis){.first = NOW - 1000 * HOUR, .now = NOW});
    cr_expect(strstr(strbuf_text(&out), ">6 h</text>"));
    cr_expect(strstr(strbuf_text(&out), "<text class=\"wide\" x=\"87.90%\""), "%s",
              strbuf_text(&out));
}

/* "15 min" is a seventh of what a phone of 360 pixels shows. */
Test(timeline_svg, labels_of_a_phone_do_not_touch)
{
    timeline_svg_axis(&out, &(struct timeline_axis){.first = NOW - 2 * HOUR, .now = NOW});
    cr_expect(strstr(strbuf_text(&out), "<text class=\"wide\" x=\"49.50%\""), "%s",
              strbuf_text(&out));
}

Test(timeline_svg, an_axis_without_length_is_drawn_without_harm)
{
    add("full", NOW, NOW);
    timeline_svg_axis(&out, &(struct timeline_axis){.first = NOW, .now = NOW});
    timeline_svg_row(&out, &(struct timeline_axis){.first = NOW, .now = NOW},
                     &(struct timeline_row){.title = "nas", .report = report});
    cr_expect_eq(count(strbuf_text(&out), "nan"), 0);
}
