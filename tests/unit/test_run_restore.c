#include "exporter/commands/run_restore.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stanza stanza = {.name = (char[]){"main"}};
static struct text_list options;
static struct err err;

static void end(void)
{
    pair_list_done(&stanza.options);
    text_list_done(&options);
}

TestSuite(run_restore, .fini = end);

struct words {
    const char *items[5];
};

static struct run_line line_of(const struct words *words)
{
    struct run_line line = {.repo_key = 2, .arguments = (char *const *)(uintptr_t)words->items};
    while (line.argument_count < 5 && words->items[line.argument_count])
        line.argument_count++;
    return line;
}

static bool wants(const struct words *words)
{
    struct run_line line = line_of(words);
    return run_restore_wants_command(&line, &stanza);
}

static void add(const struct words *words)
{
    struct run_line line = line_of(words);
    cr_assert(run_restore_add_options(&line, &stanza, &options, &err), "%s", err.text);
}

#define WORDS(...) (&(const struct words){{__VA_ARGS__}})

Test(run_restore, only_a_restore_gets_a_restore_command)
{
    cr_expect(wants(WORDS("restore")));
    cr_expect_not(wants(WORDS("backup")));
    cr_expect_not(wants(WORDS("archive-get", "--type=time")));
}

Test(run_restore, what_does_not_recover_from_the_archive_gets_none)
{
    cr_expect_not(wants(WORDS("restore", "--type=none")));
    cr_expect_not(wants(WORDS("restore", "--type", "preserve")));
    cr_expect(wants(WORDS("restore", "--type=time", "--target=2026-11-23 02:00:00+00")));
    cr_assert(pair_list_add(&stanza.options, "type", "none", &err));
    cr_expect_not(wants(WORDS("restore")));
    cr_expect(wants(WORDS("restore", "--type=default")));
}

Test(run_restore, a_restore_command_that_was_given_is_kept)
{
    cr_expect_not(wants(WORDS("restore", "--recovery-option=restore_command=cp x y")));
    cr_expect_not(wants(WORDS("restore", "--recovery-option", "restore_command=cp x y")));
    cr_expect(wants(WORDS("restore", "--recovery-option=restore_commander=x")));
    cr_assert(pair_list_add(&stanza.options, "recovery-option", "restore_command=cp x y", &err));
    cr_expect_not(wants(WORDS("restore")));
}

Test(run_restore, the_command_goes_through_this_program_and_its_repository)
{
    add(WORDS("restore"));
    cr_assert_eq(options.count, 1);
    const char *option = options.items[0];
    cr_expect(strstr(option, "--recovery-option=restore_command=/") == option, "%s", option);
    cr_expect(strstr(option, " run --stanza main --repo 2 -- archive-get %f \"%p\""), "%s", option);
}

Test(run_restore, recovery_options_of_the_configuration_are_repeated_unless_the_line_has_its_own)
{
    cr_assert(pair_list_add(&stanza.options, "recovery-option", "recovery_end_command=x", &err));
    add(WORDS("restore"));
    cr_assert_eq(options.count, 2);
    cr_expect_str_eq(options.items[0], "--recovery-option=recovery_end_command=x");
    text_list_done(&options);
    add(WORDS("restore", "--recovery-option=recovery_end_command=y"));
    cr_expect_eq(options.count, 1);
}

Test(run_restore, nothing_is_added_where_no_command_is_wanted)
{
    add(WORDS("restore", "--type=none"));
    add(WORDS("info"));
    cr_expect_eq(options.count, 0);
}

static void expect_place(const struct words *words, const char *expected)
{
    struct strbuf place CLEANUP(strbuf_done) = {0};
    struct run_line line = line_of(words);
    run_restore_add_place(&line, &stanza, &place);
    cr_expect_str_eq(strbuf_text(&place), expected);
}

Test(run_restore, a_server_elsewhere_asks_for_its_own_folder_and_shares_no_spool)
{
    cr_assert(pair_list_add(&stanza.options, "pg1-path", "/var/pg", &err));
    expect_place(WORDS("restore"), "");
    expect_place(WORDS("restore", "--pg1-path=/var/pg"), "");
    expect_place(WORDS("restore", "--pg1-path", "/new one"),
                 " --no-archive-async --pg1-path='/new one'");
}

Test(run_restore, wal_that_is_there_or_not_is_told_as_pgbackrest_tells_it)
{
    cr_expect_eq(run_restore_wal_status(0, false), 0);
    cr_expect_eq(run_restore_wal_status(1, false), 1);
}

Test(run_restore, a_failure_to_ask_for_wal_does_not_end_recovery)
{
    cr_expect_eq(run_restore_wal_status(25, false), 126);
    cr_expect_eq(run_restore_wal_status(82, false), 126);
    cr_expect_eq(run_restore_wal_status(125, false), 126);
}

Test(run_restore, a_standby_asks_for_wal_again_by_itself)
{
    cr_expect_eq(run_restore_wal_status(82, true), 82);
}

Test(run_restore, a_signal_is_told_as_a_shell_does)
{
    cr_expect_eq(run_restore_wal_status(63, false), 128 + 15);
    cr_expect_eq(run_restore_wal_status(63, true), 128 + 15);
    cr_expect_eq(run_restore_wal_status(128 + 9, false), 128 + 9);
}
