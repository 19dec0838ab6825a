/*
 * wal - what other collectors may know of the files in a repository: WAL, histories, backup
 * folders.
 */
#ifndef COLLECTORS_WAL_H
#define COLLECTORS_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/model/timeline.h"
#include "collectors/restore.h"
#include "collectors/stored_wal.h"
#include "exporter/base/err.h"

/* A history file. */
struct wal_history {
    struct timeline timeline;
    bool broken;        /* it cannot be understood: of the timeline only the id is known */
    int64_t size, time; /* of the file */
};

/*
 * Target: "main/repo1". Published when the repository is down too: all but the first four is then
 * of the last time it could be listed.
 */
struct wal_observation {
    char *stanza;
    int64_t repo_key;
    bool readable;        /* now */
    enum err_code reason; /* why not */

    double listed_at;           /* when the listing began, s since 1970; 0: it was never listed */
    int64_t database_id;        /* the newest one that has an archive; 0: there is none */
    struct wal_archive archive; /* of that database; the reader sets the segment size */
    bool archive_listed;        /* every folder of it was looked into */
    struct wal_history *histories; /* the history files in it */
    size_t history_count;
    struct backup_folder *folders; /* every folder of a backup, by label; labels owned */
    size_t folder_count;
};

/* ERR_MEMORY. The folders of WAL are shared, all else is copied. */
bool wal_observation_copy(const struct wal_observation *observation, struct wal_observation **ret,
                          struct err *err) MUST_USE;
void wal_observation_free(void *opaque); /* takes NULL */

/* The history of that timeline, or NULL: there is none, or it is broken. */
const struct timeline *wal_observation_history(const struct wal_observation *observation,
                                               uint32_t id);

#endif
