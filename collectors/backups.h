/*
 * backups - what other collectors may know of a repository's backups.
 */
#ifndef COLLECTORS_BACKUPS_H
#define COLLECTORS_BACKUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/parse/info.h"
#include "exporter/base/err.h"

/* status.code when pgBackRest gave none: it hung, could not be run, or refused its options. */
#define BACKUPS_NO_CODE (-1)

/*
 * What one collection of one repository saw. It is published when the repository is down too: the
 * catalogue is then that of the last time it could be read.
 */
struct backups_observation {
    char *stanza;
    int64_t repo_key;
    bool readable;        /* now */
    enum err_code reason; /* why not, or ERR_NO_BACKUP, or ERR_NONE */
    int64_t code;         /* status.code of the repository now, or BACKUPS_NO_CODE */
    bool lock_known;      /* pgBackRest answered, so lock is of now */
    struct info_lock lock;
    char *version;       /* of the pgbackrest that runs here, or NULL */
    struct info *info;   /* a reference of its own to the catalogue; NULL when it was never read */
    double catalogue_at; /* when that was, s since 1970; 0 for never */
};

/* The stanza in the catalogue; NULL when it was never read. */
const struct info_stanza *backups_observation_stanza(const struct backups_observation *observation);

void backups_observation_free(void *opaque); /* takes NULL */

#endif
