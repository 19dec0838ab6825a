#include "exporter/sources/companion.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MS 50
#define KILL_MS       1000
#define NICE          15

/* ioprio_set(2): it has no wrapper in the C library. Best effort, the last of its class. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_LOWEST      ((2 << 13) | 7)

/* Between fork() and exec(): async-signal-safe calls only. */
static void become_child(const struct companion_spec *spec, pid_t parent, int output)
{
    sigset_t none;
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, spec->end_signal);
    if (getppid() != parent) /* it was gone before that */
        _exit(127);
    setpgid(0, 0);
    setpriority(PRIO_PROCESS, 0, NICE);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_LOWEST);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL); /* ignored by us, and inherited */
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0 || chdir("/") < 0)
        _exit(127);
}

/* The errno of a failed exec, through a pipe that a successful one closes; 0: it worked. */
static int exec_error(int fd)
{
    int error = 0;
    ssize_t length;
    do
        length = read(fd, &error, sizeof error);
    while (length < 0 && errno == EINTR);
    return length == (ssize_t)sizeof error ? error : 0;
}

static void run_child(const struct companion_spec *spec, pid_t parent, int output, int report)
{
    become_child(spec, parent, output);
    execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv,
           (char *const *)(uintptr_t)spec->envp);
    int error = errno;
    ssize_t done = write(report, &error, sizeof error);
    (void)done;
    _exit(127);
}

/*
 * The kernel ends our child when we are gone, not what that has started: a worker of pgbackrest
 * would go on to write its file, into a folder that nobody watches any more. So another child of
 * ours stands in the group and takes all of it along.
 */
static void keep(pid_t group, pid_t parent)
{
    sigset_t told;
    int number = 0;
    close_range(0, ~0U, 0);
    sigemptyset(&told);
    sigaddset(&told, SIGUSR1);
    if (setpgid(0, group) != 0 || sigprocmask(SIG_BLOCK, &told, NULL) != 0)
        _exit(127); /* no group of ours to end */
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    while (getppid() == parent && sigwait(&told, &number) != 0)
        continue;
    kill(0, SIGKILL);
}

static bool start_keeper(struct companion *companion, struct err *err)
{
    pid_t parent = getpid();
    companion->keeper = fork();
    if (companion->keeper == 0)
        keep(companion->pid, parent);
    if (companion->keeper > 0)
        return true;
    int error = errno;
    companion->keeper = 0;
    companion_end(companion, SIGKILL, 0);
    return err_system(err, error, "cannot start a process");
}

static bool start(const struct companion_spec *spec, int output, struct companion *ret,
                  struct err *err)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_system(err, errno, "cannot make a pipe");
    pid_t pid = fork();
    int error = pid < 0 ? errno : 0;
    if (pid == 0)
        run_child(spec, parent, output, ends[1]);
    close(ends[1]);
    error = pid < 0 ? error : exec_error(ends[0]);
    close(ends[0]);
    if (pid > 0 && error)
        waitpid(pid, NULL, 0);
    if (error)
        return err_system(err, error, "cannot run %s", spec->argv[0]);
    struct companion companion = {.pid = pid, .started = true};
    if (spec->end_signal == SIGKILL && !start_keeper(&companion, err))
        return false;
    *ret = companion;
    return true;
}

bool companion_start(const struct companion_spec *spec, struct companion *ret, struct err *err)
{
    int output = open(spec->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (output < 0)
        return err_system(err, errno, "cannot write %s", spec->log);
    bool started = start(spec, output, ret, err);
    close(output);
    return started;
}

bool companion_has_ended(struct companion *companion)
{
    if (companion->pid == 0)
        return true;
    pid_t pid = waitpid(companion->pid, &companion->status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return false;
    kill(-companion->pid, SIGKILL); /* what it left in its group */
    if (companion->keeper > 0) {
        kill(companion->keeper, SIGKILL); /* it may not be in the group yet */
        waitpid(companion->keeper, NULL, 0);
    }
    companion->keeper = 0;
    companion->pid = 0;
    return true;
}

bool companion_wait(struct companion *companion, const struct bound *bound, struct err *err)
{
    struct pollfd stop = {.fd = bound->stop_fd, .events = POLLIN};
    while (!companion_has_ended(companion)) {
        int left_ms = bound_remaining_ms(bound);
        if (left_ms == 0)
            return err_set(err, ERR_TIMEOUT, "it has not ended in time");
        if (poll(&stop, 1, left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS) > 0)
            return err_set(err, ERR_STOPPED, "told to stop");
    }
    return true;
}

static void wait_for_end(struct companion *companion, int64_t wait_ms)
{
    struct bound bound = bound_after(wait_ms, -1);
    struct err late = {0};
    if (!companion_wait(companion, &bound, &late))
        return; /* the caller sees that it still runs */
}

void companion_end(struct companion *companion, int signal, int64_t grace_ms)
{
    if (companion_has_ended(companion))
        return;
    kill(companion->pid, signal);
    wait_for_end(companion, grace_ms);
    if (companion->pid == 0)
        return;
    kill(-companion->pid, SIGKILL);
    wait_for_end(companion, KILL_MS);
}

bool companion_succeeded(const struct companion *companion)
{
    return companion->started && companion->pid == 0 && WIFEXITED(companion->status) &&
           WEXITSTATUS(companion->status) == 0;
}
