/*
 * own_metrics - what the exporter says of itself: collectors, children, reloads, process.
 */
#ifndef EXPORTER_COMMANDS_OWN_METRICS_H
#define EXPORTER_COMMANDS_OWN_METRICS_H

#include <stddef.h>

#include "exporter/metrics/sink.h"
#include "exporter/schedule/poller.h"

struct own_state {
    double started_at;  /* s since 1970 */
    double reloaded_at; /* when the configuration in force was read */
    bool last_reload_worked;
    size_t stuck_children;
};

/* The descriptors, for lint and documentation. */
extern const struct metric_desc own_metrics[];
extern const size_t own_metric_count;

/* Measure now: reads /proc/self, which never blocks. NULL: out of memory. */
struct sample_set *own_metrics_collect(const struct own_state *state,
                                       const struct poller_status *targets, size_t count) MUST_USE;

#endif
