#include <criterion/criterion.h>
#include <math.h>

#include "exporter/report/span.h"

Test(span, two_units_at_most_are_said_and_none_is_rounded_up)
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
        span_add(&text, cases[i].seconds);
        cr_expect_str_eq(strbuf_text(&text), cases[i].expected);
        strbuf_done(&text);
    }
}

Test(span, what_is_no_length_of_time_is_nothing)
{
    struct strbuf text = {0};
    span_add(&text, -5);
    span_add(&text, NAN);
    cr_expect_str_eq(strbuf_text(&text), "0 s0 s");
    strbuf_done(&text);
}
