#include <criterion/criterion.h>
#include <math.h>

#include "exporter/report/when.h"

Test(when, two_units_at_most_are_said_and_none_is_rounded_up)
{
    static const struct {
        double seconds;
        const char *expected;
    } cases[] = {
        {0, "0 s"},     {0.99, "0 s"},      {59.9, "59 s"},
        {60, "1 min"},  {61, "1 min 1 s"},  {3599, "59 min 59 s"},
        {3600, "1 h"},  {3659, "1 h"},      {11520, "3 h 12 min"},
        {86400, "1 d"}, {90000, "1 d 1 h"}, {864000, "10 d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        when_add_span(&text, cases[i].seconds);
        cr_expect_str_eq(strbuf_text(&text), cases[i].expected);
        strbuf_done(&text);
    }
}

Test(when, what_is_no_length_of_time_is_nothing)
{
    struct strbuf text = {0};
    when_add_span(&text, -5);
    when_add_span(&text, NAN);
    cr_expect_str_eq(strbuf_text(&text), "0 s0 s");
    strbuf_done(&text);
}

Test(when, a_moment_is_said_in_utc)
{
    static const struct {
        double time;
        const char *expected;
    } cases[] = {
        {1795375587.9, "2026-11-22 19:26 UTC"},
        {1, "1970-01-01 00:00 UTC"},
        {253402300799, "9999-12-31 23:59 UTC"},
        {253402300800, "never"},
        {0, "never"},
        {-1, "never"},
        {NAN, "never"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        when_add_utc(&text, cases[i].time);
        cr_expect_str_eq(strbuf_text(&text), cases[i].expected);
        strbuf_done(&text);
    }
}
