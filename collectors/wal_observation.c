#include <stdlib.h>
#include <string.h>

#include "collectors/wal.h"

void wal_observation_free(void *opaque)
{
    struct wal_observation *seen = opaque;
    if (!seen)
        return;
    wal_archive_done(&seen->archive);
    for (size_t i = 0; i < seen->history_count; i++)
        timeline_done(&seen->histories[i].timeline);
    for (size_t i = 0; i < seen->folder_count; i++)
        free((char *)(uintptr_t)seen->folders[i].label);
    free(seen->histories);
    free(seen->folders);
    free(seen->stanza);
    free(seen);
}

static void observation_freep(struct wal_observation **seen)
{
    wal_observation_free(*seen);
}

static bool copy_histories(const struct wal_observation *from, struct wal_observation *to,
                           struct err *err)
{
    to->histories = calloc(from->history_count + 1, sizeof *to->histories);
    if (!to->histories)
        return err_memory(err);
    for (size_t i = 0; i < from->history_count; i++) {
        struct wal_history *history = &to->histories[i];
        *history = from->histories[i];
        history->timeline = (struct timeline){0};
        if (!timeline_copy(&from->histories[i].timeline, &history->timeline, err))
            return false;
        to->history_count++;
    }
    return true;
}

static bool copy_folders(const struct wal_observation *from, struct wal_observation *to,
                         struct err *err)
{
    to->folders = calloc(from->folder_count + 1, sizeof *to->folders);
    if (!to->folders)
        return err_memory(err);
    for (size_t i = 0; i < from->folder_count; i++) {
        to->folders[i] = from->folders[i];
        to->folders[i].label = strdup(from->folders[i].label);
        if (!to->folders[i].label)
            return err_memory(err);
        to->folder_count++;
    }
    return true;
}

bool wal_observation_copy(const struct wal_observation *observation, struct wal_observation **ret,
                          struct err *err)
{
    struct wal_observation *copy CLEANUP(observation_freep) = calloc(1, sizeof *copy);
    if (!copy)
        return err_memory(err);
    copy->stanza = strdup(observation->stanza);
    if (!copy->stanza)
        return err_memory(err);
    copy->repo_key = observation->repo_key;
    copy->readable = observation->readable;
    copy->reason = observation->reason;
    copy->listed_at = observation->listed_at;
    copy->database_id = observation->database_id;
    copy->archive_listed = observation->archive_listed;
    if (!wal_archive_copy(&observation->archive, &copy->archive, err) ||
        !copy_histories(observation, copy, err) || !copy_folders(observation, copy, err))
        return false;
    *ret = TAKE(copy);
    return true;
}

const struct timeline *wal_observation_history(const struct wal_observation *observation,
                                               uint32_t id)
{
    for (size_t i = 0; i < observation->history_count; i++) {
        const struct wal_history *history = &observation->histories[i];
        if (history->timeline.id == id && !history->broken)
            return &history->timeline;
    }
    return NULL;
}
