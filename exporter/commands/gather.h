/*
 * gather - lets every collector look once, for commands that answer and end.
 */
#ifndef EXPORTER_COMMANDS_GATHER_H
#define EXPORTER_COMMANDS_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/schedule/poller.h"
#include "exporter/sources/proc.h"

/* What was gathered: look at it through the poller. Ended by gathering_end(). */
struct gathering {
    struct proc_pool *pool;
    struct poller *poller;
    bool complete; /* everything was looked at within the limit */
};

/*
 * Start every enabled collector and wait until all of them have seen everything (those whose word
 * needs two looks take two), for at most limit_ms. Takes the settings over, also when it fails.
 * A limit that is reached is no failure: what hangs then has no snapshot. ERR_STOPPED: TERM, INT or
 * HUP came, which are blocked from now on; ERR_SYSTEM; ERR_MEMORY. *ret is to be ended either way.
 */
bool gather(struct settings *settings, int64_t limit_ms, struct gathering *ret,
            struct err *err) MUST_USE;

/*
 * Stop the collectors and free all. What cannot be stopped within 1 s is left to the end of the
 * process, with its children killed. Takes an all-zero struct.
 */
void gathering_end(struct gathering *gathering);

#endif
