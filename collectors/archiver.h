/*
 * archiver - what PostgreSQL said of its WAL archiving, for those that combine it with
 * repositories.
 */
#ifndef COLLECTORS_ARCHIVER_H
#define COLLECTORS_ARCHIVER_H

#include <stdbool.h>
#include <stdint.h>

enum archive_mode { ARCHIVE_OFF, ARCHIVE_ON, ARCHIVE_ALWAYS };

/*
 * Target: the stanza's name. Made only when PostgreSQL answered: of a server that is down the last
 * one stays, and is no longer current (struct run_input). Times are s since 1970, 0 for never;
 * names are never NULL, "" for none.
 */
struct archiver_observation {
    bool in_recovery;
    enum archive_mode mode;
    bool has_command; /* archive_command or archive_library is set */
    bool runs;        /* PostgreSQL archives here: mode is on, on a standby always */

    /* pg_stat_archiver; a standby that was a primary still shows its old values */
    uint64_t archived_count, failed_count; /* since stats_reset_at */
    char *last_archived_wal;               /* may be a .partial, .backup or .history file */
    char *last_failed_wal;
    double last_archived_at, last_failed_at, stats_reset_at;
    bool failing; /* it runs, and its newest event is a failure */

    double archive_timeout_s; /* 0: off */
    uint64_t segment_size;
    bool has_last_archived_lsn; /* last_archived_wal is a segment */
    uint64_t last_archived_lsn; /* its end */
    uint64_t waiting_bytes;     /* written behind it; 0 when one of the two is not known */
    bool stalled; /* without a failure whole segments wait, and none was archived for long */

    bool has_position; /* false: the role may not read what follows */
    bool has_lsn;      /* false also on a standby that has replayed nothing yet */
    uint64_t lsn;      /* written to; on a standby: replayed to */
    uint32_t timeline; /* of production itself */
    uint64_t system_id;
};

void archiver_observation_free(struct archiver_observation *seen); /* takes NULL */

/*
 * Fill in waiting_bytes and stalled from the rest, at `now` (s since 1970). Two segments behind
 * means that a whole one waits, wherever in its segment the writer is. Pure.
 */
void archiver_judge_progress(struct archiver_observation *seen, double now);

#endif
