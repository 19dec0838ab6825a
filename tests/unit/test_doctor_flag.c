#include "exporter/commands/doctor_flag.h"

#include <criterion/criterion.h>

static struct doctor_flag flag;

static void end(void)
{
    doctor_flag_done(&flag);
}

TestSuite(doctor_flag, .fini = end);

static void expect_next(struct doctor_flag_reader *reader, const char *option, const char *value)
{
    doctor_flag_done(&flag);
    cr_assert(doctor_flag_next(reader, &flag), "no flag before %s", option);
    cr_expect_str_eq(strbuf_text(&flag.option), option);
    cr_expect_str_eq(strbuf_text(&flag.value), value);
}

static void expect_one(const char *text, const char *option, const char *value)
{
    struct doctor_flag_reader reader = {.rest = text};
    expect_next(&reader, option, value);
    cr_expect_eq(flag.repo_key, 2);
    doctor_flag_done(&flag);
    cr_expect_not(doctor_flag_next(&reader, &flag));
}

static void expect_none(const char *text)
{
    cr_expect_not(doctor_flag_next(&(struct doctor_flag_reader){.rest = text}, &flag), "%s", text);
}

Test(doctor_flag, a_value_behind_an_equals_sign)
{
    expect_one("pgbackrest --repo2-s3-bucket=backups info", "s3-bucket", "backups");
}

Test(doctor_flag, a_value_behind_a_blank)
{
    expect_one("pgbackrest --repo2-path /pgbackrest info", "path", "/pgbackrest");
}

Test(doctor_flag, a_switch_has_no_value)
{
    expect_one("pgbackrest --repo2-bundle --stanza=main", "bundle", "");
}

Test(doctor_flag, a_value_in_quotes)
{
    expect_one("--repo2-path=\"/a b\" info", "path", "/a b");
}

Test(doctor_flag, a_quoted_word_of_an_array)
{
    expect_one("FLAGS=(\"--repo2-path=/a b\" x)", "path", "/a b");
}

Test(doctor_flag, a_variable_of_the_environment)
{
    expect_one("Environment=PGBACKREST_REPO2_S3_ENDPOINT=s3.example.net", "s3-endpoint",
               "s3.example.net");
}

Test(doctor_flag, ends_where_the_line_goes_on)
{
    expect_one("--repo2-type=s3\\\n", "type", "s3");
}

Test(doctor_flag, one_after_the_other_with_their_lines)
{
    struct doctor_flag_reader reader = {.rest = "#!/bin/sh\npgbackrest --repo2-type=s3 \\\n"
                                                "  --repo2-path=/x info\n"};
    expect_next(&reader, "type", "s3");
    cr_expect_eq(flag.line, 2);
    expect_next(&reader, "path", "/x");
    cr_expect_eq(flag.line, 3);
}

Test(doctor_flag, what_a_shell_puts_in_is_not_known)
{
    struct doctor_flag_reader reader = {.rest = "--repo2-s3-bucket=$BUCKET --repo2-path=/x"};
    expect_next(&reader, "s3-bucket", "$BUCKET");
    cr_expect(flag.expands);
    expect_next(&reader, "path", "/x");
    cr_expect_not(flag.expands);
}

Test(doctor_flag, a_comment_holds_none)
{
    expect_none("# pgbackrest --repo2-path=/x\n ; --repo2-path=/y\n");
}

Test(doctor_flag, the_choice_of_a_repository_is_none)
{
    expect_none("pgbackrest --repo=2 --repo2 info");
}

Test(doctor_flag, inside_another_word_is_none)
{
    expect_none("pgbackrest --no--repo2-path=/x MY_PGBACKREST_REPO2_PATH=/x");
}

Test(doctor_flag, an_absurd_number_is_none)
{
    expect_none("--repo99999999999999999999-path=/x");
}
