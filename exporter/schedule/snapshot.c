#include "exporter/schedule/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Take over what the parts own. On a failure later on, snapshot_unref() frees it. */
static void adopt(struct snapshot *snapshot, const struct snapshot_parts *parts)
{
    snapshot->collector = parts->collector;
    snapshot->outcome = parts->outcome;
    snapshot->error = *parts->error;
    snapshot->started_at = parts->started_at;
    snapshot->duration_s = parts->duration_s;
    snapshot->expires_ms = parts->expires_ms;
    snapshot->samples = parts->samples;
    snapshot->report = parts->report;
    snapshot->observation = parts->observation;
    snapshot->observation_free = parts->observation_free;
    atomic_init(&snapshot->references, 1);
}

/* The newest good snapshot at or before this one; only it is kept, never a chain. */
static struct snapshot *newest_good(struct snapshot *snapshot)
{
    if (!snapshot)
        return NULL;
    return snapshot->outcome == RUN_OK ? snapshot : snapshot->last_good;
}

static void free_parts(const struct snapshot_parts *parts)
{
    sample_set_free(parts->samples);
    report_free(parts->report);
    if (parts->observation)
        parts->observation_free(parts->observation);
}

struct snapshot *snapshot_new(const struct snapshot_parts *parts)
{
    struct snapshot *snapshot CLEANUP(snapshot_unrefp) = calloc(1, sizeof *snapshot);
    if (!snapshot) {
        free_parts(parts);
        return NULL;
    }
    adopt(snapshot, parts);
    snapshot->target = strdup(parts->target->name);
    snapshot->labels = label_list_copy(parts->target->labels);
    if (!snapshot->target || !snapshot->labels)
        return NULL;
    if (parts->outcome != RUN_OK)
        snapshot->last_good = snapshot_ref(newest_good(parts->before));
    return TAKE(snapshot);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    if (snapshot)
        atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

static void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot->observation) {
        void *owned = (void *)(uintptr_t)snapshot->observation;
        snapshot->observation_free(owned);
    }
    sample_set_free(snapshot->samples);
    report_free(snapshot->report);
    label_list_free(snapshot->labels);
    free(snapshot->target);
    snapshot_unref(snapshot->last_good); /* one level deep: a good one has none before it */
    free(snapshot);
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot && atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) == 1)
        snapshot_free(snapshot);
}

void snapshot_unrefp(struct snapshot **snapshot)
{
    snapshot_unref(*snapshot);
}

const void *snapshot_observation(const struct snapshot *snapshot, double *ret_at)
{
    if (!snapshot->observation && snapshot->last_good)
        snapshot = snapshot->last_good;
    *ret_at = snapshot->started_at;
    return snapshot->observation;
}

bool snapshot_is_fresh(const struct snapshot *snapshot, int64_t now_ms)
{
    return now_ms < snapshot->expires_ms;
}

bool snapshot_is_current(const struct snapshot *snapshot, int64_t now_ms)
{
    return snapshot->outcome == RUN_OK && snapshot_is_fresh(snapshot, now_ms);
}

void snapshot_expose(const struct snapshot *snapshot, int64_t now_ms, struct exposition *page)
{
    unsigned which = WRITE_FACTS | WRITE_CONFIGURED;
    if (snapshot_is_fresh(snapshot, now_ms))
        which |= WRITE_STATES | WRITE_OUTCOMES;
    exposition_add(page, snapshot->samples, which);
    if (snapshot->last_good)
        exposition_add(page, snapshot->last_good->samples, WRITE_FACTS);
}
