/*
 * proc - runs another program under a deadline and with limits, and never loses it.
 *
 * A child runs in its own process group with a fixed environment, /dev/null as input and no
 * inherited descriptors. At its deadline the group gets TERM, after a grace KILL. A child that
 * even KILL does not end (it waits in the kernel for a dead file server) is "stuck": it is kept in
 * the pool and reaped when the kernel lets it go. No shell, no PATH search.
 */
#ifndef EXPORTER_SOURCES_PROC_H
#define EXPORTER_SOURCES_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "exporter/base/attrs.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* All children of the process; one lock guards the whole. Safe from any thread. */
struct proc_pool;

struct proc_limits {
    size_t at_once; /* places: a child of a spec with `queued` holds one in its first 2 seconds, so
                       that one which hangs keeps no other from starting */
    size_t stuck;   /* stuck children after which nothing new is started */
};

/* What to run. Everything it points to must outlive the call. */
struct proc_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is an absolute path */
    const char *const *envp; /* NULL-terminated "NAME=value"; the child sees nothing else */
    const char *key;     /* what it may get stuck on ("main/repo1", a mount): while a stuck child
                            of the same key is left no other is started. NULL: no such rule */
    bool queued;         /* waits for one of limits.at_once places, inside the deadline */
    int64_t grace_ms;    /* from TERM to KILL, and from KILL to "stuck"; 0 means 500 */
    size_t output_limit; /* bytes of stdout; 0 means 16 MiB */
    size_t error_limit;  /* bytes of stderr, the rest is read and dropped; 0 means 256 KiB */
};

/* What came of it. Start from an all-zero struct; release with proc_result_done(). */
struct proc_result {
    struct strbuf output; /* stdout */
    struct strbuf errors; /* stderr */
    bool started;
    bool interrupted; /* it was told to end, whatever its status says then */
    bool exited;      /* it ended with a status, not by a signal: exit_status is valid */
    int exit_status;
    int signal;          /* the signal that ended it, or 0 */
    int64_t duration_ms; /* from its start: the wait for a place is not in it */
    double cpu_seconds;  /* user and system time of the child and what it reaped */
};

/* A pool; both limits are at least 1. NULL when out of memory or descriptors. */
struct proc_pool *proc_pool_new(const struct proc_limits *limits) MUST_USE;

/* Kill what still runs and free the pool. No call may be running in it. Takes NULL. */
void proc_pool_free(struct proc_pool *pool);

/* Send KILL to every child's group, stuck ones too, and return at once. Async-signal-unsafe. */
void proc_pool_kill(struct proc_pool *pool);

/* Reap the stuck children that have ended; returns how many are left. Never blocks. */
size_t proc_pool_stuck(struct proc_pool *pool);

/*
 * Run spec->argv and gather its output.
 *
 * Returns true only when the program ended by itself with status 0 inside the bound and within
 * the output limit. On false *err holds ERR_TIMEOUT (its text names the program and the limit),
 * ERR_STOPPED (the bound's stop descriptor became readable), ERR_STUCK (it could not be killed, or
 * one of the same key still is), ERR_TOO_BIG, ERR_EXIT (status or signal; see *result) or
 * ERR_SYSTEM (also when as many as the pool's limit are stuck), and *result still holds what was
 * read. The end is the end of the process, not of the pipe: a grandchild that keeps the pipe open
 * is ended with the group and does not delay the call. What else is left in the group is killed
 * too. Blocks for at most the bound's rest + 2 * grace_ms. Safe from any thread; the process must
 * have descriptors 0 to 2 open and neither ignore SIGCHLD nor reap children it does not know
 * (wait(-1)).
 */
bool proc_run(struct proc_pool *pool, const struct proc_spec *spec, const struct bound *bound,
              struct proc_result *result, struct err *err) MUST_USE;

/* Free the texts and make the struct all-zero. */
void proc_result_done(struct proc_result *result);

#endif
