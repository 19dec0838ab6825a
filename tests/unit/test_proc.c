/* What a child may do to us, and what is left of it: nothing. */
#include "exporter/sources/proc.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_ENVIRONMENT ((const char *const[]){NULL})
#define SHELL(script)  ((const char *const[]){"/bin/sh", "-c", (script), NULL})

static struct proc_pool *pool;
static struct proc_result result;
static struct err err;

static void pool_setup(void)
{
    const struct proc_limits limits = {.at_once = 1, .stuck = 2};
    pool = proc_pool_new(&limits);
    cr_assert_not_null(pool);
}

/*
 * Each test also shows that it leaves no process: an unreaped one would be found by waitid().
 * Criterion does not count what is expected here, so it ends the hard way.
 */
static void pool_teardown(void)
{
    siginfo_t info;
    proc_result_done(&result);
    size_t stuck = proc_pool_stuck(pool);
    proc_pool_free(pool);
    if (stuck == 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
        return;
    fputs("a child is left\n", stderr);
    abort();
}

TestSuite(proc, .init = pool_setup, .fini = pool_teardown, .timeout = 30);

static bool run_for(const struct proc_spec *spec, int64_t timeout_ms)
{
    struct bound bound = bound_after(timeout_ms, -1);
    return proc_run(pool, spec, &bound, &result, &err);
}

static bool run_shell(const char *script, int64_t timeout_ms)
{
    const struct proc_spec spec = {.argv = SHELL(script), .envp = NO_ENVIRONMENT, .grace_ms = 100};
    return run_for(&spec, timeout_ms);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    cr_assert_not_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* What it gives back. */

Test(proc, gathers_both_outputs_apart)
{
    cr_assert(run_shell("echo out; echo err >&2", 10000), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&result.output), "out\n");
    cr_expect_str_eq(strbuf_text(&result.errors), "err\n");
    cr_expect(result.started && result.exited && result.exit_status == 0 && result.signal == 0);
}

Test(proc, measures_how_long_the_child_ran)
{
    cr_assert(run_shell("sleep 0.1", 10000), "%s", err.text);
    cr_expect_geq(result.duration_ms, 99); /* both ends are rounded down */
    cr_expect_lt(result.duration_ms, 5000);
}

Test(proc, keeps_what_was_written_just_before_the_end)
{
    cr_assert(run_shell("head -c 60000 /dev/zero", 10000), "%s", err.text);
    cr_expect_eq(result.output.length, 60000);
}

Test(proc, a_status_other_than_0_is_an_error_that_names_program_and_status)
{
    cr_assert_not(run_shell("echo partial; exit 37", 10000));
    cr_expect_eq(err.code, ERR_EXIT);
    cr_expect_str_eq(err.text, "/bin/sh ended with status 37");
    cr_expect(result.exited && result.exit_status == 37);
    cr_expect_str_eq(strbuf_text(&result.output), "partial\n");
}

Test(proc, a_signal_is_an_error_that_names_it)
{
    cr_assert_not(run_shell("kill -SEGV $$", 10000));
    cr_expect_eq(err.code, ERR_EXIT);
    cr_expect_str_eq(err.text, "/bin/sh was ended by signal 11 (Segmentation fault)");
    cr_expect(!result.exited && result.signal == SIGSEGV);
}

Test(proc, a_program_that_is_not_there_is_a_system_error_that_names_it)
{
    const char *const argv[] = {"/nowhere/pgbackrest", NULL};
    const struct proc_spec spec = {.argv = argv, .envp = NO_ENVIRONMENT};
    cr_assert_not(run_for(&spec, 10000));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect_str_eq(err.text, "cannot run /nowhere/pgbackrest: No such file or directory");
    cr_expect_not(result.started);
}

Test(proc, an_error_never_shows_the_environment)
{
    const char *const envp[] = {"PGBACKREST_REPO2_S3_KEY_SECRET=hunter2", NULL};
    const struct proc_spec spec = {.argv = SHELL("exit 1"), .envp = envp};
    cr_assert_not(run_for(&spec, 10000));
    cr_expect_null(strstr(err.text, "hunter2"));
}

Test(proc, counts_the_cpu_time_of_the_child_and_its_own_children)
{
    cr_assert(run_shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "
                        "(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done); true",
                        10000),
              "%s", err.text);
    cr_expect_gt(result.cpu_seconds, 0.001);
    cr_expect_lt(result.cpu_seconds, 5);
}

Test(proc, a_null_error_is_allowed)
{
    const struct proc_spec spec = {.argv = SHELL("exit 1"), .envp = NO_ENVIRONMENT};
    struct bound bound = bound_after(10000, -1);
    cr_expect_not(proc_run(pool, &spec, &bound, &result, NULL));
}

/* What the child gets. */

Test(proc, the_child_sees_only_the_environment_given)
{
    const char *const argv[] = {"/usr/bin/env", NULL};
    const char *const envp[] = {"A=1", "B=2", NULL};
    const struct proc_spec spec = {.argv = argv, .envp = envp};
    setenv("PGBACKUP_TEST_LEAK", "1", 1);
    cr_assert(run_for(&spec, 10000), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&result.output), "A=1\nB=2\n");
}

Test(proc, the_child_inherits_no_descriptor)
{
    const char *const argv[] = {"/bin/ls", "/proc/self/fd", NULL};
    const struct proc_spec spec = {.argv = argv, .envp = NO_ENVIRONMENT};
    int inherited = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    cr_assert_geq(inherited, 3);
    cr_assert(run_for(&spec, 10000), "%s", err.text);
    close(inherited);
    cr_expect_str_eq(strbuf_text(&result.output), "0\n1\n2\n3\n"); /* 3 is the folder itself */
}

Test(proc, the_child_runs_in_the_root_folder_with_empty_input)
{
    cr_assert(run_shell("pwd; readlink /proc/$$/fd/0; cat", 10000), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&result.output), "/\n/dev/null\n");
}

Test(proc, the_child_leads_its_own_process_group)
{
    cr_assert(run_shell("read pid name state parent group rest </proc/$$/stat; "
                        "[ $pid = $group ]",
                        10000),
              "%s", err.text);
}

/* The signals of one line of /proc/PID/status, as a bit set. */
static unsigned long long signals_in(const char *status, const char *line)
{
    const char *found = strstr(status, line);
    cr_assert_not_null(found);
    return strtoull(found + strlen(line), NULL, 16);
}

Test(proc, the_child_has_no_blocked_and_no_ignored_signal)
{
    const unsigned long long libc_own = 3ULL << 31; /* 32 and 33: no program can use them */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    const char *const argv[] = {"/bin/cat", "/proc/self/status", NULL};
    const struct proc_spec spec = {.argv = argv, .envp = NO_ENVIRONMENT};
    cr_assert(run_for(&spec, 10000), "%s", err.text);
    cr_expect_eq(signals_in(strbuf_text(&result.output), "SigBlk:"), 0);
    cr_expect_eq(signals_in(strbuf_text(&result.output), "SigIgn:") & ~libc_own, 0);
}

/* Limits. */

Test(proc, output_of_exactly_the_limit_is_kept)
{
    const struct proc_spec spec = {
        .argv = SHELL("printf 1234567890"), .envp = NO_ENVIRONMENT, .output_limit = 10};
    cr_assert(run_for(&spec, 10000), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&result.output), "1234567890");
}

Test(proc, one_byte_beyond_the_limit_is_too_big_even_when_the_program_ends_well)
{
    const struct proc_spec spec = {
        .argv = SHELL("printf 12345678901"), .envp = NO_ENVIRONMENT, .output_limit = 10};
    cr_assert_not(run_for(&spec, 10000));
    cr_expect_eq(err.code, ERR_TOO_BIG);
    cr_expect_str_eq(err.text, "/bin/sh wrote more than 10 bytes");
    cr_expect_str_eq(strbuf_text(&result.output), "1234567890");
}

Test(proc, a_flood_is_ended_at_once_and_cut_at_16_mib)
{
    int64_t start = clock_monotonic_ms();
    cr_assert_not(run_shell("exec head -c 64M /dev/zero", 20000));
    cr_expect_eq(err.code, ERR_TOO_BIG);
    cr_expect_eq(result.output.length, 16 << 20);
    cr_expect_lt(clock_monotonic_ms() - start, 5000);
}

Test(proc, a_flood_that_ignores_term_and_broken_pipes_is_ended_too)
{
    cr_assert_not(
        run_shell("trap '' TERM PIPE; while :; do printf %65536s x; done 2>/dev/null", 20000));
    cr_expect_eq(err.code, ERR_TOO_BIG);
    cr_expect_eq(result.signal, SIGKILL);
}

Test(proc, a_program_that_wrote_too_much_has_the_grace_to_clean_up)
{
    const struct proc_spec spec = {.argv = SHELL("trap '' PIPE; trap 'sleep 0.1; exit 63' TERM; "
                                                 "while :; do printf %4096s x; done 2>/dev/null"),
                                   .envp = NO_ENVIRONMENT,
                                   .output_limit = 10000,
                                   .grace_ms = 10000};
    cr_assert_not(run_for(&spec, 20000));
    cr_expect_eq(err.code, ERR_TOO_BIG);
    cr_expect(result.exited && result.exit_status == 63);
}

Test(proc, error_output_beyond_its_limit_is_dropped_and_no_error)
{
    const struct proc_spec spec = {.argv = SHELL("head -c 1M /dev/zero >&2; echo done"),
                                   .envp = NO_ENVIRONMENT,
                                   .error_limit = 1000};
    cr_assert(run_for(&spec, 10000), "%s", err.text);
    cr_expect_eq(result.errors.length, 1000);
    cr_expect_str_eq(strbuf_text(&result.output), "done\n");
}

/* Time. */

Test(proc, a_child_that_takes_too_long_is_ended_and_the_error_names_the_limit)
{
    int64_t start = clock_monotonic_ms();
    cr_assert_not(run_shell("echo before; exec sleep 60", 200));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_str_eq(err.text, "/bin/sh took over 200 ms");
    cr_expect_str_eq(strbuf_text(&result.output), "before\n");
    cr_expect_eq(result.signal, SIGTERM);
    cr_expect_geq(clock_monotonic_ms() - start, 200);
    cr_expect_lt(clock_monotonic_ms() - start, 5000);
}

Test(proc, a_child_that_ignores_term_is_killed_after_the_grace)
{
    int64_t start = clock_monotonic_ms();
    cr_assert_not(run_shell("trap '' TERM; while :; do sleep 60; done", 200));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_eq(result.signal, SIGKILL);
    cr_expect_geq(clock_monotonic_ms() - start, 200 + 100);
}

Test(proc, a_child_that_cleans_up_on_term_has_the_grace_for_it)
{
    const struct proc_spec spec = {
        .argv = SHELL("trap 'echo cleaned; exit 63' TERM; while :; do sleep 0.05; done"),
        .envp = NO_ENVIRONMENT,
        .grace_ms = 10000};
    cr_assert_not(run_for(&spec, 300));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_str_eq(strbuf_text(&result.output), "cleaned\n");
    cr_expect(result.exited && result.exit_status == 63);
}

Test(proc, a_status_given_on_term_is_told_apart_from_one_of_its_own)
{
    cr_expect_not(run_shell("exit 63", 10000));
    cr_expect(result.exited && !result.interrupted);
    cr_expect_not(run_shell("trap 'exit 63' TERM; while :; do sleep 0.01; done", 500));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect(result.exited && result.interrupted && result.exit_status == 63);
}

Test(proc, a_stopped_child_ends_by_term)
{
    const struct proc_spec spec = {
        .argv = SHELL("kill -STOP $$"), .envp = NO_ENVIRONMENT, .grace_ms = 10000};
    cr_assert_not(run_for(&spec, 200));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_eq(result.signal, SIGTERM);
    cr_expect_lt(result.duration_ms, 5000);
}

Test(proc, a_closed_output_is_not_the_end)
{
    cr_assert_not(run_shell("exec >&- 2>&-; exec sleep 60", 200));
    cr_expect_eq(err.code, ERR_TIMEOUT);
}

Test(proc, nothing_starts_after_the_deadline)
{
    cr_assert_not(run_shell("true", 0));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_not(result.started);
}

Test(proc, an_endless_flood_of_error_output_does_not_outlast_the_deadline)
{
    cr_assert_not(run_shell("exec cat /dev/zero >&2", 300));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_lt(result.duration_ms, 5000);
}

static void on_alarm(int number UNUSED)
{
}

Test(proc, interrupted_system_calls_change_nothing)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    struct itimerval often = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    bool sound = run_shell("sleep 0.2; echo whole", 10000);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    cr_assert(sound, "%s", err.text);
    cr_expect_str_eq(strbuf_text(&result.output), "whole\n");
}

/* Stop. */

Test(proc, a_stop_before_the_start_starts_nothing)
{
    int stop = eventfd(1, EFD_CLOEXEC);
    struct bound bound = bound_after(10000, stop);
    const struct proc_spec spec = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT};
    cr_assert_not(proc_run(pool, &spec, &bound, &result, &err));
    cr_expect_eq(err.code, ERR_STOPPED);
    cr_expect_not(result.started);
    close(stop);
}

static void *fire_soon(void *fd)
{
    poll(NULL, 0, 150);
    eventfd_write(*(int *)fd, 1);
    return NULL;
}

/* Run the spec for long and fire the stop descriptor meanwhile; how long it took. */
static int64_t run_and_stop(const struct proc_spec *spec)
{
    int stop = eventfd(0, EFD_CLOEXEC);
    struct bound bound = bound_after(60000, stop);
    int64_t start = clock_monotonic_ms();
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, fire_soon, &stop), 0);
    cr_expect_not(proc_run(pool, spec, &bound, &result, &err));
    pthread_join(thread, NULL);
    close(stop);
    return clock_monotonic_ms() - start;
}

Test(proc, a_stop_ends_a_running_child)
{
    const struct proc_spec spec = {.argv = SHELL("exec sleep 60"), .envp = NO_ENVIRONMENT};
    cr_expect_lt(run_and_stop(&spec), 5000);
    cr_expect_eq(err.code, ERR_STOPPED);
    cr_expect_str_eq(err.text, "/bin/sh was interrupted: asked to stop");
    cr_expect_eq(result.signal, SIGTERM);
}

/* Groups. */

/* Whether the process `text` names is gone, or is soon. */
static bool process_ends(const char *text)
{
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    cr_assert_gt(pid, 1);
    for (int i = 0; i < 5000; i++) {
        char path[64];
        char line[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return true;
        ssize_t length = read(fd, line, sizeof line - 1);
        close(fd);
        if (length <= 0 || strstr(line, ") Z "))
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

Test(proc, a_grandchild_that_holds_the_pipe_does_not_delay_the_end_and_is_killed)
{
    cr_assert(run_shell("sleep 60 & echo $!", 10000), "%s", err.text);
    cr_expect_lt(result.duration_ms, 5000);
    cr_expect(process_ends(strbuf_text(&result.output)));
}

Test(proc, a_grandchild_is_killed_at_the_deadline_too)
{
    cr_assert_not(run_shell("(trap '' TERM; exec sleep 60) & echo $!; wait", 200));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect(process_ends(strbuf_text(&result.output)));
}

Test(proc, a_grandchild_outside_the_group_that_floods_the_pipe_does_not_delay_the_end)
{
    cr_assert(run_shell("setsid timeout 5 cat /dev/zero >&2 & echo done", 10000), "%s", err.text);
    cr_expect_lt(result.duration_ms, 4000);
}

/* Calls in the background. */

/* A child that says by a fifo that it runs (and who it is), and then sleeps until it is stopped. */
struct background {
    pthread_t thread;
    struct proc_spec spec;
    bool own_pid_namespace; /* the child is the first process of a new one */
    int stop;
    char fifo[64];
    const char *argv[5];
    pid_t pid;
    struct proc_result result;
    struct err err;
};

static void *background_main(void *context)
{
    struct background *call = context;
    struct bound bound = bound_after(60000, call->stop);
    if (call->own_pid_namespace)
        cr_expect_eq(unshare(CLONE_NEWPID), 0, "needs root, or `unshare -r` before the runner");
    cr_expect_not(proc_run(pool, &call->spec, &bound, &call->result, &call->err));
    return NULL;
}

static void fifo_make(struct background *call)
{
    char folder[] = "/tmp/proc.XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    snprintf(call->fifo, sizeof call->fifo, "%s/fifo", folder);
    cr_assert_eq(mkfifo(call->fifo, 0600), 0);
}

/* Blocks until the child writes. */
static pid_t fifo_take(struct background *call)
{
    char line[32] = "";
    int fd = open(call->fifo, O_RDONLY | O_CLOEXEC);
    cr_assert_gt(read(fd, line, sizeof line - 1), 0);
    close(fd);
    unlink(call->fifo);
    *strrchr(call->fifo, '/') = '\0';
    rmdir(call->fifo);
    return (pid_t)strtol(line, NULL, 10);
}

/* Start; returns when the child runs. The caller has set what it wants of spec. */
static void background_start(struct background *call)
{
    fifo_make(call);
    const char *const argv[] = {"/bin/sh", "-c",
                                "read pid rest </proc/self/stat; echo $pid >$0; exec sleep 60",
                                call->fifo, NULL};
    memcpy(call->argv, argv, sizeof argv);
    call->stop = eventfd(0, EFD_CLOEXEC);
    call->spec.argv = call->argv;
    call->spec.envp = NO_ENVIRONMENT;
    if (!call->spec.grace_ms)
        call->spec.grace_ms = 50;
    cr_assert_eq(pthread_create(&call->thread, NULL, background_main, call), 0);
    call->pid = fifo_take(call);
    cr_assert_gt(call->pid, 1);
}

static void background_join(struct background *call)
{
    pthread_join(call->thread, NULL);
    close(call->stop);
    strbuf_done(&call->result.output);
    strbuf_done(&call->result.errors);
}

static void background_stop(struct background *call)
{
    eventfd_write(call->stop, 1);
    background_join(call);
}

/* Places. */

Test(proc, a_queued_child_waits_for_a_place_inside_its_deadline)
{
    struct background holder = {.spec.queued = true};
    const struct proc_spec spec = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT, .queued = true};
    background_start(&holder);
    cr_expect_not(run_for(&spec, 100));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_str_eq(err.text, "/bin/sh waited over 100 ms for one of 1 places");
    cr_expect_not(result.started);
    background_stop(&holder);
}

Test(proc, a_child_that_is_not_queued_needs_no_place)
{
    struct background holder = {.spec.queued = true};
    background_start(&holder);
    cr_expect(run_shell("true", 10000), "%s", err.text);
    background_stop(&holder);
}

Test(proc, a_place_is_given_back_at_the_end)
{
    struct background holder = {.spec.queued = true};
    const struct proc_spec spec = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT, .queued = true};
    background_start(&holder);
    background_stop(&holder);
    cr_expect(run_for(&spec, 10000), "%s", err.text);
    cr_expect(run_for(&spec, 10000), "%s", err.text);
}

Test(proc, a_child_that_hangs_gives_its_place_back_while_it_runs)
{
    struct background holder = {.spec.queued = true};
    const struct proc_spec spec = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT, .queued = true};
    background_start(&holder);
    int64_t asked_ms = clock_monotonic_ms();
    cr_expect(run_for(&spec, 10000), "%s", err.text);
    int64_t waited_ms = clock_monotonic_ms() - asked_ms;
    cr_expect_gt(waited_ms, 500);
    cr_expect_lt(waited_ms, 5000);
    background_stop(&holder);
}

Test(proc, a_child_that_hung_gives_no_second_place_back_at_its_end)
{
    struct background hung = {.spec.queued = true};
    struct background holder = {.spec.queued = true};
    const struct proc_spec spec = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT, .queued = true};
    background_start(&hung);
    background_start(&holder); /* as soon as the first has left its place */
    background_stop(&hung);
    cr_expect_not(run_for(&spec, 100));
    cr_expect_eq(err.code, ERR_TIMEOUT, "%s", err.text);
    cr_expect_not(result.started);
    background_stop(&holder);
}

Test(proc, a_stop_ends_the_wait_for_a_place)
{
    struct background holder = {.spec.queued = true};
    const struct proc_spec spec = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT, .queued = true};
    background_start(&holder);
    cr_expect_lt(run_and_stop(&spec), 5000);
    cr_expect_eq(err.code, ERR_STOPPED);
    cr_expect_not(result.started);
    background_stop(&holder);
}

/* Kill from outside. */

Test(proc, kill_ends_children_that_run_in_other_threads)
{
    struct background call = {0};
    background_start(&call);
    proc_pool_kill(pool);
    background_join(&call);
    cr_expect_eq(call.err.code, ERR_EXIT);
    cr_expect_eq(call.result.signal, SIGKILL);
}

/* Stuck. */

/*
 * What a dead file server does to a process, done here without one: the first process of a pid
 * namespace cannot end while a process of its namespace is left whose parent, outside, does not
 * reap it. KILL does not help, just as in a system call that waits for a server.
 */
struct stuck {
    struct background call;
    pid_t outside; /* the parent that does not reap, until it gets TERM */
};

/* The parent outside: put a process into the namespace, say so, reap it when told. */
static void outside_main(pid_t inside, int ready)
{
    char path[64];
    int number;
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGTERM);
    sigprocmask(SIG_BLOCK, &told, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails leaves nothing behind */
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)inside);
    if (setns(open(path, O_RDONLY | O_CLOEXEC), CLONE_NEWPID) < 0)
        _exit(1);
    pid_t held = fork();
    if (held == 0) {
        for (;;)
            pause(); /* it only has to be there; KILL comes with the namespace's first process */
    }
    if (held < 0 || eventfd_write(ready, 1) < 0)
        _exit(1);
    sigwait(&told, &number);
    waitpid(held, NULL, 0);
    _exit(0);
}

static void stuck_start(struct stuck *stuck, const char *key)
{
    int ready = eventfd(0, EFD_CLOEXEC);
    struct pollfd polled = {.fd = ready, .events = POLLIN};
    *stuck = (struct stuck){.call = {.own_pid_namespace = true, .spec.key = key}};
    background_start(&stuck->call);
    stuck->outside = fork();
    if (stuck->outside == 0)
        outside_main(stuck->call.pid, ready);
    cr_assert_eq(poll(&polled, 1, 10000), 1, "cannot put a process into the pid namespace");
    close(ready);
    background_stop(&stuck->call);
}

static void stuck_release(struct stuck *stuck)
{
    kill(stuck->outside, SIGTERM);
    waitpid(stuck->outside, NULL, 0);
}

/* The kernel takes a moment to end the released process. */
static bool none_stuck_soon(void)
{
    for (int i = 0; i < 5000 && proc_pool_stuck(pool) > 0; i++)
        poll(NULL, 0, 1);
    return proc_pool_stuck(pool) == 0;
}

TestSuite(proc_stuck, .init = pool_setup, .fini = pool_teardown, .timeout = 30);

Test(proc_stuck, a_child_that_kill_does_not_end_is_given_up_and_reaped_when_it_ends)
{
    struct stuck stuck;
    stuck_start(&stuck, "main/repo1");
    cr_expect_eq(stuck.call.err.code, ERR_STUCK);
    cr_expect_not_null(strstr(stuck.call.err.text, "was killed and does not end"));
    cr_expect_lt(stuck.call.result.duration_ms, 5000);
    cr_expect_eq(proc_pool_stuck(pool), 1);
    stuck_release(&stuck);
    cr_expect(none_stuck_soon());
}

Test(proc_stuck, no_other_child_of_the_same_key_starts_until_it_is_reaped)
{
    struct stuck stuck;
    const struct proc_spec same = {
        .argv = SHELL("true"), .envp = NO_ENVIRONMENT, .key = "main/repo1"};
    stuck_start(&stuck, "main/repo1");
    cr_expect_not(run_for(&same, 10000));
    cr_expect_eq(err.code, ERR_STUCK);
    cr_expect_not_null(strstr(err.text, "for main/repo1 cannot be killed"), "%s", err.text);
    cr_expect_not(result.started);
    stuck_release(&stuck);
    cr_expect(none_stuck_soon());
    cr_expect(run_for(&same, 10000), "%s", err.text);
}

Test(proc_stuck, children_of_other_keys_or_none_still_start)
{
    struct stuck stuck;
    const struct proc_spec other = {
        .argv = SHELL("true"), .envp = NO_ENVIRONMENT, .key = "main/repo2"};
    stuck_start(&stuck, "main/repo1");
    cr_expect(run_for(&other, 10000), "%s", err.text);
    cr_expect(run_shell("true", 10000), "%s", err.text);
    stuck_release(&stuck);
    cr_expect(none_stuck_soon());
}

Test(proc_stuck, a_stuck_child_does_not_keep_its_place)
{
    struct stuck stuck;
    const struct proc_spec queued = {.argv = SHELL("true"), .envp = NO_ENVIRONMENT, .queued = true};
    stuck_start(&stuck, "a");
    cr_expect(run_for(&queued, 10000), "%s", err.text);
    stuck_release(&stuck);
    cr_expect(none_stuck_soon());
}

Test(proc_stuck, nothing_starts_while_as_many_as_the_limit_are_stuck)
{
    struct stuck first;
    struct stuck second;
    stuck_start(&first, "a");
    stuck_start(&second, "b");
    cr_expect_eq(proc_pool_stuck(pool), 2);
    cr_expect_not(run_shell("true", 10000));
    cr_expect_eq(err.code, ERR_SYSTEM, "the fault of neither key");
    cr_expect_not_null(strstr(err.text, "2 is the limit"), "%s", err.text);
    stuck_release(&first);
    stuck_release(&second);
    cr_expect(none_stuck_soon());
    cr_expect(run_shell("true", 10000), "%s", err.text);
}

Test(proc_stuck, freeing_a_pool_does_not_wait_for_a_stuck_child)
{
    struct stuck stuck;
    stuck_start(&stuck, "a");
    int64_t start = clock_monotonic_ms();
    proc_pool_free(pool);
    cr_expect_lt(clock_monotonic_ms() - start, 1000);
    stuck_release(&stuck);
    waitpid(stuck.call.pid, NULL, 0); /* at the end of the program init would do this */
    pool_setup();                     /* for the teardown */
}

/* Tracers. */

/* Pass signals on, and let the ended child wait a while before its parent may reap it. */
static void trace_slowly(pid_t pid, int ready)
{
    siginfo_t info = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || eventfd_write(ready, 1) < 0)
        _exit(1);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_code == CLD_TRAPPED) {
        waitid(P_PID, (id_t)pid, &info, WEXITED);
        bool is_event = info.si_status > 0xFF; /* a stop of the tracer's own, not a signal */
        ptrace(PTRACE_CONT, pid, NULL, is_event ? 0L : (long)info.si_status);
    }
    poll(NULL, 0, 100);
    _exit(0);
}

Test(proc, a_tracer_that_sees_the_end_first_is_waited_for)
{
    struct background call = {.spec.grace_ms = 10000};
    int ready = eventfd(0, EFD_CLOEXEC);
    struct pollfd polled = {.fd = ready, .events = POLLIN};
    background_start(&call);
    pid_t tracer = fork();
    if (tracer == 0)
        trace_slowly(call.pid, ready);
    cr_assert_eq(poll(&polled, 1, 10000), 1, "cannot trace the child");
    background_stop(&call);
    cr_expect_eq(call.err.code, ERR_STOPPED, "%s", call.err.text);
    cr_expect_eq(call.result.signal, SIGTERM);
    cr_expect_lt(call.result.duration_ms, 5000);
    waitpid(tracer, NULL, 0);
    close(ready);
}

/* Nothing is left. */

Test(proc, many_calls_leave_no_descriptor_and_no_process, .timeout = 120)
{
    static const char *const scripts[] = {"echo a", "exit 3", "echo b >&2", "exec sleep 60"};
    cr_assert(run_shell("true", 10000));
    size_t before = open_descriptors();
    for (int i = 0; i < 400; i++) {
        struct proc_result each = {0};
        const struct proc_spec spec = {.argv = SHELL(scripts[i % 4]), .envp = NO_ENVIRONMENT};
        struct bound bound = bound_after(i % 4 == 3 ? 5 : 10000, -1);
        struct err ignored;
        cr_expect_eq(proc_run(pool, &spec, &bound, &each, &ignored), i % 4 % 2 == 0);
        proc_result_done(&each);
    }
    cr_expect_eq(open_descriptors(), before);
}

Test(proc, ten_thousand_failed_starts_leave_no_descriptor)
{
    const char *const argv[] = {"/nowhere/pgbackrest", NULL};
    const struct proc_spec spec = {.argv = argv, .envp = NO_ENVIRONMENT, .queued = true};
    cr_assert_not(run_for(&spec, 10000));
    size_t before = open_descriptors();
    for (int i = 0; i < 10000; i++)
        cr_assert_not(run_for(&spec, 10000));
    cr_expect_eq(open_descriptors(), before);
    cr_expect_eq(err.code, ERR_SYSTEM);
}

/* Use all descriptors up but `spare`; the last one taken. */
static int leave_descriptors(int spare)
{
    int last = -1;
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
        last = fd;
    for (; spare > 0; spare--)
        close(last--);
    return last;
}

Test(proc, without_descriptors_it_fails_with_a_reason_and_leaves_nothing)
{
    enum { NEEDED = 5 }; /* two pipes and a pidfd */
    struct rlimit limit = {.rlim_cur = 200, .rlim_max = 200};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int last = leave_descriptors(0);
    for (int spare = 0; spare <= NEEDED; close(last--), spare++) {
        err = (struct err){0};
        cr_expect_eq(run_shell("true", 10000), spare == NEEDED);
        cr_expect_eq(err.code, spare == NEEDED ? ERR_NONE : ERR_SYSTEM, "%s", err.text);
        cr_expect(none_stuck_soon());
    }
}
