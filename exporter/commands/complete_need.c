#include "exporter/commands/complete_need.h"

#include <stdlib.h>
#include <string.h>

/* Of one backup: 16 TiB of segments of 16 MiB. More is a catalogue that cannot be believed. */
#define RANGE_MAX (UINT64_C(1) << 20)

static bool read_range(const struct info_backup *backup, uint64_t segment_size,
                       struct wal_segment *ret_start, struct wal_segment *ret_stop, struct err *err)
{
    bool sound = wal_segment_parse(backup->archive_start, segment_size, ret_start) &&
                 wal_segment_parse(backup->archive_stop, segment_size, ret_stop) &&
                 ret_stop->number - ret_start->number < RANGE_MAX; /* huge when it is negative */
    return sound || err_set(err, ERR_PROTOCOL, "backup %s: its WAL goes from %s to %s",
                            backup->label, backup->archive_start, backup->archive_stop);
}

/* A backup that was made across a promotion ends on a newer timeline than it began on. */
static uint32_t timeline_at(const struct need_question *question, const struct wal_segment *start,
                            const struct wal_segment *stop, uint64_t number)
{
    if (start->timeline == stop->timeline || number == stop->number)
        return stop->timeline;
    if (question->way->id != stop->timeline)
        return start->timeline;
    return timeline_of_segment(question->way, number, question->segment_size);
}

static bool add_backup(const struct need_question *question, const struct info_backup *backup,
                       struct complete_need *need, struct err *err)
{
    struct wal_segment start = {0}, stop = {0};
    if (!read_range(backup, question->segment_size, &start, &stop, err))
        return false;
    size_t more = (size_t)(stop.number - start.number) + 1;
    struct needed_segment *items = reallocarray(need->items, need->count + more, sizeof *items);
    if (!items)
        return err_memory(err);
    need->items = items;
    for (uint64_t number = start.number; number <= stop.number; number++) {
        uint32_t timeline = timeline_at(question, &start, &stop, number);
        items[need->count++] = (struct needed_segment){{timeline, number}, backup->label};
    }
    need->backup_count++;
    return true;
}

static int compare(const void *one, const void *other)
{
    const struct needed_segment *left = one, *right = other;
    if (left->segment.number != right->segment.number)
        return left->segment.number < right->segment.number ? -1 : 1;
    if (left->segment.timeline != right->segment.timeline)
        return left->segment.timeline < right->segment.timeline ? -1 : 1;
    return strcmp(left->backup, right->backup);
}

static bool is_same(const struct needed_segment *one, const struct needed_segment *other)
{
    return one->segment.number == other->segment.number &&
           one->segment.timeline == other->segment.timeline;
}

static void keep_each_once(struct complete_need *need)
{
    size_t kept = 0;
    if (need->count == 0)
        return;
    qsort(need->items, need->count, sizeof *need->items, compare);
    for (size_t i = 1; i < need->count; i++) {
        if (!is_same(&need->items[i], &need->items[kept]))
            need->items[++kept] = need->items[i];
    }
    need->count = kept + 1;
}

static bool needs_wal(const struct need_question *question, const struct info_backup *backup)
{
    return backup->archive_start && backup->archive_stop &&
           !text_list_has(question->archive_copies, backup->label);
}

bool complete_need(const struct need_question *question, struct complete_need *ret, struct err *err)
{
    struct complete_need need CLEANUP(complete_need_done) = {0};
    const struct info_database *now = info_current_database(question->stanza, question->repo_key);
    for (size_t i = 0; i < question->stanza->backup_count; i++) {
        const struct info_backup *backup = &question->stanza->backups[i];
        if (backup->repo_key != question->repo_key)
            continue;
        if (!now || backup->database_id != now->id)
            need.older_count++;
        else if (needs_wal(question, backup) && !add_backup(question, backup, &need, err))
            return false;
    }
    keep_each_once(&need);
    *ret = need;
    need = (struct complete_need){0};
    return true;
}

void complete_need_done(struct complete_need *need)
{
    free(need->items);
    *need = (struct complete_need){0};
}
