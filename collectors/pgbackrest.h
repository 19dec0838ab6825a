/*
 * pgbackrest - one short pgbackrest command on one stanza of one repository.
 *
 * argv holds the command, --no-config, --stanza and, where it is known, --repo; everything else
 * travels in the environment that collectors/repository.h makes.
 */
#ifndef COLLECTORS_PGBACKREST_H
#define COLLECTORS_PGBACKREST_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/repository.h"
#include "exporter/base/attrs.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/sources/proc.h"

/* Everything it points to must outlive the call. */
struct pgbackrest_call {
    struct proc_pool *pool;
    const char *program; /* absolute path of pgbackrest: the configuration's pgbackrest.command */
    const struct stanza_repository *repository;
    const struct repository_env *env;
    const char *const *arguments; /* the command and its own options, NULL-ended */
    const char *key;              /* what a child may get stuck on: see proc.h */
    bool takes_no_repo; /* as archive-push: it works on every repository that the environment has */
};

/*
 * Prepare an environment for a command whose end we wait for, for time_ms: no log file, errors on
 * stderr, and an io-timeout that lets pgbackrest itself say what it waited for before it is
 * killed, unless the configuration sets one. ERR_MEMORY.
 */
bool pgbackrest_prepare(struct repository_env *env, int64_t time_ms, struct err *err) MUST_USE;

/*
 * Run it, queued in the pool and inside the bound: the time to kill a child is taken off it. True
 * when it ended with status 0. On false *err holds, redacted and with the repository named:
 * the reason that its messages tell (reason_of_exit) when it ended with an error, ERR_CONFIG when
 * the program cannot be run at all, else what proc_run() says; *result holds what was read.
 */
bool pgbackrest_run(const struct pgbackrest_call *call, const struct bound *bound,
                    struct proc_result *result, struct err *err) MUST_USE;

/*
 * Whether a failure of pgbackrest_run() is the repository's (it is refused, or it hung for at
 * least half of time_ms, all that the caller had) rather than ours (no such program, no place in
 * the queue or one too late, stopped, out of memory).
 */
bool pgbackrest_failure_is_repository(const struct proc_result *result, int64_t time_ms,
                                      const struct err *err);

/*
 * Version of the program ("2.45"), or NULL when it does not say. A child of its own, without any
 * options; freed by the caller.
 */
char *pgbackrest_version(struct proc_pool *pool, const char *program,
                         const struct bound *bound) MUST_USE;

#endif
