/*
 * verdict_restore_point - how far a repository is behind PostgreSQL, and up to which moment nothing
 * would be lost.
 *
 * PostgreSQL is looked at more often than the repository. So what it said is remembered: a listing
 * is compared with what had been archived before it began.
 */
#ifndef COLLECTORS_VERDICT_RESTORE_POINT_H
#define COLLECTORS_VERDICT_RESTORE_POINT_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/archiver.h"
#include "collectors/queue.h"
#include "collectors/restore.h"

#define ARCHIVED_MAX 64

/*
 * What an idle server still writes: after a switch of segments 328 bytes were measured for a
 * checkpoint and what belongs to it; a transaction of one row took 104. Less than this behind the
 * last segment of a repository is nothing that waits.
 */
#define POINT_HOUSEKEEPING_BYTES 512

/* All-zero at first. */
struct point_memory {
    struct {
        double known_at; /* s since 1970 */
        struct wal_segment segment;
    } archived[ARCHIVED_MAX]; /* each last_archived_wal that was seen, the oldest first */
    size_t archived_count;
    double covered_at;    /* when all that was written lay in the repository; 0: never seen so */
    uint64_t covered_lsn; /* up to where it was written then */
};

/* What PostgreSQL is known to have archived by `now`. */
void point_note(struct point_memory *memory, const struct archiver_observation *archiver,
                double now);

struct point_input {
    const struct restore_input *input;
    const struct restore_summary *summary;
    double listed_at;                            /* when the listing began */
    const struct archiver_observation *archiver; /* NULL unless it is of now and of production */
    double archiver_at;                          /* when that was asked for */
    const struct queue_observation *queue;       /* the same; NULL: not known */
};

struct point {
    bool has_behind;
    uint64_t behind; /* segments archived before the listing, and not reached in it */
    bool has_unarchived;
    uint64_t unarchived_bytes; /* written, and not reached in the listing */
    double moment; /* what was written by then is not lost, s since 1970; 0: not known */
};

/*
 * The summary must have a window for a moment. Behind is never told across timelines. The moment is
 * that of the last segment reached, or when all that was written was last seen to be in it: on an
 * idle server now. It is never later than since when the next segment waits to be archived: those
 * that arrive late, after an outage, were stored long after what is in them.
 */
struct point point_judge(struct point_memory *memory, const struct point_input *input);

#endif
