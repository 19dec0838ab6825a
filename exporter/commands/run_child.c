#include "exporter/commands/run_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* What we block for ourselves, and the SIGPIPE that we ignore, are the program's own affair. */
static int spawn(char *const argv[], char *const envp[], pid_t *ret)
{
    posix_spawnattr_t attributes;
    sigset_t none, ignored;
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    error = posix_spawn(ret, argv[0], NULL, &attributes, argv, envp);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* The terminal sends Ctrl-C to the whole group: pgbackrest would get it twice. */
static void pass_on(int signals, int child)
{
    struct signalfd_siginfo signal;
    if (read(signals, &signal, sizeof signal) == (ssize_t)sizeof signal &&
        signal.ssi_code != SI_KERNEL)
        pidfd_send_signal(child, (int)signal.ssi_signo, NULL, 0);
}

static void wait_for_end(int child, int signals)
{
    struct pollfd fds[] = {{.fd = child, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    while (!(fds[0].revents & POLLIN)) {
        if (poll(fds, COUNT_OF(fds), -1) > 0 && (fds[1].revents & POLLIN))
            pass_on(signals, child);
    }
}

bool run_child(char *const argv[], char *const envp[], int signals, int *ret_status,
               struct err *err)
{
    pid_t pid = 0;
    int status = 0;
    int error = spawn(argv, envp, &pid);
    if (error != 0)
        return err_system(err, error, "cannot run %s (pgbackrest.command)", argv[0]);
    int child CLEANUP(close_fd) = pidfd_open(pid, 0);
    if (child >= 0) /* else it gets no signal from us, but its end is waited for */
        wait_for_end(child, signals);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_status =
        WIFEXITED(status) ? WEXITSTATUS(status) : RUN_CHILD_SIGNAL_STATUS + WTERMSIG(status);
    return true;
}
