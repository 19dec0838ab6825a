/*
 * snapshot - what one collection of one target brought: immutable, shared, counted.
 *
 * A snapshot carries with it the last good one before it, as long as it is needed: its facts are
 * still served and its observation is still the last known, while the present says "down".
 */
#ifndef EXPORTER_SCHEDULE_SNAPSHOT_H
#define EXPORTER_SCHEDULE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/metrics/exposition.h"
#include "exporter/metrics/sink.h"
#include "exporter/report/report.h"
#include "exporter/schedule/collector.h"

enum run_outcome { RUN_OK, RUN_DOWN, RUN_FAILED };

/* Read-only for all but snapshot.c and the poller that makes it. */
struct snapshot {
    const struct collector *collector;
    char *target;         /* its name */
    struct label *labels; /* its labels, ended by a NULL name */
    enum run_outcome outcome;
    struct err error;  /* why it is down or failed; ERR_NONE when RUN_OK */
    double started_at; /* s since 1970 */
    double duration_s;
    int64_t expires_ms;         /* monotonic: from then on states and outcomes are withheld */
    struct sample_set *samples; /* of this run */
    struct report *report;      /* of this run; may be NULL */
    const void *observation;    /* of this run; NULL when it made none */
    struct snapshot *last_good; /* the last RUN_OK one before, unless this is RUN_OK; may be NULL */

    /* For snapshot.c alone. */
    void (*observation_free)(void *);
    atomic_uint references;
};

/* Everything a finished run produced, handed over to the new snapshot. */
struct snapshot_parts {
    const struct collector *collector;
    const struct target *target;
    enum run_outcome outcome;
    const struct err *error;
    double started_at, duration_s;
    int64_t expires_ms;
    struct sample_set *samples;
    struct report *report;
    void *observation;
    void (*observation_free)(void *);
    struct snapshot *before; /* the target's present snapshot; its last good one is kept on */
};

/*
 * A snapshot with one reference. It takes samples, report and observation over (frees them when
 * it fails: NULL, out of memory) and a reference of its own to the last good one in `before`.
 */
struct snapshot *snapshot_new(const struct snapshot_parts *parts) MUST_USE;

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* takes NULL */
void snapshot_unrefp(struct snapshot **snapshot);

/*
 * Its own observation, else that of the last good run; NULL when there never was one. The time
 * of the run that made it (s since 1970) goes to *ret_at.
 */
const void *snapshot_observation(const struct snapshot *snapshot, double *ret_at);

/* Whether its run is not too old at `now_ms` (monotonic) to be called the present. */
bool snapshot_is_fresh(const struct snapshot *snapshot, int64_t now_ms);

/* Whether its run was good and it is not too old at `now_ms` (monotonic). */
bool snapshot_is_current(const struct snapshot *snapshot, int64_t now_ms);

/* Add to a page what is still true at `now_ms` (monotonic): the rule of states, facts, outcomes. */
void snapshot_expose(const struct snapshot *snapshot, int64_t now_ms, struct exposition *page);

#endif
