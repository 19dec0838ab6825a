#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/sources/companion.h"

static char log_file[] = "/tmp/test_companion_XXXXXX";
static struct companion child;

static void make_log(void)
{
    int fd = mkstemp(log_file);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_log(void)
{
    companion_end(&child, SIGKILL, 0);
    unlink(log_file);
}

TestSuite(companion, .init = make_log, .fini = remove_log, .timeout = 60);

static bool start_shell(const char *script, struct companion *ret, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const envp[] = {"GIVEN=yes", NULL};
    return companion_start(
        &(struct companion_spec){
            .argv = argv, .envp = envp, .log = log_file, .end_signal = SIGKILL},
        ret, err);
}

static void run(const char *script)
{
    struct err err = {0};
    struct bound bound = bound_after(30000, -1);
    cr_assert(start_shell(script, &child, &err), "%s", err.text);
    cr_assert(companion_wait(&child, &bound, &err), "%s", err.text);
}

static void expect_log(const char *expected)
{
    char text[256] = {0};
    FILE *file = fopen(log_file, "r");
    cr_assert(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    cr_expect_str_eq(text, expected, "%zu bytes: %s", length, text);
}

Test(companion, both_outputs_are_appended_to_the_file)
{
    run("echo one; echo two >&2");
    run("echo three");
    expect_log("one\ntwo\nthree\n");
    cr_expect(companion_succeeded(&child));
}

Test(companion, sees_the_environment_it_was_given_and_nothing_else)
{
    setenv("SECRET", "x", 1);
    run("echo ${GIVEN-no} ${SECRET-none}; exit 3");
    expect_log("yes none\n");
    cr_expect_not(companion_succeeded(&child));
    cr_expect_eq(WEXITSTATUS(child.status), 3);
}

Test(companion, a_blocked_signal_of_ours_still_ends_it)
{
    sigset_t term;
    struct err err = {0};
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    cr_assert(start_shell("exec sleep 60", &child, &err));
    companion_end(&child, SIGTERM, 20000);
    cr_expect_eq(WTERMSIG(child.status), SIGTERM);
}

Test(companion, one_that_ignores_the_signal_is_killed)
{
    struct err err = {0};
    cr_assert(start_shell("trap '' TERM; echo ready; while :; do sleep 1; done", &child, &err));
    poll(NULL, 0, 500);
    companion_end(&child, SIGTERM, 300);
    cr_expect_eq(WTERMSIG(child.status), SIGKILL);
}

Test(companion, a_wait_ends_with_its_bound)
{
    struct err err = {0};
    struct bound bound = bound_after(100, -1);
    cr_assert(start_shell("exec sleep 60", &child, &err));
    cr_expect_not(companion_wait(&child, &bound, &err));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_not(companion_has_ended(&child));
}

Test(companion, a_wait_ends_when_told_to_stop)
{
    struct err err = {0};
    int stop = eventfd(1, EFD_CLOEXEC);
    struct bound bound = bound_after(30000, stop);
    cr_assert(start_shell("exec sleep 60", &child, &err));
    cr_expect_not(companion_wait(&child, &bound, &err));
    cr_expect_eq(err.code, ERR_STOPPED);
    close(stop);
}

Test(companion, what_cannot_be_run_is_named)
{
    struct err err = {0};
    const char *const argv[] = {"/nowhere/program", NULL};
    const char *const envp[] = {NULL};
    cr_expect_not(companion_start(
        &(struct companion_spec){.argv = argv, .envp = envp, .log = log_file}, &child, &err));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect(strstr(err.text, "/nowhere/program"), "%s", err.text);
    cr_expect_not(child.started);
}

/* The process whose id the script has written, once it has. */
static pid_t wait_for_id(void)
{
    long id = 0;
    for (int i = 0; i < 1000 && id == 0; i++) {
        char line[32];
        FILE *file = fopen(log_file, "r");
        cr_assert(file);
        id = fgets(line, sizeof line, file) ? strtol(line, NULL, 10) : 0;
        fclose(file);
        poll(NULL, 0, 10);
    }
    cr_assert_gt(id, 0);
    return (pid_t)id;
}

/* A process that starts the script and is then killed; the process that the script has told of. */
static pid_t start_and_be_killed(const char *script)
{
    pid_t middle = fork();
    if (middle == 0) {
        struct err err = {0};
        if (!start_shell(script, &child, &err))
            _exit(1);
        for (;;)
            pause();
    }
    pid_t started = wait_for_id();
    kill(middle, SIGKILL);
    waitpid(middle, NULL, 0);
    return started;
}

/* Nobody may have reaped it yet. */
static bool is_gone(pid_t pid)
{
    char state[64] = {0};
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    size_t length = fread(state, 1, sizeof state - 1, file);
    fclose(file);
    return length == 0 || strstr(state, ") Z");
}

static void expect_gone(pid_t pid)
{
    for (int i = 0; i < 1000 && !is_gone(pid); i++)
        poll(NULL, 0, 10);
    cr_expect(is_gone(pid));
}

Test(companion, is_gone_when_we_are_killed)
{
    expect_gone(start_and_be_killed("echo $$; exec sleep 60"));
}

Test(companion, what_it_has_started_is_gone_too_when_we_are_killed)
{
    expect_gone(start_and_be_killed("sleep 60 & echo $!; wait"));
}

Test(companion, what_it_has_started_is_gone_when_it_has_ended)
{
    struct err err = {0};
    cr_assert(start_shell("sleep 60 & echo $!", &child, &err), "%s", err.text);
    pid_t started = wait_for_id();
    struct bound bound = bound_after(30000, -1);
    cr_expect(companion_wait(&child, &bound, &err), "%s", err.text);
    expect_gone(started);
    cr_expect_eq(child.keeper, 0);
}
