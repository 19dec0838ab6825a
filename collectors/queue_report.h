/*
 * queue_report - the findings on WAL that waits, in words.
 */
#ifndef COLLECTORS_QUEUE_REPORT_H
#define COLLECTORS_QUEUE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/queue.h"
#include "collectors/queue_drops.h"
#include "collectors/queue_options.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"
#include "exporter/sources/probe_folder.h"

/* What one look saw. It owns its errors only. */
struct queue_view {
    const struct queue_observation *seen; /* NULL: PostgreSQL did not answer */
    const struct err *hidden;             /* why the queue may not be looked into, or NULL */
    const struct queue_options *options;
    const struct queue_drops *drops;
    double now;            /* when it was, s since 1970 */
    double pace;           /* of the queue, in bytes a second; 0: it does not grow */
    bool is_elsewhere;     /* the server runs on another host: nothing of it is here */
    struct err host_error; /* of the first thing on this host that did not answer */
    struct err room_error; /* why the child that looks at pg_wal did not answer */
    bool has_room;
    uint64_t size_bytes, avail_bytes; /* of the file system of pg_wal */
    struct strbuf errors;             /* what pgBackRest wrote of pushes that failed */
};

/* Take the texts of failed pushes over. */
void queue_view_errors(struct queue_view *view, const struct probe_folder *spool);
void queue_view_done(struct queue_view *view);

void queue_report(struct report *report, const struct queue_view *view);

/* How many segments failed for a repository; `waiting`: files that global.error stands for. Pure.
 */
uint64_t queue_failing(const struct probe_folder *spool, int64_t repo_key, uint64_t waiting);

#endif
