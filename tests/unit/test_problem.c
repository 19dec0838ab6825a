#include <criterion/criterion.h>

#include "exporter/config/problem.h"

Test(problem, all_are_told_one_a_line)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    problem_add(&list, "first %d", 1);
    problem_add(&list, "second");
    cr_assert_not(problem_none(&list, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_str_eq(err.text, "first 1\nsecond");
}

Test(problem, none_is_fine)
{
    struct problem_list list = {0};
    struct err err;
    cr_expect(problem_none(&list, &err));
}

Test(problem, past_twenty_they_are_counted)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    for (int i = 1; i <= 23; i++)
        problem_add(&list, "p%d", i);
    cr_assert_not(problem_none(&list, &err));
    cr_expect_not_null(strstr(err.text, "p20\n... and 3 more"));
    cr_expect_null(strstr(err.text, "p21"));
}

Test(problem, what_does_not_fit_is_counted_too)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    for (int i = 0; i < 3; i++)
        problem_add(&list, "%0900d", i);
    cr_assert_not(problem_none(&list, &err));
    cr_expect_eq(strlen(err.text), 900 + 1 + 900 + strlen("\n... and 1 more"));
}

Test(problem, a_line_from_outside_stays_one_line_and_printable)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    problem_add(&list, "a\nb\x1b[2J\xff");
    cr_assert_not(problem_none(&list, &err));
    cr_expect_str_eq(err.text, "a b\xEF\xBF\xBD[2J\xEF\xBF\xBD");
}

Test(problem, twenty_are_all_told)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    for (int i = 1; i <= 20; i++)
        problem_add(&list, "p%d", i);
    cr_assert_not(problem_none(&list, &err));
    cr_expect_not_null(strstr(err.text, "\np20"));
    cr_expect_null(strstr(err.text, "more"));
}

Test(problem, what_just_fits_is_told_whole)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    problem_add(&list, "%0*d", ERR_TEXT_SIZE - 1 - 11, 1);
    problem_add(&list, "%010d", 2);
    cr_assert_not(problem_none(&list, &err));
    cr_expect_eq(strlen(err.text), ERR_TEXT_SIZE - 1);
    cr_expect_str_eq(strrchr(err.text, '\n'), "\n0000000002");
}

Test(problem, a_line_makes_room_for_the_count_of_those_left_out)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    struct err err;
    problem_add(&list, "%0900d", 1);
    problem_add(&list, "%0*d", ERR_TEXT_SIZE - 1 - 901, 2);
    problem_add(&list, "third");
    cr_assert_not(problem_none(&list, &err));
    cr_expect_str_eq(err.text + 900, "\n... and 2 more");
}

Test(problem, a_sentence_that_is_too_long_is_cut_at_a_character)
{
    struct problem_list list CLEANUP(problem_list_done) = {0};
    problem_add(&list, "%0*d\xC3\xA4", ERR_TEXT_SIZE - 2, 1);
    cr_expect_eq(list.lines.length, ERR_TEXT_SIZE - 2);
    cr_expect_eq(list.lines.data[list.lines.length - 1], '1');
}

Test(problem, a_list_that_is_done_holds_none)
{
    struct problem_list list = {0};
    struct err err;
    problem_add(&list, "first");
    problem_list_done(&list);
    cr_expect(problem_none(&list, &err));
    problem_add(&list, "second");
    cr_assert_not(problem_none(&list, &err));
    cr_expect_str_eq(err.text, "second");
    problem_list_done(&list);
}
