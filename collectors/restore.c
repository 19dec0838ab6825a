#include "collectors/restore.h"

#include <stdlib.h>
#include <string.h>

static bool is_restorable(enum restore_grade grade)
{
    return grade == RESTORE_OK || grade == RESTORE_DAMAGED;
}

static int compare_labels(const void *one, const void *other)
{
    const struct backup_folder *left = one, *right = other;
    return strcmp(left->label, right->label);
}

static const struct backup_folder *find_folder(const struct restore_input *input, const char *label)
{
    struct backup_folder key = {.label = label};
    if (input->folder_count == 0)
        return NULL;
    return bsearch(&key, input->folders, input->folder_count, sizeof key, compare_labels);
}

/* A folder that the listing does not have is gone, unless the backup is younger than the listing.
 */
static enum folder_state state_of(const struct restore_input *input, const char *label,
                                  const struct info_backup *backup)
{
    const struct backup_folder *folder = find_folder(input, label);
    bool doubted = folder && folder->state == FOLDER_INCOMPLETE && !folder->twice;
    if (folder)
        return doubted && input->broken_before ? FOLDER_UNKNOWN : folder->state;
    return backup->stop < input->listed_at ? FOLDER_MISSING : FOLDER_UNKNOWN;
}

/* The worse of the verdict's grade and what this folder says. */
static void judge_folder(const struct restore_input *input, const char *label,
                         struct restore_verdict *verdict)
{
    enum folder_state state = state_of(input, label, verdict->backup);
    if (state == FOLDER_COMPLETE || verdict->grade == RESTORE_NO_FOLDER)
        return;
    if (state == FOLDER_UNKNOWN) {
        verdict->grade = RESTORE_UNKNOWN;
        return;
    }
    verdict->grade = RESTORE_NO_FOLDER;
    verdict->folder = label;
}

static void judge_folders(const struct restore_input *input, struct restore_verdict *verdict)
{
    const struct info_backup *backup = verdict->backup;
    judge_folder(input, backup->label, verdict);
    for (size_t i = 0; i < backup->reference_count; i++)
        judge_folder(input, backup->references[i], verdict);
}

/* The segments that a backup names; false when it needs none, or names what is no segment. */
static bool backup_range(const struct restore_input *input, const struct info_backup *backup,
                         struct wal_segment *ret_start, struct wal_segment *ret_stop)
{
    uint64_t size = input->archive->segment_size;
    return backup->archive_start && backup->archive_stop &&
           wal_segment_parse(backup->archive_start, size, ret_start) &&
           wal_segment_parse(backup->archive_stop, size, ret_stop) &&
           ret_start->number <= ret_stop->number;
}

/* An offline backup: the server stood still. */
static bool needs_no_wal(const struct info_backup *backup)
{
    return !backup->archive_start && !backup->archive_stop;
}

/* A backup that was made across a promotion ends on a newer timeline than it began on. */
static uint32_t timeline_within(const struct restore_input *input, const struct wal_segment *start,
                                const struct wal_segment *stop, uint64_t number)
{
    if (start->timeline == stop->timeline || number == stop->number)
        return stop->timeline;
    return timeline_of_segment(input->production, number, input->archive->segment_size);
}

/* Whether it can be said that a segment is missing which is not present. */
static bool is_certain(const struct restore_input *input, const struct wal_segment *segment)
{
    if (wal_archive_state(input->archive, segment) == WAL_UNKNOWN)
        return false;
    return !input->broken_before || !wal_archive_is_first_sight(input->archive, segment);
}

static void judge_segments(const struct restore_input *input, const struct wal_segment *start,
                           const struct wal_segment *stop, struct restore_verdict *verdict)
{
    for (uint64_t number = start->number; number <= stop->number; number++) {
        struct wal_segment segment = {timeline_within(input, start, stop, number), number};
        enum wal_state state = wal_archive_state(input->archive, &segment);
        if (state == WAL_PRESENT)
            continue;
        bool seen = verdict->backup->stop < input->listed_at && is_certain(input, &segment);
        verdict->grade = seen ? RESTORE_NO_WAL : RESTORE_UNKNOWN;
        verdict->segment = segment;
        verdict->segment_state = state;
        return;
    }
}

static void judge_wal(const struct restore_input *input, struct restore_verdict *verdict)
{
    struct wal_segment start, stop;
    if (needs_no_wal(verdict->backup))
        return;
    if (backup_range(input, verdict->backup, &start, &stop))
        judge_segments(input, &start, &stop, verdict);
    else
        verdict->grade = RESTORE_UNKNOWN; /* what it needs is not understood */
}

static bool is_broken(enum restore_grade grade)
{
    return grade == RESTORE_NO_WAL || grade == RESTORE_NO_FOLDER;
}

struct restore_verdict restore_judge(const struct restore_input *input,
                                     const struct info_backup *backup)
{
    struct restore_verdict verdict = {.backup = backup};
    const struct backup_folder *folder = find_folder(input, backup->label);
    if (backup->damage == INFO_DAMAGE_FOUND)
        verdict.grade = RESTORE_DAMAGED;
    judge_folders(input, &verdict);
    if (verdict.grade != RESTORE_NO_FOLDER && !(folder && folder->archive_copy))
        judge_wal(input, &verdict);
    if (is_broken(verdict.grade) && input->broken_before &&
        !text_list_has(input->broken_before, backup->label))
        verdict.grade = RESTORE_UNKNOWN;
    return verdict;
}

static bool is_current(const struct restore_input *input, const struct info_backup *backup)
{
    const struct info_database *now = info_current_database(input->stanza, input->repo_key);
    return now && backup->repo_key == input->repo_key && backup->database_id == now->id;
}

/* Whether production's WAL goes on from where the backup ends. An offline one fits any. */
static bool is_on_the_way(const struct restore_input *input, const struct info_backup *backup)
{
    struct wal_segment start, stop;
    if (!backup_range(input, backup, &start, &stop))
        return true;
    return timeline_of_segment(input->production, stop.number, input->archive->segment_size) ==
           stop.timeline;
}

static bool is_newer(const struct info_backup *backup, const struct info_backup *than)
{
    return !than || backup->stop >= than->stop;
}

static void add_verdict(struct restore_summary *summary, const struct restore_input *input,
                        const struct restore_verdict *verdict)
{
    bool on_the_way = is_on_the_way(input, verdict->backup);
    bool restorable = is_restorable(verdict->grade);
    summary->restorable_count += restorable;
    summary->unknown_count +=
        verdict->grade == RESTORE_UNKNOWN && verdict->backup->stop < input->listed_at;
    summary->broken_count += is_broken(verdict->grade);
    if (on_the_way && is_newer(verdict->backup, summary->newest.backup))
        summary->newest = *verdict;
    if (on_the_way && restorable && is_newer(verdict->backup, summary->restorable.backup))
        summary->restorable = *verdict;
}

/* One more than the last segment that recovery from this backup gets; 0: it needs none. */
static uint64_t run_end(const struct restore_input *input, const struct info_backup *backup)
{
    struct wal_segment start, stop;
    if (!backup_range(input, backup, &start, &stop))
        return 0;
    return wal_archive_run_end(input->archive, input->production, stop.number + 1);
}

static int64_t end_time(const struct restore_input *input, uint64_t end, int64_t backup_stop)
{
    if (end == 0)
        return backup_stop;
    uint32_t timeline =
        timeline_of_segment(input->production, end - 1, input->archive->segment_size);
    int64_t stored = wal_archive_time(input->archive, &(struct wal_segment){timeline, end - 1});
    if (stored > input->listed_at)
        stored = input->listed_at; /* a store whose clock is ahead */
    return stored > backup_stop ? stored : backup_stop;
}

/* Whether WAL goes through from the end of a backup to that segment; false when it needs none. */
static bool reaches(const struct restore_input *input, const struct info_backup *backup,
                    uint64_t number, uint64_t *ret_from)
{
    struct wal_segment start, stop;
    if (!backup_range(input, backup, &start, &stop))
        return false;
    *ret_from = stop.number + 1;
    return wal_archive_missing(input->archive, input->production,
                               (struct wal_range){stop.number + 1, number}, false) == 0;
}

/*
 * The newest window begins with the oldest backup from which the WAL goes through to its end.
 * Backups are listed the oldest first.
 */
static int64_t window_start(const struct restore_input *input, const struct info_backup *last)
{
    struct wal_segment start, stop;
    int64_t begin = last->stop;
    if (!backup_range(input, last, &start, &stop))
        return begin;
    uint64_t number = stop.number + 1;
    for (size_t i = input->stanza->backup_count; i-- > 0;) {
        const struct info_backup *backup = &input->stanza->backups[i];
        if (!is_current(input, backup) || backup->stop >= begin || !is_on_the_way(input, backup) ||
            needs_no_wal(backup))
            continue;
        if (!reaches(input, backup, number, &number))
            return begin;
        if (is_restorable(restore_judge(input, backup).grade))
            begin = backup->stop;
    }
    return begin;
}

/* The newest backup on the way that recovery follows WAL from; NULL: there is none. */
static const struct info_backup *newest_online(const struct restore_input *input,
                                               bool must_be_restorable)
{
    const struct info_backup *newest = NULL;
    for (size_t i = 0; i < input->stanza->backup_count; i++) {
        const struct info_backup *backup = &input->stanza->backups[i];
        if (!is_current(input, backup) || needs_no_wal(backup) || !is_on_the_way(input, backup) ||
            !is_newer(backup, newest))
            continue;
        if (!must_be_restorable || is_restorable(restore_judge(input, backup).grade))
            newest = backup;
    }
    return newest;
}

/* An offline backup is restored as it is. WAL from one before it may lead further. */
static void pass_over_offline(struct restore_summary *summary, const struct restore_input *input)
{
    const struct info_backup *offline = summary->restorable.backup;
    const struct info_backup *online = newest_online(input, true);
    if (needs_no_wal(offline) && online &&
        end_time(input, run_end(input, online), online->stop) > offline->stop)
        summary->restorable = restore_judge(input, online);
}

/* Without continuous WAL each backup is a point of its own. */
static void add_window(struct restore_summary *summary, const struct restore_input *input)
{
    const struct info_backup *last = summary->restorable.backup;
    if (!last)
        return;
    summary->has_window = true;
    summary->window_start = summary->window_end = last->stop;
    if (!input->continuous)
        return;
    summary->has_window = input->archive_listed;
    if (!summary->has_window)
        return;
    pass_over_offline(summary, input);
    last = summary->restorable.backup;
    summary->run_end = run_end(input, last);
    summary->window_end = end_time(input, summary->run_end, last->stop);
    summary->window_start = window_start(input, last);
}

static uint64_t missing_in(const struct restore_input *input, uint64_t begin, uint64_t end)
{
    return wal_archive_missing(input->archive, input->production, (struct wal_range){begin, end},
                               input->broken_before);
}

/* What lies between two backups and is gone as a whole was taken by repo-retention-archive, where
 * that is set. */
static uint64_t missing_between(const struct restore_input *input, uint64_t begin, uint64_t end)
{
    struct wal_range range = {begin, end};
    uint64_t gone = wal_archive_missing(input->archive, input->production, range, false);
    return !input->keeps_all_wal && gone == end - begin ? 0 : missing_in(input, begin, end);
}

/* From the oldest backup to the newest, as they are listed. One that begins within those before it
 * needs what lies behind them only. */
static uint64_t missing_before(const struct restore_input *input)
{
    uint64_t missing = 0, at = 0;
    for (size_t i = 0; i < input->stanza->backup_count; i++) {
        const struct info_backup *backup = &input->stanza->backups[i];
        struct wal_segment start, stop;
        if (!is_current(input, backup) || !backup_range(input, backup, &start, &stop) ||
            !is_on_the_way(input, backup) || stop.number < at)
            continue;
        uint64_t from = start.number > at ? start.number : at;
        missing += at == 0 ? 0 : missing_between(input, at, from);
        missing += missing_in(input, from, stop.number + 1);
        at = stop.number + 1;
    }
    return missing;
}

static void add_gaps(struct restore_summary *summary, const struct restore_input *input)
{
    const struct info_backup *newest = newest_online(input, false);
    struct wal_segment start, stop;
    if (!input->continuous || !input->archive_listed || !newest ||
        !backup_range(input, newest, &start, &stop))
        return;
    uint64_t end = wal_archive_end(input->archive, input->production);
    uint64_t hole = wal_archive_run_end(input->archive, input->production, stop.number + 1);
    summary->gaps_known = true;
    summary->missing_older = missing_before(input);
    summary->missing_since = missing_in(input, stop.number + 1, end);
    summary->first_missing_since = (struct wal_segment){
        timeline_of_segment(input->production, hole, input->archive->segment_size), hole};
}

bool restore_broken(const struct restore_input *input, struct text_list *ret, struct err *err)
{
    for (size_t i = 0; i < input->stanza->backup_count; i++) {
        const struct info_backup *backup = &input->stanza->backups[i];
        if (is_current(input, backup) && is_broken(restore_judge(input, backup).grade) &&
            !text_list_add(ret, backup->label, err))
            return false;
    }
    return true;
}

struct restore_summary restore_summarise(const struct restore_input *input)
{
    struct restore_summary summary = {.segment_size = input->archive->segment_size};
    for (size_t i = 0; i < input->stanza->backup_count; i++) {
        if (!is_current(input, &input->stanza->backups[i]))
            continue;
        struct restore_verdict verdict = restore_judge(input, &input->stanza->backups[i]);
        add_verdict(&summary, input, &verdict);
    }
    add_window(&summary, input);
    add_gaps(&summary, input);
    return summary;
}
