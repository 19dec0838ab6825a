#include "collectors/backup_summary.h"

#include <string.h>

static const char *const type_names[BACKUP_TYPE_COUNT] = {
    [BACKUP_FULL] = "full",
    [BACKUP_DIFF] = "diff",
    [BACKUP_INCR] = "incr",
};

const char *backup_type_name(enum backup_type type)
{
    return type_names[type];
}

bool backup_is_current(const struct info_backup *backup, int64_t repo_key,
                       const struct info_database *database)
{
    return database && backup->repo_key == repo_key && backup->database_id == database->id;
}

static bool is_newer(const struct info_backup *backup, const struct info_backup *than)
{
    return !than || backup->stop > than->stop;
}

/* A type that is none of ours counts as none of ours. */
static void count_type(struct backup_summary *summary, const struct info_backup *backup)
{
    for (size_t type = 0; type < BACKUP_TYPE_COUNT; type++) {
        if (strcmp(backup->type, type_names[type]) != 0)
            continue;
        summary->count[type]++;
        if (is_newer(backup, summary->newest[type]))
            summary->newest[type] = backup;
    }
}

static void count_current(struct backup_summary *summary, const struct info_backup *backup)
{
    count_type(summary, backup);
    if (is_newer(backup, summary->latest))
        summary->latest = backup;
    if (!summary->oldest || backup->stop < summary->oldest->stop)
        summary->oldest = backup;
    summary->damaged += backup->damage == INFO_DAMAGE_FOUND;
    summary->damage_known |= backup->damage != INFO_DAMAGE_UNKNOWN;
}

static void add_stored(struct backup_summary *summary, const struct info_backup *backup)
{
    if (backup->repo_delta_bytes == INFO_SIZE_UNKNOWN)
        return;
    if (summary->stored_bytes == INFO_SIZE_UNKNOWN)
        summary->stored_bytes = 0;
    /* What a repository says of itself may be anything; more than this is on no storage. */
    if (__builtin_add_overflow(summary->stored_bytes, backup->repo_delta_bytes,
                               &summary->stored_bytes))
        summary->stored_bytes = INT64_MAX;
}

struct backup_summary backup_summary(const struct info_stanza *stanza, int64_t repo_key)
{
    struct backup_summary summary = {
        .database = info_current_database(stanza, repo_key),
        .stored_bytes = stanza->backup_count > 0 ? INFO_SIZE_UNKNOWN : 0,
    };
    for (size_t i = 0; i < stanza->backup_count; i++) {
        const struct info_backup *backup = &stanza->backups[i];
        if (backup->repo_key == repo_key)
            add_stored(&summary, backup);
        if (backup_is_current(backup, repo_key, summary.database))
            count_current(&summary, backup);
    }
    if (!summary.latest)
        summary.damage_known = true; /* none at all is a known zero */
    return summary;
}
