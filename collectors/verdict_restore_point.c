#include "collectors/verdict_restore_point.h"

#include <string.h>

void point_note(struct point_memory *memory, const struct archiver_observation *archiver,
                double now)
{
    struct wal_segment segment;
    size_t count = memory->archived_count;
    if (archiver->in_recovery ||
        !wal_segment_archived(archiver->last_archived_wal, archiver->segment_size, &segment))
        return;
    if (count > 0 && memory->archived[count - 1].segment.timeline == segment.timeline &&
        memory->archived[count - 1].segment.number == segment.number)
        return;
    if (count == ARCHIVED_MAX)
        memmove(memory->archived, memory->archived + 1, --count * sizeof memory->archived[0]);
    memory->archived[count].known_at = now;
    memory->archived[count].segment = segment;
    memory->archived_count = count + 1;
}

/* The newest segment that was known to be archived before the listing began. */
static const struct wal_segment *archived_before(const struct point_memory *memory,
                                                 double listed_at)
{
    for (size_t i = memory->archived_count; i-- > 0;) {
        if (memory->archived[i].known_at <= listed_at)
            return &memory->archived[i].segment;
    }
    return NULL;
}

static void add_behind(const struct point_memory *memory, const struct point_input *input,
                       struct point *point)
{
    const struct timeline *production = input->input->production;
    const struct wal_segment *archived = archived_before(memory, input->listed_at);
    uint64_t end = input->summary->run_end;
    if (!archived || archived->timeline != production->id ||
        timeline_of_segment(production, end - 1, input->summary->segment_size) != production->id)
        return;
    point->has_behind = true;
    point->behind = archived->number >= end ? archived->number + 1 - end : 0;
}

static void add_unarchived(const struct point_input *input, struct point *point)
{
    const struct archiver_observation *archiver = input->archiver;
    uint64_t end = input->summary->run_end * input->summary->segment_size;
    if (!archiver->has_lsn || archiver->timeline != input->input->production->id)
        return;
    point->has_unarchived = true;
    point->unarchived_bytes = archiver->lsn > end ? archiver->lsn - end : 0;
}

/* A window that ends earlier than it did covers less, too. */
static void cover(struct point_memory *memory, const struct point_input *input,
                  const struct point *point)
{
    uint64_t end = input->summary->run_end * input->summary->segment_size;
    if (memory->covered_lsn > end + POINT_HOUSEKEEPING_BYTES)
        memory->covered_at = 0;
    if (!point->has_unarchived || point->unarchived_bytes > POINT_HOUSEKEEPING_BYTES)
        return;
    memory->covered_at = input->archiver_at;
    memory->covered_lsn = input->archiver->lsn;
}

/* Whether the next segment that waits is one that the repository does not have. */
static bool is_waited_for(const struct point_input *input)
{
    struct wal_segment first;
    return input->queue && input->queue->first_at > 0 &&
           wal_segment_parse(input->queue->first, input->summary->segment_size, &first) &&
           first.number >= input->summary->run_end;
}

struct point point_judge(struct point_memory *memory, const struct point_input *input)
{
    struct point point = {0};
    if (!input->summary->has_window)
        return point;
    point.moment = (double)input->summary->window_end;
    if (input->summary->run_end == 0)
        return point;
    add_behind(memory, input, &point);
    if (input->archiver)
        add_unarchived(input, &point);
    cover(memory, input, &point);
    if (memory->covered_at > point.moment)
        point.moment = memory->covered_at;
    if (is_waited_for(input) && input->queue->first_at < point.moment)
        point.moment = input->queue->first_at;
    return point;
}
