#include "exporter/base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

static struct err err;

/* count times the character, as a string of its own. */
static char *repeated(const char *character, size_t count)
{
    struct strbuf text = {0};
    for (size_t i = 0; i < count; i++)
        strbuf_puts(&text, character);
    char *whole = strbuf_steal(&text);
    cr_assert_not_null(whole);
    return whole;
}

static void free_text(char **text)
{
    free(*text);
}

Test(err, keeps_code_and_text_and_says_false)
{
    cr_expect_not(err_set(&err, ERR_TIMEOUT, "repo%d took over %d ms", 2, 30000));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_str_eq(err.text, "repo2 took over 30000 ms");
}

Test(err, a_null_error_is_allowed_everywhere)
{
    cr_expect_not(err_set(NULL, ERR_OTHER, "x"));
    cr_expect_not(err_system(NULL, ENOENT, "x"));
    cr_expect_not(err_memory(NULL));
    cr_expect_not(err_prefix(NULL, "x"));
}

Test(err, its_own_text_can_be_a_value)
{
    err_set(&err, ERR_DNS, "inner");
    err_set(&err, ERR_CONNECT, "outer (%s)", err.text);
    cr_expect_str_eq(err.text, "outer (inner)");
    cr_expect_eq(err.code, ERR_CONNECT);
}

Test(err, a_system_error_ends_with_the_text_of_errno)
{
    cr_expect_not(err_system(&err, EACCES, "cannot open %s", "/x"));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect_str_eq(err.text, "cannot open /x: Permission denied");
}

Test(err, a_system_error_can_hold_its_own_text)
{
    err_set(&err, ERR_OTHER, "inner");
    err_system(&err, ENOENT, "outer (%s)", err.text);
    cr_expect_str_eq(err.text, "outer (inner): No such file or directory");
}

Test(err, a_prefix_keeps_the_code)
{
    err_set(&err, ERR_TLS, "certificate expired");
    cr_expect_not(err_prefix(&err, "repo%d", 2));
    cr_expect_eq(err.code, ERR_TLS);
    cr_expect_str_eq(err.text, "repo2: certificate expired");
}

Test(err, a_prefix_can_hold_the_errors_own_text)
{
    err_set(&err, ERR_TLS, "inner");
    err_prefix(&err, "about %s", err.text);
    cr_expect_str_eq(err.text, "about inner: inner");
}

Test(err, out_of_memory_has_its_fixed_text)
{
    cr_expect_not(err_memory(&err));
    cr_expect_eq(err.code, ERR_MEMORY);
    cr_expect_str_eq(err.text, "out of memory");
}

Test(err, a_text_of_exactly_the_size_is_kept_whole)
{
    char *text CLEANUP(free_text) = repeated("x", ERR_TEXT_SIZE - 1);
    err_set(&err, ERR_OTHER, "%s", text);
    cr_expect_str_eq(err.text, text);
}

Test(err, a_longer_text_is_cut)
{
    char *text CLEANUP(free_text) = repeated("x", ERR_TEXT_SIZE);
    err_set(&err, ERR_OTHER, "%s", text);
    cr_expect_eq(strlen(err.text), ERR_TEXT_SIZE - 1);
}

Test(err, a_long_text_is_never_cut_inside_a_character)
{
    static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        char *text CLEANUP(free_text) = repeated(characters[i], ERR_TEXT_SIZE);
        for (size_t shift = 0; shift < 4; shift++) {
            err_set(&err, ERR_OTHER, "%.*s%s", (int)shift, "xxx", text);
            size_t kept = strlen(err.text) - shift;
            cr_expect_eq(kept % strlen(characters[i]), 0);
            cr_expect_gt(kept + shift, ERR_TEXT_SIZE - 5);
        }
    }
}

Test(err, prefixing_for_ever_stays_inside_the_text)
{
    err_set(&err, ERR_OTHER, "\xC3\xA9");
    for (int i = 0; i < 3000; i++)
        err_prefix(&err, "\xC3\xA9");
    cr_expect_lt(strlen(err.text), ERR_TEXT_SIZE);
    cr_expect_eq(utf8_whole_length(err.text, strlen(err.text)), strlen(err.text));
}

Test(err, a_value_that_cannot_be_formatted_makes_an_empty_text)
{
    memset(err.text, 'x', sizeof err.text - 1);
    err_set(&err, ERR_OTHER, "half %lc", (wint_t)0x20AC); /* not in the C locale */
    cr_expect_str_eq(err.text, "");
}

Test(err, a_code_from_nowhere_becomes_other)
{
    enum err_code wrong = (enum err_code)(ERR_CODE_COUNT + 5);
    err_set(&err, wrong, "x");
    cr_expect_eq(err.code, ERR_OTHER);
    cr_expect_str_eq(err_reason(wrong), "other");
    cr_expect_str_eq(err_name(wrong), "ERR_OTHER");
    cr_expect_str_eq(err_meaning(wrong), "an error of no known kind");
}

Test(err, every_code_but_none_has_a_reason_a_name_and_a_meaning)
{
    cr_expect_str_eq(err_reason(ERR_NONE), "");
    for (int code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++) {
        cr_expect_str_not_empty(err_reason((enum err_code)code));
        cr_expect_str_not_empty(err_meaning((enum err_code)code));
        cr_expect_eq(strncmp(err_name((enum err_code)code), "ERR_", 4), 0);
    }
}

Test(err, reasons_are_from_the_closed_table_of_the_metrics)
{
    static const char table[] =
        " timeout stuck connect dns tls auth bucket permission clock_skew redirect "
        "missing_stanza_path missing_stanza_data no_backup crypto config not_mounted stale "
        "protocol other ";
    for (int code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++) {
        char word[64];
        snprintf(word, sizeof word, " %s ", err_reason((enum err_code)code));
        cr_expect_not_null(strstr(table, word), "%s", word);
    }
}
