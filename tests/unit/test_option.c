#include <criterion/criterion.h>

#include "exporter/config/option.h"

static double parsed(const char *text)
{
    double seconds = -1;
    struct err err;
    cr_assert(option_parse_duration(text, &seconds, &err), "%s: %s", text, err.text);
    return seconds;
}

Test(option, durations_have_units)
{
    cr_expect_eq(parsed("15s"), 15);
    cr_expect_eq(parsed("5m"), 300);
    cr_expect_eq(parsed("27h"), 97200);
    cr_expect_eq(parsed("9d"), 777600);
    cr_expect_eq(parsed("500ms"), 0.5);
    cr_expect_eq(parsed("1.5h"), 5400);
}

Test(option, what_is_no_duration_is_refused)
{
    static const char *const wrong[] = {
        "",    "s",  "27x", "-5s", "5 s",  "1h30m", "1e3s", "0x5s",          "inf",
        "nan", "5S", "5.s", ".5s", "5sec", " 5s",   "5s ",  "9999999999999s"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        double seconds = -1;
        struct err err = {0};
        cr_expect_not(option_parse_duration(wrong[i], &seconds, &err), "%s", wrong[i]);
        cr_expect_eq(seconds, -1, "%s", wrong[i]);
        cr_expect_eq(err.code, ERR_CONFIG);
    }
}

Test(option, a_wrong_duration_says_what_is_allowed)
{
    double seconds;
    struct err err;
    cr_assert_not(option_parse_duration("27x", &seconds, &err));
    cr_expect_str_eq(err.text, "\"27x\" is not a duration (a number with s, m, h or d, like 90s or "
                               "27h)");
}

Test(option, a_bare_number_is_refused_with_the_reason)
{
    double seconds;
    struct err err;
    cr_assert_not(option_parse_duration("90", &seconds, &err));
    cr_expect_str_eq(err.text, "\"90\" has no unit, and it could mean seconds as well as hours "
                               "(write it with s, m, h or d, like 90s or 27h)");
}

Test(option, durations_are_written_in_their_longest_whole_unit)
{
    struct strbuf out CLEANUP(strbuf_done) = {0};
    static const double seconds[] = {97200, 604800, 60, 90, 0.5, 0};
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        option_format_duration(&out, seconds[i]);
        strbuf_putc(&out, ' ');
    }
    cr_expect_str_eq(strbuf_text(&out), "27h 7d 1m 90s 500ms 0s ");
}

/* One row of each type, set from a text. */
static const char *const colours[] = {"red", "green", NULL};

static const char *refusal(const struct option *option, void *field, const char *text)
{
    static struct err err;
    cr_assert_not(option_set(option, field, text, &err), "%s was taken", text);
    return err.text;
}

Test(option, integers_keep_their_limits)
{
    const struct option option = {.type = OPTION_INTEGER, .min = 1, .max = 256};
    int64_t field = 7;
    struct err err;
    static const char *const wrong[] = {"0",  "257", "-1",  "",    "1x",
                                        " 1", "+1",  "0x1", "1.0", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        refusal(&option, &field, wrong[i]);
    cr_expect_eq(field, 7);
    cr_expect_str_eq(refusal(&option, &field, "257"),
                     "\"257\" is not a whole number from 1 to 256");
    cr_assert(option_set(&option, &field, "256", &err));
    cr_expect_eq(field, 256);
}

Test(option, durations_keep_their_limits)
{
    const struct option option = {.type = OPTION_DURATION, .min = 1, .max = 604800};
    double field = 0;
    cr_expect_str_eq(refusal(&option, &field, "8d"), "\"8d\" is not a duration from 1s to 7d");
    cr_expect_str_eq(refusal(&option, &field, "500ms"),
                     "\"500ms\" is not a duration from 1s to 7d");
    cr_expect_eq(field, 0);
}

Test(option, a_choice_lists_what_there_is)
{
    const struct option option = {.type = OPTION_CHOICE, .choices = colours};
    char *field = NULL;
    cr_expect_str_eq(refusal(&option, &field, "blue"), "\"blue\" is not one of red, green");
    cr_expect_null(field);
}

Test(option, a_boolean_is_true_or_false_and_nothing_else)
{
    const struct option option = {.type = OPTION_BOOL};
    bool field = false;
    struct err err;
    cr_expect_str_eq(refusal(&option, &field, "yes"), "\"yes\" is not true or false");
    cr_expect(option_set(&option, &field, "true", &err) && field);
    cr_expect(option_set(&option, &field, "false", &err) && !field);
}

Test(option, a_path_is_absolute)
{
    const struct option option = {.type = OPTION_PATH};
    char *field = NULL;
    cr_expect_str_eq(refusal(&option, &field, "etc/x"), "\"etc/x\" is not an absolute path");
    cr_expect_str_eq(refusal(&option, &field, "$HOME/x"), "\"$HOME/x\" is not an absolute path");
    cr_expect_str_eq(refusal(&option, &field, ""), "\"\" is not an absolute path");
}

Test(option, a_path_may_begin_with_the_one_variable_that_its_row_allows)
{
    const struct option option = {.type = OPTION_PATH, .path_variable = "FOLDER"};
    char *field CLEANUP(secret_freep) = NULL;
    struct err err;
    cr_assert(option_set(&option, &field, "$FOLDER/r2", &err));
    cr_expect_str_eq(field, "$FOLDER/r2");
    cr_expect_str_eq(refusal(&option, &field, "$FOLDERX/r2"),
                     "\"$FOLDERX/r2\" is not an absolute path");
    cr_expect_str_eq(refusal(&option, &field, "$FOLDER"), "\"$FOLDER\" is not an absolute path");
}

Test(option, an_empty_text_is_refused)
{
    char *field = NULL;
    struct text_list list = {0};
    cr_expect_str_eq(refusal(&(struct option){.type = OPTION_TEXT}, &field, ""),
                     "must not be empty");
    cr_expect_str_eq(refusal(&(struct option){.type = OPTION_TEXTS}, &list, ""),
                     "must not be empty");
}

Test(option, a_secret_value_is_not_in_the_message)
{
    const struct option option = {.type = OPTION_CHOICE, .choices = colours, .secret = true};
    char *field = NULL;
    cr_expect_str_eq(refusal(&option, &field, "password"), "the value is not one of red, green");
}

Test(option, setting_again_replaces_and_frees)
{
    const struct option option = {.type = OPTION_TEXT};
    char *field = NULL;
    struct err err;
    cr_assert(option_set(&option, &field, "one", &err));
    cr_assert(option_set(&option, &field, "two", &err));
    cr_expect_str_eq(field, "two");
    secret_free(field);
}

static const char *suggestion(const char *wrong)
{
    static const char *const names[] = {"command", "config", "stanzas", "user"};
    const char *best = NULL;
    size_t distance = OPTION_TOO_FAR;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        option_nearest(wrong, names[i], &distance, &best);
    return best;
}

Test(option, a_misspelt_name_finds_the_one_that_was_meant)
{
    cr_expect_str_eq(suggestion("comand"), "command");
    cr_expect_str_eq(suggestion("stanza"), "stanzas");
    cr_expect_str_eq(suggestion("usr"), "user");
}

Test(option, a_name_like_no_other_gets_no_suggestion)
{
    cr_expect_null(suggestion("x"));
    cr_expect_null(suggestion("repositories"));
    cr_expect_null(suggestion(""));
    cr_expect_null(suggestion("a-name-so-long-that-comparing-it-with-any-other-is-not-worth-the-"
                              "trouble"));
}
