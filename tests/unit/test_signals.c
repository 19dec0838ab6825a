#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "exporter/commands/signals.h"

static void expect_through_descriptor(int sent)
{
    struct signalfd_siginfo info = {0};
    int fd = signals_take();
    cr_assert_geq(fd, 0);
    cr_expect_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
    kill(getpid(), sent);
    cr_assert_eq(read(fd, &info, sizeof info), (ssize_t)sizeof info);
    cr_expect_eq(info.ssi_signo, (uint32_t)sent);
    close(fd);
}

Test(signals, term_comes_through_the_descriptor)
{
    expect_through_descriptor(SIGTERM);
}

Test(signals, an_interrupt_comes_through_the_descriptor)
{
    expect_through_descriptor(SIGINT);
}

Test(signals, a_hangup_comes_through_the_descriptor)
{
    expect_through_descriptor(SIGHUP);
}
