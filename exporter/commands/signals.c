#include "exporter/commands/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

int signals_take(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* every thread started later inherits it */
    return signalfd(-1, &signals, SFD_CLOEXEC);
}
