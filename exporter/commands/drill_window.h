/*
 * drill_window - a moment by chance, inside of what a repository can be restored to.
 *
 * The window begins with the end of the oldest backup from which on no WAL is missing up to the
 * newest segment that the newest backup can be brought to. When a segment was stored says only
 * roughly until when that is; the WAL itself, looked into once the backup is restored, says it
 * exactly.
 */
#ifndef EXPORTER_COMMANDS_DRILL_WINDOW_H
#define EXPORTER_COMMANDS_DRILL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/model/timeline.h"
#include "exporter/base/err.h"
#include "exporter/commands/drill_restore.h"

struct drill_window {
    double begin;             /* the first moment that the chosen backup can be brought to */
    double moment;            /* chosen, s since 1970; 0: none */
    struct timeline timeline; /* the one that a restore follows */
    uint64_t from, until;     /* numbers of the segments between, from the backup's last one on */
    uint64_t segment_size;
};

/*
 * Choose a moment, and the newest backup that ended before it; of `label`, when that is not NULL.
 * ERR_NO_BACKUP: there is none that WAL leads on from; else what pgbackrest says. *ret_backup is
 * ended by drill_backup_done(), *ret by drill_window_done(). Lists the repository's WAL.
 */
bool drill_window_choose(const struct drill_restore *restore, const char *label,
                         struct drill_window *ret, struct drill_backup *ret_backup,
                         struct err *err) MUST_USE;
void drill_window_done(struct drill_window *window);

/*
 * Once the backup is restored: bring the moment before the last transaction that the WAL holds, for
 * recovery refuses one behind it. It becomes 0 when no transaction ended in the last segments.
 * programs: the folder of pg_waldump. Fetches a few segments into the scratch folder.
 */
bool drill_window_settle(const struct drill_restore *restore, const char *programs,
                         struct drill_window *window, struct err *err) MUST_USE;

#endif
