/*
 * backup_summary - what there is in one repository: how many backups of each type, and the newest.
 *
 * Pure. Only backups of the database that is served now count: after a stanza-upgrade those of the
 * old cluster restore the old cluster. A type never stands for another one.
 */
#ifndef COLLECTORS_BACKUP_SUMMARY_H
#define COLLECTORS_BACKUP_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/parse/info.h"

enum backup_type { BACKUP_FULL, BACKUP_DIFF, BACKUP_INCR, BACKUP_TYPE_COUNT };

/* "full", "diff", "incr": pgBackRest's names and the values of the label backup_type. */
const char *backup_type_name(enum backup_type type);

struct backup_summary {
    const struct info_database *database; /* the current one; NULL when there is none */
    size_t count[BACKUP_TYPE_COUNT];
    const struct info_backup *newest[BACKUP_TYPE_COUNT]; /* by the time it ended, or NULL */
    const struct info_backup *latest;                    /* the newest of any type, or NULL */
    const struct info_backup *oldest;                    /* of any type, or NULL */
    size_t damaged;                                      /* with page checksum errors */
    bool damage_known;    /* not so when no backup says whether it has any */
    int64_t stored_bytes; /* of the backups of every database, INFO_SIZE_UNKNOWN when none says */
};

/* Everything in it points into the stanza. */
struct backup_summary backup_summary(const struct info_stanza *stanza, int64_t repo_key);

/* Whether a backup is in that repository and of its current database. */
bool backup_is_current(const struct info_backup *backup, int64_t repo_key,
                       const struct info_database *database);

#endif
