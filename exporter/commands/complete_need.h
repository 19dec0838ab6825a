/*
 * complete_need - which WAL the backups of a repository cannot be restored without.
 *
 * Pure. A backup needs every segment from its archive-start to its archive-stop; an offline one
 * and one that was made with archive-copy need none. Backups of an older database are left out:
 * PostgreSQL has nothing of it any more, and pgBackRest pushes WAL of the present one only.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_NEED_H
#define EXPORTER_COMMANDS_COMPLETE_NEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/model/timeline.h"
#include "collectors/model/wal.h"
#include "collectors/parse/info.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

struct need_question {
    const struct info_stanza *stanza;
    int64_t repo_key;
    const struct text_list *archive_copies; /* labels of the backups that carry their WAL */
    uint64_t segment_size;
    const struct timeline *way; /* for a backup that began on another timeline than it ended on */
};

struct needed_segment {
    struct wal_segment segment;
    const char *backup; /* label of one that needs it, owned by the catalogue */
};

/* Start from an all-zero struct; released by complete_need_done(). */
struct complete_need {
    struct needed_segment *items; /* each once, by number, then timeline */
    size_t count;
    size_t backup_count; /* of the current database, that need WAL */
    size_t older_count;  /* of an older database */
};

/* ERR_PROTOCOL: a backup's WAL range makes no sense, its label is in the text; ERR_MEMORY. */
bool complete_need(const struct need_question *question, struct complete_need *ret,
                   struct err *err) MUST_USE;
void complete_need_done(struct complete_need *need);

#endif
