/*
 * poller - runs every collector's targets in threads of their own and keeps what they bring.
 *
 * One thread per (collector, target), so that one that hangs delays no other. A failing target is
 * tried less and less often. Combining collectors run in one further thread after publications.
 */
#ifndef EXPORTER_SCHEDULE_POLLER_H
#define EXPORTER_SCHEDULE_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/metrics/exposition.h"
#include "exporter/schedule/collector.h"
#include "exporter/schedule/snapshot.h"

struct poller;

/* A collector with the targets that it shall watch. */
struct poller_plan {
    const struct collector *collector;
    struct target_list targets;
};

/* How a target stands, for pages and the exporter's own metrics. Freed by poller_status_free(). */
struct poller_status {
    const struct collector *collector;
    char *target;
    struct label *labels;   /* of the target, ended by a NULL name */
    uint64_t failures;      /* runs that ended RUN_FAILED since the target began */
    double running_s;       /* how long the present collect() has been running; 0 when it is not */
    double last_success_at; /* s since 1970, RUN_OK or RUN_DOWN; 0 for never */
    bool combines;
    struct snapshot *snapshot; /* a reference of its own; NULL before the first run has ended */
};

struct poller *poller_new(struct proc_pool *pool) MUST_USE;

/*
 * For who asks only once, before poller_apply(): a target whose collector needs several looks takes
 * the next one soon, whatever its interval is.
 */
void poller_hurry(struct poller *poller);

/*
 * Whether every target has run as often as its collector needs, and every one that combines has
 * seen all that concerns it. False before poller_apply().
 */
bool poller_settled(struct poller *poller);

/*
 * Make the running targets those of the plans. Equal ones (collector, name, fingerprint) go on
 * undisturbed, others are stopped or started. Takes the target lists over. settings must stay
 * valid until every target opened with them is gone: release_settings(settings) is called then.
 * Does not wait for stopping threads. ERR_SYSTEM, ERR_MEMORY: when the targets cannot all be made
 * (no descriptor is left, say) nothing changes; when a thread cannot be started the others run.
 */
bool poller_apply(struct poller *poller, struct poller_plan *plans, size_t count,
                  const struct settings *settings,
                  void (*release_settings)(const struct settings *), struct err *err) MUST_USE;

/* Free the targets that were stopped and whose threads have ended; returns how many are left. */
size_t poller_reap(struct poller *poller);

/* Ask every thread to stop and wait up to wait_ms; true when all have ended. */
bool poller_stop(struct poller *poller, int64_t wait_ms) MUST_USE;

/* Free after poller_stop() returned true. Takes NULL. */
void poller_free(struct poller *poller);

/*
 * The present state of all targets, in the order of the plans. Freed by poller_status_free().
 * NULL with a count of 0 when out of memory.
 */
struct poller_status *poller_status(struct poller *poller, size_t *ret_count) MUST_USE;
void poller_status_free(struct poller_status *list, size_t count);

/*
 * For how long the slowest of its threads has not been heard of beyond its time: the deadline of
 * a look, or the start of the next one. 0 when none is late. It grows for as long as a thread
 * hangs; a target that does not answer is given up at the deadline and makes nobody late.
 */
int64_t poller_overdue_ms(struct poller *poller);

/* Whether there are targets to run and each has finished its first run: what /-/ready says. A
 * configuration without any target is ready too, once it was applied. */
bool poller_ready(struct poller *poller);

#endif
