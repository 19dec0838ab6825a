/*
 * queue_report - the findings on WAL that waits, in words.
 */
#ifndef COLLECTORS_QUEUE_REPORT_H
#define COLLECTORS_QUEUE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/queue.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"
#include "exporter/sources/probe_folder.h"

/* What one look saw. */
struct queue_view {
    const char *stanza;
    const struct queue_observation *seen; /* NULL: PostgreSQL did not answer */
    const struct err *hidden;             /* why the queue may not be looked into, or NULL */
    struct err host_error;                /* of the first thing on this host that did not answer */
    bool is_async;
    bool has_room;
    uint64_t size_bytes, avail_bytes; /* of the file system of pg_wal */
    uint64_t queue_max;               /* 0: no limit */
    uint64_t dropped;
    struct strbuf errors; /* what pgBackRest wrote of pushes that failed */
};

/* Take the texts of failed pushes over. */
void queue_view_errors(struct queue_view *view, const struct probe_folder *spool);
void queue_view_done(struct queue_view *view);

void queue_report(struct report *report, const struct queue_view *view);

/* How many segments failed for a repository; `waiting`: files that global.error stands for. Pure.
 */
uint64_t queue_failing(const struct probe_folder *spool, int64_t repo_key, uint64_t waiting);

#endif
