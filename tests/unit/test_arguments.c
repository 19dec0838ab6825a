#include <criterion/criterion.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "exporter/commands/arguments.h"

struct sample {
    bool help, deep;
    char *file;
    double wait_s;
};

static const struct option rows[] = {
    ARGUMENTS_HELP(struct sample, help),
    {.key = "deep",
     .help = "Look deeper.",
     .type = OPTION_BOOL,
     .sources = OPTION_IN_FLAG,
     .offset = offsetof(struct sample, deep)},
    {.key = "file",
     .help = "The file.",
     .value = "FILE",
     .type = OPTION_PATH,
     .sources = OPTION_IN_FLAG,
     .offset = offsetof(struct sample, file)},
    {.key = "wait",
     .help = "How long.",
     .value = "DURATION",
     .fallback = "5m",
     .type = OPTION_DURATION,
     .sources = OPTION_IN_FLAG,
     .offset = offsetof(struct sample, wait_s),
     .min = 1,
     .max = 3600},
};

static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct sample)};

#define WORDS(...) ((const char *const[]){"look", __VA_ARGS__, NULL})

static bool read(const char *const argv[], struct sample *ret, int *ret_rest, struct err *err)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return arguments_read(&table, ret, argc, (char *const *)(uintptr_t)argv, ret_rest, err);
}

Test(arguments, what_is_not_said_has_its_default)
{
    struct sample sample = {0};
    struct err err = {0};
    cr_assert(read((const char *const[]){"look", NULL}, &sample, NULL, &err), "%s", err.text);
    cr_expect_eq(sample.wait_s, 300.0);
    cr_expect_null(sample.file);
    option_free(&table, &sample);
}

Test(arguments, options_are_read_in_both_forms)
{
    struct sample sample = {0};
    struct err err = {0};
    cr_assert(read(WORDS("--file", "/a", "--wait=2s", "--deep"), &sample, NULL, &err), "%s",
              err.text);
    cr_expect_str_eq(sample.file, "/a");
    cr_expect_eq(sample.wait_s, 2.0);
    cr_expect(sample.deep);
    option_free(&table, &sample);
}

Test(arguments, all_that_is_wrong_is_told_with_the_name_of_the_command)
{
    struct sample sample = {0};
    struct err err = {0};
    cr_expect_not(read(WORDS("--wait=2h", "--fil=/a"), &sample, NULL, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, "look: "), "%s", err.text);
    cr_expect(strstr(err.text, "--wait"), "%s", err.text);
    cr_expect(strstr(err.text, "--fil"), "%s", err.text);
    option_free(&table, &sample);
}

Test(arguments, an_argument_that_nobody_takes_is_refused)
{
    struct sample sample = {0};
    struct err err = {0};
    cr_expect_not(read(WORDS("--deep", "here"), &sample, NULL, &err));
    cr_expect_str_eq(err.text, "look takes no argument, got here");
    option_free(&table, &sample);
}

Test(arguments, the_rest_begins_behind_the_options)
{
    struct sample sample = {0};
    struct err err = {0};
    int rest = 0;
    cr_assert(read(WORDS("--deep", "--", "--file"), &sample, &rest, &err), "%s", err.text);
    cr_expect_eq(rest, 3);
    option_free(&table, &sample);
}

Test(arguments, help_shows_how_it_is_called_and_every_option)
{
    static const struct command command = {.name = "look", .arguments = "[--deep]"};
    struct strbuf text = {0};
    arguments_help(&command, "Looks.", &table, &text);
    cr_expect(
        strstr(strbuf_text(&text), "usage: pgbackup_exporter [FLAGS] look [--deep]\n\nLooks.\n"));
    cr_expect(strstr(strbuf_text(&text), "--wait=DURATION\n          How long. Default: 5m."));
    cr_expect(strstr(strbuf_text(&text), "-h, --help"));
    strbuf_done(&text);
}
