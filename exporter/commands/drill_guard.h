/*
 * drill_guard - what a drill must not outlast, fill up or stand in the way of.
 */
#ifndef EXPORTER_COMMANDS_DRILL_GUARD_H
#define EXPORTER_COMMANDS_DRILL_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/commands/drill_scratch.h"
#include "exporter/commands/run_wait.h"
#include "exporter/sources/companion.h"

/* Nothing is owned. */
struct drill_guard {
    struct bound bound;
    const struct drill_scratch *scratch;
    uint64_t keep_free; /* bytes that must stay free where the scratch folder is */
    /* A real restore of the stanza, of whichever repository, by the lock it takes (pgBackRest 2.60;
     * 2.55.1 takes none); NULL: nobody looks. */
    const struct run_wait *restore;
};

/*
 * Whether the drill may go on. ERR_TIMEOUT, ERR_STOPPED; ERR_STUCK: a real restore of the stanza
 * runs, which needs the host more; ERR_TOO_BIG: the scratch folder's file system is nearly full.
 * Reads local files; takes no lock.
 */
bool drill_guard_allows(const struct drill_guard *guard, struct err *err) MUST_USE;

/* Wait for the child's end as long as the guard allows; it still runs when it does not. */
bool drill_guard_wait(const struct drill_guard *guard, struct companion *child,
                      struct err *err) MUST_USE;

#endif
