/*
 * queue_drops - counts the WAL segments that were dropped, each once.
 *
 * Their traces stay for a while and then go, so the same one is found again at each look. Pure.
 */
#ifndef COLLECTORS_QUEUE_DROPS_H
#define COLLECTORS_QUEUE_DROPS_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

#define QUEUE_DROPS_MAX 4096 /* names that are remembered; the oldest are forgotten */

/* Start from an all-zero struct; release with queue_drops_done(). */
struct queue_drops {
    struct text_list known;
    uint64_t count;  /* since the first look */
    double last_at;  /* when the last one was found, s since 1970; 0: none was */
    bool has_looked; /* what the first look finds was dropped before it, and is not counted */
};

/* What a look at that time has found. ERR_MEMORY; what was counted until then stays. */
bool queue_drops_add(struct queue_drops *drops, const struct text_list *found, double now,
                     struct err *err) MUST_USE;

void queue_drops_done(struct queue_drops *drops);

#endif
