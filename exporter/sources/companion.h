/*
 * companion - a child that runs beside us for long, writes into a file, and lives no longer than
 * we do.
 *
 * proc.h is for children that answer within seconds and whose output is wanted. A restore, or a
 * server that is looked at meanwhile, is another thing: it runs in a process group of its own,
 * with less claim to CPU and disk than anything else, and the kernel ends it when the thread that
 * started it is gone, even by SIGKILL.
 */
#ifndef EXPORTER_SOURCES_COMPANION_H
#define EXPORTER_SOURCES_COMPANION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exporter/base/attrs.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"

/* What to run. Nothing of it is needed after companion_start(). */
struct companion_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is an absolute path */
    const char *const *envp; /* NULL-terminated "NAME=value"; the child sees nothing else */
    const char *log;         /* both outputs are appended to this file, mode 0600 */
    int end_signal;          /* what the kernel sends it when we are gone; KILL ends what it has
                                started in its group, too */
};

/* All-zero: none was started. */
struct companion {
    pid_t pid;    /* 0 once it has ended and was reaped */
    pid_t keeper; /* ends the group when we are gone; 0: none */
    int status;   /* as wait(2) gives it, once it has ended */
    bool started; /* it was, at least once */
};

/*
 * Start it. ERR_SYSTEM when it cannot be run (the text names the program), ERR_MEMORY. The calling
 * thread must live as long as the child shall, and no other thread may run.
 */
bool companion_start(const struct companion_spec *spec, struct companion *ret,
                     struct err *err) MUST_USE;

/* Whether it has ended. Never blocks. */
bool companion_has_ended(struct companion *companion);

/* Wait for its end. ERR_TIMEOUT, ERR_STOPPED: it still runs. Blocks inside the bound only. */
bool companion_wait(struct companion *companion, const struct bound *bound,
                    struct err *err) MUST_USE;

/*
 * End it and all that is left of its group: the signal, after grace_ms KILL. Takes one that has
 * ended and an all-zero struct. Blocks for grace_ms + 1 s at most.
 */
void companion_end(struct companion *companion, int signal, int64_t grace_ms);

/* Whether it ended by itself with status 0. */
bool companion_succeeded(const struct companion *companion);

#endif
