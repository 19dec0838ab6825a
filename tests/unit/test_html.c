#include "exporter/web/html.h"

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"

#define REPLACED "\xEF\xBF\xBD"

struct escape_case {
    const char *text;
    const char *html;
};

typedef void escape_function(struct strbuf *out, const char *text);

static void expect_each(escape_function *escape, const struct escape_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct strbuf out = {0};
        escape(&out, cases[i].text);
        cr_expect_str_eq(strbuf_text(&out), cases[i].html, "case %zu: %s", i, strbuf_text(&out));
        strbuf_done(&out);
    }
}

Test(html, what_a_browser_would_act_on_is_escaped)
{
    static const struct escape_case cases[] = {
        {"a < b & c > d", "a &lt; b &amp; c &gt; d"},
        {"\"quoted\" 'too'", "&quot;quoted&quot; &#39;too&#39;"},
        {"&lt;", "&amp;lt;"},
        {"</pre><script>", "&lt;/pre&gt;&lt;script&gt;"},
    };
    expect_each(html_escape, cases, COUNT_OF(cases));
}

Test(html, other_text_stays_as_it_is)
{
    static const struct escape_case cases[] = {
        {"", ""},
        {NULL, ""},
        {"two\nlines\tand a tab", "two\nlines\tand a tab"},
        {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x98", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x98"},
    };
    expect_each(html_escape, cases, COUNT_OF(cases));
}

Test(html, what_is_no_printable_text_is_replaced)
{
    static const struct escape_case cases[] = {
        {"\x1b[2J", REPLACED "[2J"},
        {"a\xff", "a" REPLACED},
        {"cut \xE2\x80", "cut " REPLACED REPLACED},
        {"\xC2", REPLACED},
    };
    expect_each(html_escape, cases, COUNT_OF(cases));
}

Test(html, characters_that_turn_the_direction_of_writing_are_replaced)
{
    static const struct escape_case cases[] = {
        {"\xD8\x9C", REPLACED},                                        /* U+061C */
        {"\xE2\x80\x8E\xE2\x80\x8F", REPLACED REPLACED},               /* U+200E, U+200F */
        {"rm \xE2\x80\xAA\xE2\x80\xAE/", "rm " REPLACED REPLACED "/"}, /* U+202A, U+202E */
        {"\xE2\x81\xA6\xE2\x81\xA9", REPLACED REPLACED},               /* U+2066, U+2069 */
        {"\xE2\x80\x93\xE2\x81\xAA\xD8\x9B", "\xE2\x80\x93\xE2\x81\xAA\xD8\x9B"},
    };
    expect_each(html_escape, cases, COUNT_OF(cases));
}

Test(html, of_several_lines_the_first_is_shown_and_the_rest_marked)
{
    static const struct escape_case cases[] = {
        {"one", "one"},    {"one\n", "one"}, {"one\r\n\n", "one"}, {"<1>\n<2>", "&lt;1&gt; ..."},
        {"\ntwo", " ..."}, {NULL, ""},
    };
    expect_each(html_escape_line, cases, COUNT_OF(cases));
}

Test(html, a_buffer_that_is_full_has_failed)
{
    struct strbuf out = {.limit = 4};
    html_escape(&out, "<");
    cr_expect_not(out.failed);
    html_escape(&out, "<");
    cr_expect(out.failed);
    strbuf_done(&out);
}
