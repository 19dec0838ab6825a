#include "exporter/web/page_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"

#define NOW  1795379400.0 /* 2026-11-22 20:30:00 UTC */
#define HOUR 3600.0
#define DAY  86400.0

static void expect_text(struct strbuf *out, const char *wanted)
{
    cr_expect_str_eq(strbuf_text(out), wanted, "%s is not %s", strbuf_text(out), wanted);
    strbuf_done(out);
}

Test(page_words, each_grade_has_a_word_and_a_class)
{
    static const char *const words[] = {
        [GRADE_NONE] = "",           [GRADE_PROVEN] = "Proven",   [GRADE_OK] = "OK",
        [GRADE_UNKNOWN] = "Unknown", [GRADE_WARNING] = "Warning", [GRADE_FAILED] = "Failed"};
    for (enum grade grade = GRADE_NONE; grade <= GRADE_FAILED; grade++)
        cr_expect_str_eq(page_grade_word(grade), words[grade]);
    cr_expect_str_eq(page_grade_class(GRADE_FAILED), "failed");
    cr_expect_str_eq(page_grade_class(GRADE_NONE), "none");
}

Test(page_words, a_grade_says_its_word_and_no_grade_says_nothing)
{
    struct strbuf out = {0};
    page_add_grade(&out, GRADE_WARNING);
    expect_text(&out, "<strong class=\"grade warning\">Warning</strong> ");
    page_add_grade(&out, GRADE_NONE);
    expect_text(&out, "");
}

Test(page_words, ages_have_two_units_at_most)
{
    static const struct {
        double age;
        const char *words;
    } cases[] = {
        {0, "0 s ago"},
        {0.7, "0 s ago"},
        {59.9, "59 s ago"},
        {60, "1 min ago"},
        {61, "1 min 1 s ago"},
        {HOUR - 1, "59 min 59 s ago"},
        {HOUR, "1 h ago"},
        {HOUR + 59, "1 h ago"},
        {3 * HOUR + 12 * 60, "3 h 12 min ago"},
        {DAY + 5, "1 d ago"},
        {400 * DAY + 2 * HOUR, "400 d 2 h ago"},
        {-90, "in 1 min 30 s"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct strbuf out = {0};
        page_add_age(&out, NOW - cases[i].age, NOW);
        expect_text(&out, cases[i].words);
    }
}

Test(page_words, durations_are_as_fine_as_they_are_short)
{
    static const struct {
        double seconds;
        const char *words;
    } cases[] = {
        {0, "0 ms"},       {0.0324, "32 ms"},  {0.9994, "999 ms"},
        {0.9996, "1.0 s"}, {3.44, "3.4 s"},    {59.94, "59.9 s"},
        {60, "1 min"},     {125, "2 min 5 s"}, {DAY, "1 d"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct strbuf out = {0};
        page_add_duration(&out, cases[i].seconds);
        expect_text(&out, cases[i].words);
    }
}

Test(page_words, a_time_is_utc_with_its_age)
{
    struct strbuf out = {0};
    page_add_time(&out, NOW - 3 * HOUR, NOW);
    expect_text(&out, "<time datetime=\"2026-11-22T17:30:00Z\">2026-11-22 17:30:00 UTC</time> "
                      "<span class=\"age\">(3 h ago)</span>");
}

Test(page_words, a_clock_is_utc_alone)
{
    struct strbuf out = {0};
    page_add_clock(&out, NOW);
    expect_text(&out, "<time datetime=\"2026-11-22T20:30:00Z\">2026-11-22 20:30:00 UTC</time>");
}

Test(page_words, what_is_no_time_is_never)
{
    static const double times[] = {0,          0.5, -5, 253402300800.0, 1e300, (double)INFINITY,
                                   (double)NAN};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct strbuf out = {0};
        page_add_time(&out, times[i], NOW);
        expect_text(&out, "never");
        page_add_clock(&out, times[i]);
        expect_text(&out, "never");
    }
}

Test(page_words, the_last_second_of_9999_is_a_time)
{
    struct strbuf out = {0};
    page_add_clock(&out, 253402300799.0);
    expect_text(&out, "<time datetime=\"9999-12-31T23:59:59Z\">9999-12-31 23:59:59 UTC</time>");
}

static char *local(const char *zone, double time)
{
    struct strbuf out = {0};
    setenv("TZ", zone, 1);
    tzset();
    page_add_local(&out, time);
    return strbuf_steal(&out);
}

Test(page_words, a_moment_is_said_by_the_clocks_of_the_host_too)
{
    char *text = local("XYZ-1", 1795379400);
    cr_expect_str_eq(text, " <span class=\"age\">(2026-11-22 21:30 XYZ here)</span>");
    free(text);
}

Test(page_words, where_the_clocks_show_utc_it_is_not_said_twice)
{
    char *text = local("UTC", 1795379400);
    cr_expect_str_eq(text, "");
    free(text);
}
