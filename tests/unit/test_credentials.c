#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/credentials.h"
#include "exporter/base/strbuf.h"

static struct credentials parse_bytes(const char *text, size_t length)
{
    struct credentials credentials = {0};
    struct err err = {0};
    cr_assert(credentials_parse(text, length, &credentials, &err), "%s", err.text);
    return credentials;
}

/* The value of A in a file. */
static void expect_value(const char *text, const char *value)
{
    struct credentials credentials = parse_bytes(text, strlen(text));
    const char *found = credentials_get(&credentials, "A");
    cr_assert_not_null(found, "A is not found in %s", text);
    cr_expect_str_eq(found, value, "%s gives %s, not %s", text, found, value);
    credentials_done(&credentials);
}

static struct err refuse(const char *text, size_t length)
{
    struct credentials credentials = {0};
    struct err err = {0};
    cr_assert_not(credentials_parse(text, length, &credentials, &err));
    cr_expect_eq(credentials.pairs.count, 0);
    cr_expect_eq(err.code, ERR_CONFIG);
    return err;
}

Test(credentials, values_are_read_as_systemd_reads_them)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"A=b", "b"},
        {"A=b\n", "b"},
        {"A=", ""},
        {"A=\n", ""},
        {"  A = b c  \n", "b c"},
        {"A=b\r\n", "b"},
        {"A='b c '\n", "b c "},
        {"A=\"b c \"\n", "b c "},
        {"A=\"b\" 'c'\n", "bc"},
        {"A=\"b\"c\n", "bc"},
        {"A=b\"c\"\n", "b\"c\""},
        {"A=b\\\nc\n", "bc"},
        {"A=\"b\\\nc\"\n", "bc"},
        {"A='b\nc'\n", "b\nc"},
        {"A='b\\'\n", "b\\"},
        {"A=b\\ \n", "b "},
        {"A=b\\\\c\n", "b\\c"},
        {"A=\"b\\\"c\\\\d\\$e\\`f\\n\"\n", "b\"c\\d$e`f\\n"},
        {"A=b#c ;d\n", "b#c ;d"},
        {"A=$B\n", "$B"},
        {"A=b=c==\n", "b=c=="},
        {"A=wJalr/K7+x\n", "wJalr/K7+x"},
        {"A=b\\", "b"},
        {"A=first\nA=last\n", "last"},
        {"# A=x\n;A=y\n\n\t\nA=b\n", "b"},
        {"# goes on\\\nA=b\n", "b"},
        {"A=\xff\xfe\n", "\xff\xfe"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_value(cases[i].text, cases[i].value);
}

Test(credentials, an_empty_file_holds_nothing)
{
    struct credentials credentials = parse_bytes("", 0);
    cr_expect_eq(credentials.pairs.count, 0);
    cr_expect_null(credentials_get(&credentials, "A"));
    credentials_done(&credentials);
}

Test(credentials, lines_that_are_no_assignment_are_passed_over_but_remembered)
{
    static const struct {
        const char *text;
        size_t line;
    } cases[] = {
        {"A=1\n", 0},          {"A=1\nnonsense\n", 2}, {"A=1\n\nnonsense", 3},
        {"export A=1\n", 1},   {"1A=1\n", 1},          {"=1\n", 1},
        {"A-B=1\nother\n", 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct credentials credentials = parse_bytes(cases[i].text, strlen(cases[i].text));
        cr_expect_eq(credentials.ignored_line, cases[i].line, "%s", cases[i].text);
        credentials_done(&credentials);
    }
}

Test(credentials, a_quote_that_is_never_closed_is_refused_with_its_line)
{
    static const char single[] = "A=1\nB='secret\n", twice[] = "A=\"1\"\n\nB=\"secret\\";
    struct err err = refuse(single, strlen(single));
    cr_expect_str_eq(err.text, "line 2 opens a quote that is never closed");
    err = refuse(twice, strlen(twice));
    cr_expect_str_eq(err.text, "line 3 opens a quote that is never closed");
}

Test(credentials, a_nul_byte_is_refused_with_its_line)
{
    static const char text[] = "A=1\nB=2\0003\n";
    struct err err = refuse(text, sizeof text - 1);
    cr_expect_str_eq(err.text, "line 2 holds a NUL byte");
}

Test(credentials, cut_at_every_byte_it_never_crashes)
{
    static const char text[] = "# c\n\n A = b\\\nc\nB=\"d\\\"e\" 'f'\nnonsense\nC=";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        char *part = malloc(cut ? cut : 1);
        struct credentials credentials = {0};
        struct err err = {0};
        memcpy(part, text, cut);
        if (credentials_parse(part, cut, &credentials, &err))
            credentials_done(&credentials);
        free(part);
    }
}

Test(credentials, a_huge_value_is_read_whole)
{
    size_t length = 65536;
    char *text = malloc(length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    memcpy(text, "A=", 2);
    expect_value(text, text + 2);
    free(text);
}
