#include "exporter/commands/run_child.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "exporter/commands/signals.h"

static struct err err;

static int run_script(const char *script, int signals)
{
    char *const argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)script, NULL};
    char *const envp[] = {(char *)(uintptr_t) "GREETING=hello", NULL};
    int status = -1;
    err = (struct err){0};
    cr_assert(run_child(argv, envp, signals, &status, &err), "%s", err.text);
    return status;
}

Test(run_child, its_exit_status_is_kept)
{
    int signals = signals_take();
    cr_expect_eq(run_script("exit 0", signals), 0);
    cr_expect_eq(run_script("exit 50", signals), 50);
    close(signals);
}

Test(run_child, a_signal_that_ended_it_is_told_as_a_shell_does)
{
    int signals = signals_take();
    cr_expect_eq(run_script("kill -KILL $$", signals), 128 + SIGKILL);
    close(signals);
}

Test(run_child, it_sees_the_given_environment_only)
{
    int signals = signals_take();
    cr_expect_eq(run_script("test \"$GREETING\" = hello && test -z \"$HOME\"", signals), 0);
    close(signals);
}

Test(run_child, a_signal_for_us_is_passed_on)
{
    int signals = signals_take();
    cr_assert_eq(kill(getpid(), SIGTERM), 0); /* blocked: it waits for run_child() */
    cr_expect_eq(run_script("exec sleep 50", signals), 128 + SIGTERM);
    close(signals);
}

Test(run_child, a_closed_pipe_ends_it_as_any_program)
{
    int signals = signals_take();
    signal(SIGPIPE, SIG_IGN);
    cr_expect_eq(run_script("kill -PIPE $$", signals), 128 + SIGPIPE);
    close(signals);
}

Test(run_child, a_program_that_is_not_there_is_named)
{
    char *const argv[] = {(char *)(uintptr_t) "/nowhere/pgbackrest", NULL};
    char *const envp[] = {NULL};
    int status = -1;
    int signals = signals_take();
    cr_expect_not(run_child(argv, envp, signals, &status, &err));
    cr_expect_str_eq(err.text, "cannot run /nowhere/pgbackrest (pgbackrest.command): No such file "
                               "or directory");
    cr_expect_eq(status, -1);
    close(signals);
}
