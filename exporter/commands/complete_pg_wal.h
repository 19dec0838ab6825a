/*
 * complete_pg_wal - the WAL that PostgreSQL still has itself, and what a WAL file says of itself.
 *
 * A name in pg_wal proves nothing: PostgreSQL renames used segments to future names and makes new
 * ones full of zeros. Only the first page (PostgreSQL's xlog_internal.h, XLogLongPageHeaderData)
 * tells which segment of which cluster a file holds.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_PG_WAL_H
#define EXPORTER_COMMANDS_COMPLETE_PG_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/model/wal.h"
#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/config/lists.h"

/* Whose WAL. */
struct wal_cluster {
    uint64_t system_id;
    uint64_t segment_size;
};

struct pg_wal {
    char *path;
    struct wal_cluster cluster;
    struct wal_segment writing; /* the segment that is being written; timeline 0: not known */
};

/*
 * Open the pg_wal of a data directory (pg1-path): who the cluster is, from global/pg_control, and
 * how large its segments are, from one of them. ERR_CONFIG: there is no cluster; ERR_PERMISSION:
 * its files may not be read; ERR_PROTOCOL: no segment in pg_wal is of that cluster; ERR_MEMORY.
 * Reads local files. Released by pg_wal_done().
 */
bool pg_wal_open(const char *data_directory, struct pg_wal *ret, struct err *err) MUST_USE;
void pg_wal_done(struct pg_wal *wal);

enum pg_wal_state {
    PG_WAL_NONE,       /* not there, or the file of that name holds something else */
    PG_WAL_UNFINISHED, /* there, but PostgreSQL has not said that it is whole */
    PG_WAL_WHOLE,
};

/* A segment is whole when archiving knows it (archive_status) or when it lies before `writing`. */
enum pg_wal_state pg_wal_state(const struct pg_wal *wal, const struct wal_segment *segment);

/*
 * Copy a segment to a new file. ERR_OTHER: PostgreSQL has removed or renamed it meanwhile;
 * ERR_SYSTEM (no room); ERR_MEMORY. A file that was begun stays.
 */
bool pg_wal_copy(const struct pg_wal *wal, const struct wal_segment *segment, const char *to,
                 struct err *err) MUST_USE;

/* Add the names of the history files in it. ERR_SYSTEM, ERR_PERMISSION, ERR_MEMORY. */
bool pg_wal_histories(const struct pg_wal *wal, struct text_list *ret, struct err *err) MUST_USE;

/* Read one of them, up to TIMELINE_HISTORY_LIMIT. *ret must be empty. ERR_SYSTEM, ERR_MEMORY. */
bool pg_wal_history(const struct pg_wal *wal, const char *name, struct strbuf *ret,
                    struct err *err) MUST_USE;

/* Whether the file is that segment of that cluster, by its size and first page. ERR_PROTOCOL tells
 * what it is instead. */
bool wal_file_check(const char *path, const struct wal_cluster *cluster,
                    const struct wal_segment *segment, struct err *err) MUST_USE;

#endif
