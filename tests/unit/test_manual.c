#include <criterion/criterion.h>

#include "exporter/config/manual.h"

static struct strbuf out;

static void drop(void)
{
    strbuf_done(&out);
}

TestSuite(manual, .fini = drop);

/* A table of the rows given. */
#define TABLE(...)                                                                                 \
    &(const struct option_table)                                                                   \
    {                                                                                              \
        (const struct option[]){__VA_ARGS__}, COUNT_OF(((const struct option[]){__VA_ARGS__})), 0  \
    }

static const struct option size_row = {
    .key = "size",
    .type = OPTION_INTEGER,
    .sources = OPTION_EVERYWHERE,
    .value = "N",
    .fallback = "7",
    .min = 1,
    .max = 9,
    .help = "How much.",
};
static const struct option help_row = {
    .key = "help",
    .type = OPTION_BOOL,
    .sources = OPTION_IN_FLAG,
    .letter = 'h',
    .help = "Say this.",
};
static const struct option found_row = {
    .key = "place",
    .type = OPTION_PATH,
    .sources = OPTION_EVERYWHERE,
    .fallback = "/etc/x",
    .shown = "where it is found",
    .required = true,
    .help = "A place.",
};
static const struct option hidden_row = {
    .key = "hidden",
    .type = OPTION_TEXT,
    .sources = OPTION_IN_FLAG | OPTION_HIDDEN,
    .help = "Nobody's.",
};
static const struct option file_row = {
    .key = "only-file",
    .type = OPTION_TEXT,
    .help = "In the file.",
};

/* Two members, one switched on by itself. */
static bool member_at(size_t index, struct option_member *ret)
{
    static const struct option_member members[] = {{"wal", "Watches WAL.", 1},
                                                   {"drill", "Watches drills.", 0}};
    if (index < COUNT_OF(members))
        *ret = members[index];
    return index < COUNT_OF(members);
}

static const struct option switch_row = {
    .type = OPTION_BOOL,
    .sources = OPTION_EVERYWHERE,
    .help = "Not shown.",
};
static const struct option switches_row = {
    .key = "collector",
    .type = OPTION_MEMBERS,
    .sources = OPTION_EVERYWHERE,
    .member_at = member_at,
    .member = &switch_row,
    .help = "What is watched.",
};
static const struct option interval_row = {.type = OPTION_DURATION, .min = 1, .max = 604800};
static const struct option intervals_row = {
    .key = "intervals",
    .type = OPTION_MEMBERS,
    .member_at = member_at,
    .member = &interval_row,
    .help = "How often.",
};

Test(manual, a_flag_shows_its_default_and_its_variable_and_hides_what_is_hidden)
{
    manual_flags(TABLE(size_row, hidden_row, file_row), "TEST", &out);
    cr_expect_str_eq(strbuf_text(&out),
                     "      --size=N\n          How much. Default: 7.\n          $TEST_SIZE\n");
}

Test(manual, a_flag_that_only_the_command_line_has_shows_its_letter_and_no_variable)
{
    manual_flags(TABLE(help_row), "TEST", &out);
    cr_expect_str_eq(strbuf_text(&out), "  -h, --help\n          Say this.\n");
}

Test(manual, a_default_that_is_found_out_is_shown_in_words)
{
    manual_flags(TABLE(found_row), "TEST", &out);
    cr_expect_not_null(strstr(strbuf_text(&out), "Default: where it is found."));
    cr_expect_null(strstr(strbuf_text(&out), "/etc/x"));
}

Test(manual, each_member_has_a_flag_with_its_own_help_and_default)
{
    manual_flags(TABLE(switches_row), "TEST", &out);
    cr_expect_str_eq(strbuf_text(&out), "      --[no-]collector.wal\n"
                                        "          Watches WAL. Default: true.\n"
                                        "          $TEST_COLLECTOR_WAL\n"
                                        "      --[no-]collector.drill\n"
                                        "          Watches drills. Default: false.\n"
                                        "          $TEST_COLLECTOR_DRILL\n");
}

Test(manual, the_table_of_flags_has_a_row_for_each_that_is_shown)
{
    manual_flag_table(TABLE(size_row, help_row, hidden_row, file_row, switches_row), "TEST", &out);
    cr_expect_str_eq(
        strbuf_text(&out),
        "| Flag | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n"
        "| `--size=N` | `TEST_SIZE` | 7 | How much. |\n"
        "| `--help`, `-h` |  |  | Say this. |\n"
        "| `--[no-]collector.wal` | `TEST_COLLECTOR_WAL` | true | Watches WAL. |\n"
        "| `--[no-]collector.drill` | `TEST_COLLECTOR_DRILL` | false | Watches drills. |\n");
}

Test(manual, the_file_has_what_it_can_say_and_what_each_key_takes)
{
    manual_file_tables(TABLE(size_row, help_row, hidden_row, found_row, file_row), &out);
    cr_expect_str_eq(strbuf_text(&out),
                     "| `size` | a whole number from 1 to 9 | 7 | How much. |\n"
                     "| `place` | an absolute path; required | where it is found | A place. |\n"
                     "| `only-file` | a text |  | In the file. |\n");
}

#define TABLE_HEAD "| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n"

Test(manual, the_members_of_a_key_are_a_table_with_their_own_defaults)
{
    manual_file_tables(TABLE(intervals_row), &out);
    cr_expect_str_eq(strbuf_text(&out),
                     "\n### intervals\n\nHow often.\n\n" TABLE_HEAD
                     "| `wal` | a duration from 1s to 7d | 1s | Watches WAL. |\n"
                     "| `drill` | a duration from 1s to 7d |  | Watches drills. |\n");
}

Test(manual, sections_follow_the_keys_beside_them_each_headed_by_its_path)
{
    static const struct option inner_rows[] = {
        {.key = "deep", .type = OPTION_TEXT, .help = "Deep."}};
    static const struct option_table inner = {inner_rows, COUNT_OF(inner_rows), 0};
    static const struct option outer_rows[] = {
        {.key = "list", .type = OPTION_SECTIONS, .section = &inner, .help = "Several."},
        {.key = "flat", .type = OPTION_TEXT, .help = "Flat."},
    };
    static const struct option_table outer = {outer_rows, COUNT_OF(outer_rows), 0};
    manual_file_tables(
        TABLE({.key = "web", .type = OPTION_SECTION, .section = &outer, .help = "Pages."},
              file_row),
        &out);
    cr_expect_str_eq(strbuf_text(&out),
                     "| `only-file` | a text |  | In the file. |\n"
                     "\n### web\n\nPages.\n\n" TABLE_HEAD "| `flat` | a text |  | Flat. |\n"
                     "\n### web.list[]\n\nSeveral.\n\n" TABLE_HEAD
                     "| `deep` | a text |  | Deep. |\n");
}
