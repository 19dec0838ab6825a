#include "exporter/commands/run_line.h"

#include <criterion/criterion.h>
#include <string.h>

static struct run_line line;
static struct err err;

/* The words outlive the macro's own list: what was read points to them. */
static bool read_words(int argc, const char *const *argv)
{
    static const char *words[16];
    for (int i = 0; i < argc; i++)
        words[i] = argv[i];
    err = (struct err){0};
    line = (struct run_line){0};
    return run_line_read(argc, (char *const *)(uintptr_t)words, &line, &err);
}

#define READ(...)                                                                                  \
    read_words((int)COUNT_OF(((const char *const[]){"run", __VA_ARGS__})),                         \
               (const char *const[]){"run", __VA_ARGS__})

Test(run_line, the_command_comes_behind_two_dashes)
{
    cr_assert(READ("--", "info", "--output=json"), "%s", err.text);
    cr_expect_eq(line.argument_count, 2);
    cr_expect_str_eq(line.arguments[0], "info");
    cr_expect_eq(line.repo_key, 0);
    cr_expect_null(line.stanza);
    cr_expect(line.takes_stanza);
    cr_expect_not(line.print);
}

Test(run_line, the_dashes_may_be_left_out)
{
    cr_assert(READ("--repo", "2", "archive-get", "%f", "%p"), "%s", err.text);
    cr_expect_eq(line.repo_key, 2);
    cr_expect_eq(line.argument_count, 3);
}

Test(run_line, values_are_taken_with_and_without_a_sign)
{
    cr_assert(READ("--stanza=main", "--repo=1", "--print", "--", "info"), "%s", err.text);
    cr_expect_str_eq(line.stanza, "main");
    cr_expect_eq(line.repo_key, 1);
    cr_expect(line.print);
    cr_assert(READ("--stanza", "dev", "--", "info"));
    cr_expect_str_eq(line.stanza, "dev");
}

Test(run_line, what_is_said_twice_is_an_error)
{
    cr_expect_not(READ("--stanza", "a", "--stanza=a", "--", "info"));
    cr_expect_str_eq(err.text, "--stanza is given twice");
    cr_expect_not(READ("--repo=1", "--repo=2", "--", "info"));
    cr_expect_str_eq(err.text, "--repo is given twice");
}

Test(run_line, help_needs_no_command)
{
    cr_assert(READ("--help"));
    cr_expect(line.help);
}

/* What is wrong with a line, or "fine". */
#define WRONG(...) (READ(__VA_ARGS__) ? "fine" : err.text)

Test(run_line, no_command_is_an_error)
{
    cr_expect_not(READ("--repo", "1"));
    cr_expect_not(READ("--"));
    cr_expect_str_eq(WRONG("--"), "run needs a pgBackRest command, like run -- info");
}

Test(run_line, an_unknown_command_is_answered_with_those_there_are)
{
    cr_expect(strstr(WRONG("--", "inf"), "run knows no command inf; it knows info, check"), "%s",
              err.text);
}

Test(run_line, a_restore_is_known_and_takes_a_repository)
{
    cr_assert(READ("--repo=2", "--", "restore", "--delta"), "%s", err.text);
    cr_expect(line.takes_stanza && line.takes_repo);
}

Test(run_line, a_wait_for_the_lock_is_a_duration_of_a_week_at_most)
{
    cr_assert(READ("--", "backup"));
    cr_expect_eq(line.lock_wait_ms, 0);
    cr_assert(READ("--lock-wait=30m", "--", "backup"), "%s", err.text);
    cr_expect_eq(line.lock_wait_ms, 1800000);
    cr_assert(READ("--lock-wait", "7d", "backup"), "%s", err.text);
    static const char *const wrong[] = {"8d", "soon", "", "-1s"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        cr_expect_str_eq(WRONG("--lock-wait", wrong[i], "--", "backup"),
                         "--lock-wait takes a duration of at most 7d, like 30m");
    cr_expect_str_eq(WRONG("--lock-wait"), "--lock-wait takes a duration of at most 7d, like 30m");
}

Test(run_line, values_behind_the_command_are_found_one_after_the_other)
{
    int index = 1;
    cr_assert(READ("--", "restore", "--set=a", "--type", "none", "--set=b", "--set"));
    cr_expect_str_eq(run_line_value(&line, "--set", &index), "a");
    cr_expect_str_eq(run_line_value(&line, "--set", &index), "b");
    cr_expect_str_eq(run_line_value(&line, "--set", &index), "");
    cr_expect_null(run_line_value(&line, "--set", &index));
    index = 1;
    cr_expect_str_eq(run_line_value(&line, "--type", &index), "none");
}

Test(run_line, an_unknown_option_is_an_error)
{
    cr_expect_str_eq(WRONG("--verbose", "--", "info"),
                     "run knows no option --verbose; see run --help");
}

Test(run_line, a_repository_key_is_a_number_from_1_to_256)
{
    static const char *const wrong[] = {"0", "257", "two", "2x", "-1", "", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        cr_expect_str_eq(WRONG("--repo", wrong[i], "--", "info"),
                         "--repo takes the key of a repository, 1 to 256");
    cr_expect_not(READ("--repo"));
    cr_expect_not(READ("--stanza"));
    cr_expect_not(READ("--stanza="));
}

Test(run_line, what_run_gives_itself_is_refused_behind_the_command)
{
    cr_expect_str_eq(WRONG("--", "info", "--repo=2"),
                     "--repo goes before the command: run --repo ... -- info");
    cr_expect_str_eq(WRONG("--", "info", "--stanza", "main"),
                     "--stanza goes before the command: run --stanza ... -- info");
    cr_expect_not(READ("--", "info", "--config=/etc/x"));
    cr_expect_not(READ("--", "info", "--no-config"));
    cr_expect(READ("--", "info", "--repo2-path=/x"), "another option that begins the same");
}

/* Two stanzas; the first has repositories 1 and 2. */
static struct stanza_repository repositories[] = {{.key = 1, .name = (char[]){"nas"}},
                                                  {.key = 2, .name = (char[]){"r2"}}};
static struct stanza stanzas[] = {
    {.name = (char[]){"main"}, .repositories = repositories, .repository_count = 2},
    {.name = (char[]){"dev"}}};
static struct settings settings = {.stanzas = stanzas, .stanza_count = 2};

static const char *stanza_of(const char *asked)
{
    const struct stanza *found = NULL;
    line = (struct run_line){.stanza = asked};
    return run_line_stanza(&line, &settings, &found, &err) ? found->name : err.text;
}

Test(run_line, the_stanza_asked_for_is_meant)
{
    cr_expect_str_eq(stanza_of("dev"), "dev");
    cr_expect_str_eq(stanza_of("prod"), "there is no stanza prod; there is main, dev");
}

Test(run_line, the_only_stanza_need_not_be_named)
{
    cr_expect_str_eq(stanza_of(NULL), "which stanza? Say --stanza with one of main, dev");
    settings.stanza_count = 1;
    cr_expect_str_eq(stanza_of(NULL), "main");
    settings.stanza_count = 0;
    cr_expect_str_eq(stanza_of(NULL), "no stanza is configured");
}

Test(run_line, without_a_key_all_repositories_are_meant)
{
    line = (struct run_line){0};
    cr_expect(run_line_wants(&line, &repositories[0]));
    cr_expect(run_line_wants(&line, &repositories[1]));
    line.repo_key = 2;
    cr_expect_not(run_line_wants(&line, &repositories[0]));
    cr_expect(run_line_wants(&line, &repositories[1]));
}

Test(run_line, a_repository_that_is_not_there_is_answered_with_those_there_are)
{
    line = (struct run_line){.repo_key = 2};
    cr_expect(run_line_check_repository(&line, &stanzas[0], &err));
    cr_expect_not(run_line_check_repository(&line, &stanzas[1], &err));
    cr_expect_str_eq(err.text, "stanza dev has no repository 2; it has none");
    line.repo_key = 3;
    cr_expect_not(run_line_check_repository(&line, &stanzas[0], &err));
    cr_expect_str_eq(err.text, "stanza main has no repository 3; it has 1 (nas), 2 (r2)");
}
