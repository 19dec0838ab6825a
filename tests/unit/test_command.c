#include "exporter/commands/command.h"

#include <criterion/criterion.h>

#define STATUS(...)     status_of((const char *[]){"pgbackup_exporter", __VA_ARGS__, NULL})
#define WANTS_HELP(...) wants_help((const char *[]){__VA_ARGS__, NULL})

static int count_of(const char *const *words)
{
    int count = 0;
    while (words[count])
        count++;
    return count;
}

static int status_of(const char *const *words)
{
    return command_failure_status(count_of(words), (char *const *)(uintptr_t)words);
}

static bool wants_help(const char *const *words)
{
    return command_help_is_wanted(count_of(words), (char *const *)(uintptr_t)words);
}

Test(command, a_failure_is_a_wrong_use)
{
    cr_expect_eq(STATUS("--config.file=/x"), 2);
    cr_expect_eq(STATUS("--config.file=/x", "run", "--repo", "1", "--", "info"), 2);
    cr_expect_eq(STATUS("archive-get", "run"), 2);
}

Test(command, a_restore_command_that_fails_does_not_end_the_recovery)
{
    cr_expect_eq(STATUS("run", "archive-get", "00000002.history", "pg_wal/RECOVERYHISTORY"), 126);
    cr_expect_eq(STATUS("--config.file=/x", "run", "--repo=1", "--", "archive-get"), 126);
}

Test(command, a_commands_own_help_is_known_before_it_is_run)
{
    cr_expect(WANTS_HELP("drill", "--help"));
    cr_expect(WANTS_HELP("run", "-h"));
}

Test(command, more_than_its_help_is_no_help)
{
    cr_expect_not(WANTS_HELP(NULL));
    cr_expect_not(WANTS_HELP("run"));
    cr_expect_not(WANTS_HELP("run", "--", "--help"));
    cr_expect_not(WANTS_HELP("--help"));
    cr_expect_not(WANTS_HELP("nobody", "--help"));
    cr_expect_not(WANTS_HELP("serve", "--help"), "it has none, and would serve as root");
}
