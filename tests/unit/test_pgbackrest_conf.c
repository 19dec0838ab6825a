#include <criterion/criterion.h>

#include "collectors/parse/pgbackrest_conf.h"
#include "exporter/base/strbuf.h"

static struct pgbackrest_conf conf;
static struct err err;

static void drop(void)
{
    pgbackrest_conf_done(&conf);
}

TestSuite(pgbackrest_conf, .fini = drop);

static bool parse_bytes(const char *text, size_t length)
{
    drop();
    return pgbackrest_conf_parse(&conf, "p.conf", text, length, &err);
}

static bool parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static const char *value(const char *section, const char *option)
{
    const struct pair_list *options = pgbackrest_conf_section(&conf, section);
    return options ? pair_list_get(options, option) : NULL;
}

static const char sound[] = "# comment\n"
                            "[global]\n"
                            "repo1-path=/nas\n"
                            "\n"
                            "  spool-path = /spool  \n"
                            "[main]\n"
                            "pg1-path=/pg\n"
                            "[global]\n"
                            "log-path=/log\n";

Test(pgbackrest_conf, sections_and_options_are_read)
{
    cr_assert(parse(sound), "%s", err.text);
    cr_expect_eq(conf.count, 2);
    cr_expect_str_eq(conf.sections[0].name, "global");
    cr_expect_str_eq(value("global", "repo1-path"), "/nas");
    cr_expect_str_eq(value("global", "spool-path"), "/spool");
    cr_expect_str_eq(value("main", "pg1-path"), "/pg");
}

Test(pgbackrest_conf, a_section_that_comes_again_goes_on)
{
    cr_assert(parse(sound));
    cr_expect_str_eq(value("global", "log-path"), "/log");
}

Test(pgbackrest_conf, a_second_file_adds_to_the_first)
{
    cr_assert(parse(sound));
    cr_assert(pgbackrest_conf_parse(&conf, "conf.d/x.conf", "[main]\npg1-port=5433\n", 21, &err));
    cr_expect_str_eq(value("main", "pg1-path"), "/pg");
    cr_expect_str_eq(value("main", "pg1-port"), "5433");
}

Test(pgbackrest_conf, a_second_file_begins_outside_of_any_section)
{
    cr_assert(parse(sound));
    cr_assert_not(pgbackrest_conf_parse(&conf, "conf.d/x.conf", "pg1-port=5433\n", 14, &err));
    cr_expect_str_eq(err.text, "conf.d/x.conf:1: an option must stand below a section, like "
                               "[global]");
}

Test(pgbackrest_conf, a_value_keeps_everything_after_the_first_equals_sign)
{
    cr_assert(parse("[global]\nrepo2-s3-token=a=b ; c # d \"e\" \\\nrepo2-path=x : y\n"));
    cr_expect_str_eq(value("global", "repo2-s3-token"), "a=b ; c # d \"e\" \\");
    cr_expect_str_eq(value("global", "repo2-path"), "x : y");
}

Test(pgbackrest_conf, a_repeated_option_is_a_list_in_order)
{
    cr_assert(parse("[x]\nlink-map=a=1\nlink-map=b=2\n"));
    const struct pair_list *options = pgbackrest_conf_section(&conf, "x");
    cr_assert_eq(options->count, 2);
    cr_expect_str_eq(options->items[0].value, "a=1");
    cr_expect_str_eq(options->items[1].value, "b=2");
}

Test(pgbackrest_conf, an_empty_value_is_kept_for_pgbackrest_to_refuse)
{
    cr_assert(parse("[x]\nrepo1-path=\n"));
    cr_expect_str_eq(value("x", "repo1-path"), "");
}

Test(pgbackrest_conf, a_section_name_is_not_trimmed_inside_its_brackets)
{
    cr_assert(parse("  [ x ]  \na=b\n"));
    cr_expect_str_eq(value(" x ", "a"), "b");
}

Test(pgbackrest_conf, windows_line_ends_and_a_missing_last_one_are_fine)
{
    cr_assert(parse("[x]\r\na=b\r\nc=d"));
    cr_expect_str_eq(value("x", "a"), "b");
    cr_expect_str_eq(value("x", "c"), "d");
}

Test(pgbackrest_conf, an_empty_file_is_an_empty_configuration)
{
    cr_expect(parse(""));
    cr_expect(parse("\n# nothing\n\n"));
    cr_expect_eq(conf.count, 0);
}

Test(pgbackrest_conf, a_long_value_is_not_cut)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "[x]\nrepo2-s3-token=");
    for (int i = 0; i < 60000; i++)
        strbuf_putc(&text, 'k');
    cr_assert(parse(strbuf_text(&text)), "%s", err.text);
    cr_expect_eq(strlen(value("x", "repo2-s3-token")), 60000);
}

static const struct {
    const char *text, *wrong;
} mistakes[] = {
    {"[global]\ncipher secret\n", "p.conf:2: no '=' between option and value"},
    {"[global]\nkey: value\n", "p.conf:2: no '=' between option and value"},
    {"[global]\n; secret\n", "p.conf:2: no '=' between option and value"},
    {"[global]\na=b \\\n  secret\n", "p.conf:3: no '=' between option and value"},
    {"[global\n", "p.conf:1: a section must end with ']'"},
    {"[\n", "p.conf:1: a section must end with ']'"},
    {"[]\n", "p.conf:1: a section must have a name"},
    {"a=secret\n", "p.conf:1: an option must stand below a section, like [global]"},
    {"\xEF\xBB\xBF[global]\n", "p.conf:1: an option must stand below a section, like [global]"},
    {"[x]\n =secret\n", "p.conf:2: no option before '='"},
};

Test(pgbackrest_conf, a_mistake_is_told_with_its_line_and_without_its_text)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        cr_assert_not(parse(mistakes[i].text), "%s", mistakes[i].text);
        cr_expect_eq(err.code, ERR_CONFIG);
        cr_expect_str_eq(err.text, mistakes[i].wrong);
    }
}

Test(pgbackrest_conf, a_zero_byte_is_refused)
{
    cr_assert_not(parse_bytes("[x]\na=b\0c\n", 10));
    cr_expect_str_eq(err.text, "p.conf:2: holds a zero byte");
}

Test(pgbackrest_conf, a_file_cut_at_any_byte_neither_crashes_nor_leaks)
{
    for (size_t length = 0; length < sizeof sound; length++)
        (void)!parse_bytes(sound, length);
}

Test(pgbackrest_conf, bytes_that_are_not_utf8_are_kept)
{
    cr_assert(parse("[x]\na=\xff\xfe\n"));
    cr_expect_str_eq(value("x", "a"), "\xff\xfe");
}

static void repeat(struct strbuf *out, const char *format, int times)
{
    for (int i = 0; i < times; i++) {
        strbuf_printf(out, "%s", format);
        strbuf_printf(out, "%d]\n", i);
    }
}

Test(pgbackrest_conf, what_is_larger_than_its_limits_is_refused)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "[x]\na=");
    for (size_t i = 0; i < PGBACKREST_CONF_LINE_MAX; i++)
        strbuf_putc(&text, 'k');
    cr_assert_not(parse(strbuf_text(&text)));
    cr_expect_str_eq(err.text, "p.conf:2: longer than 65536 bytes");

    strbuf_truncate(&text, 0);
    repeat(&text, "[s", 4001);
    cr_assert_not(parse(strbuf_text(&text)));
    cr_expect_str_eq(err.text, "p.conf:4001: too many sections (at most 4000)");

    strbuf_truncate(&text, 0);
    strbuf_puts(&text, "[x]\n");
    repeat(&text, "a=", 4001);
    cr_assert_not(parse(strbuf_text(&text)));
    cr_expect_str_eq(err.text, "p.conf:4002: too many options in one section (at most 4000)");
}
