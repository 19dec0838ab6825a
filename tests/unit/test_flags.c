#include <criterion/criterion.h>

#include "exporter/config/flags.h"

struct subject {
    char *text;
    bool yes;
    bool help;
    struct text_list list;
};

static const struct option group_rows[] = {
    {.key = "text",
     .type = OPTION_TEXT,
     .sources = OPTION_EVERYWHERE,
     .offset = offsetof(struct subject, text)},
    {.key = "yes",
     .type = OPTION_BOOL,
     .sources = OPTION_EVERYWHERE,
     .offset = offsetof(struct subject, yes)},
    {.key = "the-list",
     .type = OPTION_TEXTS,
     .sources = OPTION_EVERYWHERE,
     .fallback = "default",
     .offset = offsetof(struct subject, list)},
    {.key = "variable-only",
     .type = OPTION_TEXT,
     .sources = OPTION_IN_ENVIRONMENT,
     .offset = offsetof(struct subject, text)},
    {.key = "file-only", .type = OPTION_TEXT, .offset = offsetof(struct subject, text)},
};
static const struct option_table group_table = {group_rows, COUNT_OF(group_rows), 0};
static const struct option rows[] = {
    {.key = "help",
     .letter = 'h',
     .type = OPTION_BOOL,
     .sources = OPTION_IN_FLAG,
     .offset = offsetof(struct subject, help)},
    {.key = "a", .type = OPTION_SECTION, .section = &group_table},
};
static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct subject)};

static struct subject subject;
static struct problem_list problems;

/* Reads the environment and the arguments as a program would; the index of the first argument that
 * is no flag. Criterion runs each test in a process of its own. */
static int read_all(int argc, const char *const *argv)
{
    struct flags flags CLEANUP(flags_done) = {
        .table = &table, .base = &subject, .prefix = "TEST", .problems = &problems};
    struct err err;
    int rest = -1;
    cr_assert(option_defaults(&table, &subject, &err));
    cr_assert(flags_read_environment(&flags, &err));
    cr_assert(flags_read_arguments(&flags, argc, (char *const *)(uintptr_t)argv, &rest, &err));
    cr_assert(flags_apply(&flags, &err));
    return rest;
}

#define READ(...)                                                                                  \
    read_all((int)COUNT_OF(((const char *const[]){"program", __VA_ARGS__})),                       \
             (const char *const[]){"program", __VA_ARGS__})

static const char *told(void)
{
    static struct err err;
    return problem_none(&problems, &err) ? "" : err.text;
}

static void drop(void)
{
    option_free(&table, &subject);
    problem_list_done(&problems);
}

TestSuite(flags, .fini = drop);

Test(flags, a_value_follows_an_equals_sign_or_the_flag)
{
    READ("--a.text=one=two");
    cr_expect_str_eq(subject.text, "one=two");
    READ("--a.text", "next");
    cr_expect_str_eq(subject.text, "next");
    cr_expect_str_eq(told(), "");
}

Test(flags, the_last_of_two_wins)
{
    READ("--a.text=one", "--a.text=two");
    cr_expect_str_eq(subject.text, "two");
}

Test(flags, a_boolean_has_a_negation)
{
    READ("--a.yes");
    cr_expect(subject.yes);
    READ("--a.yes", "--no-a.yes");
    cr_expect_not(subject.yes);
}

Test(flags, a_boolean_takes_no_value)
{
    READ("--a.yes=true");
    cr_expect_str_eq(told(), "--a.yes: takes no value");
}

Test(flags, a_list_is_repeated_and_replaces_the_default)
{
    READ("--a.the-list=x", "--a.the-list", "y,z");
    cr_assert_eq(subject.list.count, 2);
    cr_expect_str_eq(subject.list.items[0], "x");
    cr_expect_str_eq(subject.list.items[1], "y,z");
}

Test(flags, what_was_not_given_keeps_its_default)
{
    READ("--a.yes");
    cr_assert_eq(subject.list.count, 1);
    cr_expect_str_eq(subject.list.items[0], "default");
}

Test(flags, they_end_at_the_command)
{
    cr_expect_eq(READ("--a.yes", "run", "--a.text=x"), 2);
    cr_expect_null(subject.text);
}

Test(flags, two_dashes_end_them_too)
{
    cr_expect_eq(READ("--a.yes", "--", "--a.text=x"), 3);
}

Test(flags, without_a_command_the_rest_is_empty)
{
    cr_expect_eq(READ("--a.yes"), 2);
    cr_expect_eq(read_all(0, NULL), 0);
}

Test(flags, a_letter_stands_for_a_flag)
{
    READ("-h");
    cr_expect(subject.help);
}

Test(flags, an_unknown_one_is_told_with_what_was_meant_and_without_its_value)
{
    READ("--a.txt=password", "--nothing-like-it", "-x", "--no-help", "--a.file-only=x");
    cr_expect_str_eq(told(), "--a.txt: unknown flag; did you mean --a.text?\n"
                             "--nothing-like-it: unknown flag; --help lists all\n"
                             "-x: unknown flag; --help lists all\n"
                             "--no-help: unknown flag; did you mean --help?\n"
                             "--a.file-only: unknown flag; --help lists all");
}

Test(flags, what_only_a_variable_can_say_is_no_flag)
{
    READ("--a.variable-only=x");
    cr_expect_str_eq(told(), "--a.variable-only: unknown flag; --help lists all");
    setenv("TEST_A_VARIABLE_ONLY", "y", 1);
    READ("--a.yes");
    cr_expect_str_eq(subject.text, "y");
}

Test(flags, a_missing_value_is_told)
{
    READ("--a.text");
    cr_expect_str_eq(told(), "--a.text: needs a value");
}

Test(flags, a_wrong_value_is_told)
{
    READ("--a.text=");
    cr_expect_str_eq(told(), "--a.text: must not be empty");
}

Test(flags, the_environment_gives_values_and_a_flag_goes_before_it)
{
    setenv("TEST_A_TEXT", "from environment", 1);
    setenv("TEST_A_YES", "true", 1);
    setenv("TEST_A_THE_LIST", "x,y", 1);
    READ("--a.text=from flag");
    cr_expect_str_eq(subject.text, "from flag");
    cr_expect(subject.yes);
    cr_assert_eq(subject.list.count, 2);
    cr_expect_str_eq(subject.list.items[1], "y");
}

Test(flags, a_list_of_flags_replaces_the_one_of_the_environment)
{
    setenv("TEST_A_THE_LIST", "x,y", 1);
    READ("--a.the-list=z");
    cr_assert_eq(subject.list.count, 1);
    cr_expect_str_eq(subject.list.items[0], "z");
}

Test(flags, a_wrong_variable_is_told_by_its_name)
{
    setenv("TEST_A_YES", "maybe", 1);
    setenv("TEST_A_THE_LIST", "x,,y", 1);
    READ("--a.text=x");
    cr_expect_str_eq(told(), "TEST_A_YES: \"maybe\" is not true or false\n"
                             "TEST_A_THE_LIST: must not be empty");
}

Test(flags, a_variable_that_is_not_ours_is_left_alone)
{
    setenv("TEST_PORT", "tcp://10.0.0.1:1", 1);
    setenv("TEST_HELP", "true", 1);
    setenv("TEST_A_FILE_ONLY", "x", 1);
    READ("--a.yes");
    cr_expect_str_eq(told(), "");
    cr_expect_not(subject.help);
    cr_expect_null(subject.text);
}
