#include "exporter/commands/command.h"

#include <criterion/criterion.h>

#define STATUS(...) status_of((const char *[]){"pgbackup_exporter", __VA_ARGS__, NULL})

static int status_of(const char *const *words)
{
    int count = 0;
    while (words[count])
        count++;
    return command_failure_status(count, (char *const *)(uintptr_t)words);
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
