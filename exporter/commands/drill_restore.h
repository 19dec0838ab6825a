/*
 * drill_restore - which backup a drill restores, and pgbackrest doing so into the scratch folder.
 */
#ifndef EXPORTER_COMMANDS_DRILL_RESTORE_H
#define EXPORTER_COMMANDS_DRILL_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/parse/info.h"
#include "collectors/repository.h"
#include "exporter/base/err.h"
#include "exporter/commands/drill_guard.h"
#include "exporter/commands/drill_scratch.h"
#include "exporter/sources/proc.h"

/* What is restored; texts are owned. */
struct drill_backup {
    char *label;
    char *version;      /* major version of PostgreSQL: "15" */
    char *lsn_stop;     /* where it becomes consistent; NULL: offline, or not said */
    char *newest_wal;   /* segment of its database in the repository; NULL: there is none */
    double stop;        /* when it ended, s since 1970 */
    int64_t size_bytes; /* of the cluster */
    bool offline;
};

void drill_backup_done(struct drill_backup *backup);

/* How far recovery goes. */
enum drill_target {
    DRILL_LATEST, /* to the end of the WAL, as a restore without options does */
    DRILL_BACKUP, /* to the end of the backup */
    DRILL_TIME,   /* to a moment */
    DRILL_RANDOM, /* to a moment that the server is told of: see drill_window.h */
};

/* Everything it points to must outlive the calls. */
struct drill_restore {
    struct proc_pool *pool;
    const char *program; /* pgbackrest */
    const struct stanza_repository *repository;
    const char *config_file; /* of this program, for restore_command; NULL: the default one */
    enum drill_target target;
    const char *time;             /* as pgbackrest's --target takes it */
    const char *const *databases; /* only these, NULL-ended; NULL: all */
    const struct drill_scratch *scratch;
    const struct drill_guard *guard;
};

/* What the repository lists now. The errors of pgbackrest_info(); *ret is unreferenced by the
 * caller. */
bool drill_restore_catalogue(const struct drill_restore *restore, struct info **ret,
                             struct err *err) MUST_USE;

/* Copy what a drill wants to know of a backup. ERR_MEMORY. */
bool drill_backup_copy(const struct info_stanza *stanza, const struct info_backup *found,
                       struct drill_backup *ret, struct err *err) MUST_USE;

/*
 * Read the catalogue and find the backup of that label, or the newest of the current database.
 * ERR_NO_BACKUP: there is none; else what pgbackrest says. *ret ended by drill_backup_done().
 */
bool drill_restore_choose(const struct drill_restore *restore, const char *label,
                          struct drill_backup *ret, struct err *err) MUST_USE;

/*
 * Restore it into the scratch folder: no option of a restore is inherited from the configuration,
 * no link is made, every tablespace stays in the folder, and neither lock nor spool is shared with
 * the stanza. Errors: ERR_EXIT and others with what pgbackrest said, no secret in it; what the
 * guard refuses.
 */
bool drill_restore_run(const struct drill_restore *restore, const struct drill_backup *backup,
                       struct err *err) MUST_USE;

/*
 * Fetch a WAL segment into a file, once the scratch folder holds the restored cluster. Errors as
 * drill_restore_run().
 */
bool drill_restore_get_wal(const struct drill_restore *restore, const char *segment,
                           const char *file, struct err *err) MUST_USE;

#endif
