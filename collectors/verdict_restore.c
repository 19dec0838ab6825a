/*
 * verdict_restore - whether each repository could be restored from now, and to when.
 *
 * It asks nobody: it combines the catalogue that pgbackrest info prints, the files that really lie
 * in the repository, and where PostgreSQL is. It runs whenever one of them has published. What a
 * repository holds stays true while it cannot be reached, so these are facts of the last look.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/archiver.h"
#include "collectors/backups.h"
#include "collectors/drill.h"
#include "collectors/queue.h"
#include "collectors/repository.h"
#include "collectors/repository_target.h"
#include "collectors/verdict_restore_point.h"
#include "collectors/verdict_restore_report.h"
#include "collectors/wal.h"

/* A folder without an entry in the catalogue may be a backup that is being made. */
#define INCOMPLETE_AFTER_S 3600

enum {
    RESTORABLE,
    INCOMPLETE,
    LAST_RESTORABLE,
    LAST_UNRESTORABLE,
    WINDOW_START,
    WINDOW_END,
    RECOVERY_POINT_AGE,
    WAL_LAST,
    BEHIND,
    UNARCHIVED,
    MISSING,
    FOREIGN_TIMELINES,
    METRIC_COUNT
};

static const char *const scope_labels[] = {"scope", NULL};

static const struct metric_desc metrics[METRIC_COUNT] = {
    [RESTORABLE] =
        {
            .name = "pgbackrest_backups_restorable",
            .help = "Backups of the current database of which nothing known is missing: folder, "
                    "manifest, what they build on, and their WAL.",
            .keeps = FACT,
        },
    [INCOMPLETE] =
        {
            .name = "pgbackrest_backups_incomplete",
            .help = "Folders of backups that pgbackrest info does not list, untouched for an hour: "
                    "backups that were broken off.",
            .keeps = FACT,
        },
    [LAST_RESTORABLE] =
        {
            .name = "pgbackrest_backup_last_restorable_timestamp_seconds",
            .help = "When the newest backup that looks restorable ended.",
            .keeps = FACT,
        },
    [LAST_UNRESTORABLE] =
        {
            .name = "pgbackrest_backup_last_unrestorable_timestamp_seconds",
            .help = "When the newest backup that cannot be restored ended, seen broken twice; only "
                    "there when there is one.",
            .keeps = FACT,
        },
    [WINDOW_START] =
        {
            .name = "pgbackrest_recovery_window_start_timestamp_seconds",
            .help = "The earliest moment of the newest window without a gap.",
            .keeps = FACT,
        },
    [WINDOW_END] =
        {
            .name = "pgbackrest_recovery_window_end_timestamp_seconds",
            .help = "The latest moment that can be restored; with continuous WAL when its last "
                    "segment was stored, which is an upper bound.",
            .keeps = FACT,
        },
    [RECOVERY_POINT_AGE] =
        {
            .name = "pgbackrest_recovery_point_age_seconds",
            .help = "Time since the moment up to which nothing would be lost, at the scrape. With "
                    "continuous WAL that is when the last segment reached without a gap was "
                    "stored, or, while PostgreSQL has written nothing behind it (512 bytes of its "
                    "own housekeeping aside), when PostgreSQL was last asked: it does not grow on "
                    "an idle database. It does while WAL waits in a segment that is not full, "
                    "which only archive_timeout limits.",
            .keeps = FACT,
            .age = true,
        },
    [WAL_LAST] =
        {
            .name = "pgbackrest_wal_last_timestamp_seconds",
            .help = "When the newest segment that recovery reaches without a gap was stored: an "
                    "upper bound of the moment that it holds.",
            .keeps = FACT,
        },
    [BEHIND] =
        {
            .name = "pgbackrest_wal_behind_segments",
            .help = "WAL segments that PostgreSQL had archived before the repository was listed, "
                    "and that recovery does not reach in it. Absent across timelines.",
            .keeps = FACT,
        },
    [UNARCHIVED] =
        {
            .name = "pgbackrest_wal_unarchived_bytes",
            .help = "Bytes that PostgreSQL has written behind the last segment that recovery "
                    "reaches in the repository, as it was listed last.",
            .keeps = STATE,
        },
    [MISSING] =
        {
            .name = "pgbackrest_wal_missing_segments",
            .help = "WAL segments missing on production's timeline, seen twice: behind the newest "
                    "backup (since_last_backup) or between older ones (older). A history file "
                    "without which a restore does not get to production's timeline counts as one "
                    "(since_last_backup).",
            .keeps = FACT,
            .labels = scope_labels,
        },
    [FOREIGN_TIMELINES] =
        {
            .name = "pgbackrest_wal_foreign_timelines",
            .help = "Timelines newer than production's: a default restore would follow them and "
                    "lose what production wrote.",
            .keeps = FACT,
        },
};

/* What one look found wrong. What the next one finds too is believed. */
struct look {
    double listed_at; /* 0: there was none */
    struct text_list broken;
    uint64_t missing_since, missing_older;
    size_t foreign;
    uint32_t lost; /* as in struct way */
};

struct memory {
    struct look before, now;
    struct point_memory point;
    size_t restorable;    /* when it was last known of all backups */
    double restorable_at; /* the listing that it was known by; 0: never */
    size_t incomplete;
};

static void look_done(struct look *look)
{
    text_list_done(&look->broken);
    *look = (struct look){0};
}

static void restore_close(void *opaque)
{
    struct memory *memory = opaque;
    if (!memory)
        return;
    look_done(&memory->before);
    look_done(&memory->now);
    free(memory);
}

static bool restore_open(const struct environment *environment UNUSED,
                         const struct target *target UNUSED, void **ret, struct err *err)
{
    *ret = calloc(1, sizeof(struct memory));
    return *ret || err_memory(err);
}

/* Without one of these two nothing can ever be judged. */
static bool has_inputs(const struct settings *settings)
{
    return settings_collector(settings, "backups")->enabled &&
           settings_collector(settings, "wal")->enabled;
}

static bool restore_targets(const struct settings *settings, struct target_list *ret,
                            struct err *err)
{
    return !has_inputs(settings) || repository_targets(settings, ret, err);
}

/* What others saw of the target, or of its stanza; NULL: nothing yet. */
struct view {
    const struct stanza_repository *repository;
    const struct run_input *archiver;
    const struct backups_observation *backups;
    const struct wal_observation *wal;
    const struct drill_observation *drill;
    const struct queue_observation *queue; /* NULL unless it is of now */
    double unknown_since; /* when the repository could last be looked into; 0: it can be now */
    double catalogue_at;  /* when it was asked for; 0: it cannot be read now */
    bool lock_held;
};

static bool is_from(const struct run_input *input, const char *collector, const char *target)
{
    return input->observation && strcmp(input->collector, collector) == 0 &&
           strcmp(input->target, target) == 0;
}

/* Both the catalogue and the files of a repository that is down are those of its last good day. */
static double unknown_since(const struct run_input *backups, const struct run_input *wal)
{
    const struct backups_observation *catalogue = backups ? backups->observation : NULL;
    const struct wal_observation *files = wal ? wal->observation : NULL;
    if (catalogue && !(backups->current && catalogue->readable))
        return catalogue->catalogue_at;
    return files && !(wal->current && files->readable) ? files->listed_at : 0;
}

static struct view find_inputs(const struct run *run)
{
    struct view view = {.repository = run->target->spec};
    const struct run_input *backups = NULL, *wal = NULL;
    for (size_t i = 0; i < run->input_count; i++) {
        const struct run_input *input = &run->inputs[i];
        if (is_from(input, "archiver", view.repository->stanza->name))
            view.archiver = input;
        else if (is_from(input, "backups", run->target->name))
            backups = input;
        else if (is_from(input, "wal", run->target->name))
            wal = input;
        else if (is_from(input, "drill", run->target->name))
            view.drill = input->observation;
        else if (is_from(input, "queue", view.repository->stanza->name) && input->current)
            view.queue = input->observation;
    }
    view.backups = backups ? backups->observation : NULL;
    view.wal = wal ? wal->observation : NULL;
    view.unknown_since = unknown_since(backups, wal);
    view.catalogue_at = backups && view.backups->readable ? backups->observed_at : 0;
    view.lock_held = view.backups && view.backups->lock_known && view.backups->lock.held;
    return view;
}

static const struct archiver_observation *archiver_of(const struct view *view)
{
    return view->archiver ? view->archiver->observation : NULL;
}

/* The timeline of the newest backup: what is known where PostgreSQL cannot be asked. */
static uint32_t newest_timeline(const struct info_stanza *stanza, int64_t repo_key,
                                uint64_t segment_size)
{
    const struct info_backup *newest = NULL;
    const struct info_database *now = info_current_database(stanza, repo_key);
    for (size_t i = 0; i < stanza->backup_count; i++) {
        const struct info_backup *backup = &stanza->backups[i];
        if (backup->repo_key == repo_key && backup->archive_stop && now &&
            backup->database_id == now->id && (!newest || backup->stop >= newest->stop))
            newest = backup;
    }
    struct wal_segment segment;
    return newest && wal_segment_parse(newest->archive_stop, segment_size, &segment)
               ? segment.timeline
               : 1;
}

/* Whether PostgreSQL says which timeline production is on, and is production. */
static bool knows_timeline(const struct archiver_observation *archiver)
{
    return archiver && archiver->has_position && !archiver->in_recovery && archiver->timeline > 0;
}

/* Where a restore would go. */
struct way {
    struct timeline timeline; /* borrowed */
    uint32_t lost;            /* production's timeline when it does not get there; 0: it does */
};

/*
 * The ancestors of production's timeline are those of its history file in the repository: without
 * the file a restore does not find the way there and stays on the newest backup's timeline.
 */
static struct way find_way(const struct view *view, const struct info_stanza *stanza,
                           uint64_t segment_size)
{
    const struct archiver_observation *archiver = archiver_of(view);
    uint32_t newest = newest_timeline(stanza, view->repository->key, segment_size);
    uint32_t id = knows_timeline(archiver) ? archiver->timeline : newest;
    bool is_lost = id > newest && !wal_observation_history(view->wal, id);
    const struct timeline *history = wal_observation_history(view->wal, is_lost ? newest : id);
    return (struct way){
        .timeline = history ? *history : (struct timeline){.id = is_lost ? newest : id},
        .lost = is_lost ? id : 0,
    };
}

/*
 * Newer timelines than production's, by history file or WAL. One that was left long ago is none.
 * While PostgreSQL cannot be asked it is what it was before: an outage mends nothing.
 */
static size_t count_foreign(const struct view *view, size_t before)
{
    const struct wal_observation *wal = view->wal;
    size_t count = 0;
    if (!view->archiver || !view->archiver->current)
        return before;
    if (!knows_timeline(archiver_of(view)))
        return 0;
    uint32_t production = archiver_of(view)->timeline, last = production;
    for (size_t i = 0; i < wal->archive.count; i++) {
        uint32_t id = wal_folder_timeline(wal->archive.folders[i]);
        count += id > last;
        last = id > last ? id : last;
    }
    for (size_t i = 0; i < wal->history_count; i++) {
        uint32_t id = wal->histories[i].timeline.id;
        bool has_wal = false;
        for (size_t j = 0; j < wal->archive.count; j++)
            has_wal = has_wal || wal_folder_timeline(wal->archive.folders[j]) == id;
        count += id > production && !has_wal;
    }
    return count;
}

static bool is_listed(const struct info_stanza *stanza, const char *label)
{
    for (size_t i = 0; i < stanza->backup_count; i++) {
        if (strcmp(stanza->backups[i].label, label) == 0)
            return true;
    }
    return false;
}

static size_t count_incomplete(const struct view *view, const struct info_stanza *stanza)
{
    size_t count = 0;
    for (size_t i = 0; i < view->wal->folder_count; i++) {
        const struct backup_folder *folder = &view->wal->folders[i];
        bool old = folder->changed_at > 0 &&
                   view->wal->listed_at - (double)folder->changed_at >= INCOMPLETE_AFTER_S;
        count += old && folder->state != FOLDER_UNKNOWN && !is_listed(stanza, folder->label);
    }
    return count;
}

static uint64_t least(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* A new listing is a new look, once the catalogue was read again, too: what expire has taken must
 * have had the time to go from both. */
static bool remember(struct memory *memory, const struct restore_input *input,
                     const struct view *view, const struct way *way, struct err *err)
{
    double listed_at = view->wal->listed_at;
    if (memory->now.listed_at >= listed_at || view->catalogue_at < memory->now.listed_at)
        return true;
    struct look look = {.listed_at = listed_at,
                        .foreign = count_foreign(view, memory->now.foreign),
                        .lost = way->lost};
    struct restore_summary summary = restore_summarise(input);
    look.missing_since = summary.missing_since + (way->lost > 0);
    look.missing_older = summary.missing_older;
    if (!restore_broken(input, &look.broken, err)) {
        look_done(&look);
        return false;
    }
    look_done(&memory->before);
    memory->before = memory->now;
    memory->now = look;
    return true;
}

/* What both looks found. */
static void confirm(struct restore_summary *summary, const struct memory *memory,
                    const struct way *way)
{
    summary->missing_since =
        least(memory->before.missing_since, summary->missing_since + (way->lost > 0));
    summary->missing_older = least(memory->before.missing_older, summary->missing_older);
}

static void add_gaps(struct sink *sink, const struct restore_summary *summary)
{
    sink_add(sink, MISSING, (double)summary->missing_since, LABELS("since_last_backup"));
    sink_add(sink, MISSING, (double)summary->missing_older, LABELS("older"));
}

/* While a backup has to be looked at once more, what was known of all stands. */
static void add_restorable(struct sink *sink, const struct restore_summary *summary,
                           struct memory *memory)
{
    if (summary->unknown_count == 0) {
        memory->restorable = summary->restorable_count;
        memory->restorable_at = memory->now.listed_at;
    }
    if (memory->restorable_at > 0 && memory->restorable_at >= memory->before.listed_at)
        sink_add(sink, RESTORABLE, (double)memory->restorable, NULL);
}

/* During a backup, or without a catalogue, a folder that is not listed tells nothing. */
static void add_incomplete(struct sink *sink, const struct view *view, struct memory *memory,
                           const struct info_stanza *stanza)
{
    size_t count = count_incomplete(view, stanza);
    bool certain = view->catalogue_at > 0 && !view->lock_held;
    memory->incomplete = certain ? count : least(count, memory->incomplete);
    sink_add(sink, INCOMPLETE, (double)memory->incomplete, NULL);
}

static void add_window(struct sink *sink, const struct restore_summary *summary,
                       const struct point *point)
{
    if (summary->has_window) {
        sink_add(sink, WINDOW_START, (double)summary->window_start, NULL);
        sink_add(sink, WINDOW_END, (double)summary->window_end, NULL);
        sink_add(sink, RECOVERY_POINT_AGE, point->moment, NULL);
    }
    if (summary->run_end > 0)
        sink_add(sink, WAL_LAST, (double)summary->window_end, NULL);
    if (point->has_behind)
        sink_add(sink, BEHIND, (double)point->behind, NULL);
    if (point->has_unarchived)
        sink_add(sink, UNARCHIVED, (double)point->unarchived_bytes, NULL);
}

static bool is_broken(enum restore_grade grade)
{
    return grade == RESTORE_NO_WAL || grade == RESTORE_NO_FOLDER;
}

/* When the newest backup ended that two looks found broken; 0: there is none. */
static int64_t last_unrestorable(const struct restore_input *input, const struct memory *memory)
{
    int64_t last = 0;
    for (size_t i = 0; i < input->stanza->backup_count; i++) {
        const struct info_backup *backup = &input->stanza->backups[i];
        if (backup->repo_key == input->repo_key && backup->stop > last &&
            text_list_has(&memory->before.broken, backup->label) &&
            is_broken(restore_judge(input, backup).grade))
            last = backup->stop;
    }
    return last;
}

static void add_backups(struct sink *sink, const struct restore_input *input,
                        const struct restore_summary *summary, const struct memory *memory)
{
    int64_t unrestorable = last_unrestorable(input, memory);
    if (summary->restorable.backup)
        sink_add(sink, LAST_RESTORABLE, (double)summary->restorable.backup->stop, NULL);
    if (unrestorable > 0)
        sink_add(sink, LAST_UNRESTORABLE, (double)unrestorable, NULL);
    if (memory->before.listed_at > 0 && summary->gaps_known)
        add_gaps(sink, summary);
}

/* Absent where nobody can say which timeline is production's. */
static void add_foreign(struct sink *sink, const struct view *view, const struct memory *memory)
{
    if (memory->before.listed_at > 0 && knows_timeline(archiver_of(view)))
        sink_add(sink, FOREIGN_TIMELINES,
                 (double)least(memory->before.foreign, memory->now.foreign), NULL);
}

static struct point find_point(struct memory *memory, const struct view *view,
                               const struct restore_input *input,
                               const struct restore_summary *summary)
{
    const struct archiver_observation *archiver = archiver_of(view);
    bool is_now = archiver && view->archiver->current && knows_timeline(archiver);
    return point_judge(&memory->point,
                       &(struct point_input){
                           .input = input,
                           .summary = summary,
                           .listed_at = view->wal->listed_at,
                           .archiver = is_now ? archiver : NULL,
                           .archiver_at = view->archiver ? view->archiver->observed_at : 0,
                           .queue = view->queue,
                       });
}

static uint64_t segment_size_of(const struct view *view)
{
    const struct archiver_observation *archiver = archiver_of(view);
    return archiver && wal_segment_size_is_valid(archiver->segment_size)
               ? archiver->segment_size
               : wal_archive_guess_size(&view->wal->archive);
}

/* Shares the folders. None are of a database that has archived nothing yet. */
static struct wal_archive archive_of(const struct view *view, const struct info_stanza *stanza)
{
    struct wal_archive archive = view->wal->archive;
    if (view->wal->database_id != info_current_database(stanza, view->repository->key)->id)
        archive = (struct wal_archive){0};
    archive.segment_size = segment_size_of(view);
    return archive;
}

/* What two looks found. */
static void add_samples(struct sink *sink, const struct view *view, struct memory *memory,
                        const struct restore_input *input, const struct restore_summary *summary)
{
    struct point point = find_point(memory, view, input, summary);
    add_restorable(sink, summary, memory);
    add_backups(sink, input, summary, memory);
    add_foreign(sink, view, memory);
    add_window(sink, summary, &point);
    add_incomplete(sink, view, memory, input->stanza);
}

static bool judge(const struct view *view, struct memory *memory, struct run *run,
                  const struct info_stanza *stanza, struct err *err)
{
    static const struct text_list nothing = {0};
    const struct archiver_observation *archiver = archiver_of(view);
    struct wal_archive archive = archive_of(view, stanza);
    struct way way = find_way(view, stanza, archive.segment_size);
    struct restore_input input = {
        .stanza = stanza,
        .repo_key = view->repository->key,
        .archive = &archive,
        .listed_at = (int64_t)view->wal->listed_at,
        .archive_listed = view->wal->archive_listed,
        .production = &way.timeline,
        .folders = view->wal->folders,
        .folder_count = view->wal->folder_count,
        .continuous = repository_has_continuous_wal(view->repository),
        .keeps_all_wal = !pair_list_get(&view->repository->options, "retention-archive"),
    };
    if (archiver && view->archiver->current)
        point_note(&memory->point, archiver, clock_wall_seconds());
    if (!remember(memory, &input, view, &way, err))
        return false;
    run->again = view->catalogue_at > 0 && memory->before.listed_at <= 0;
    input.broken_before = memory->before.listed_at > 0 ? &memory->before.broken : &nothing;
    struct restore_summary summary = restore_summarise(&input);
    confirm(&summary, memory, &way);
    add_samples(run->sink, view, memory, &input, &summary);
    verdict_restore_report(run->report,
                           &(struct restore_story){
                               .repository = view->repository,
                               .input = &input,
                               .summary = &summary,
                               .foreign = least(memory->before.foreign, memory->now.foreign),
                               .lost = memory->before.lost == way.lost ? way.lost : 0,
                               .drill = view->drill,
                               .archiver = archiver && view->archiver->current ? archiver : NULL,
                               .unknown_since = view->unknown_since,
                               .now = clock_wall_seconds(),
                           });
    return true;
}

/* A listing with a database that the catalogue does not know yet is of another moment. */
static bool is_consistent(const struct view *view, const struct info_stanza *stanza)
{
    const struct info_database *now = info_current_database(stanza, view->repository->key);
    return now && view->wal->database_id <= now->id;
}

static bool restore_collect(void *opaque, struct run *run, struct err *err)
{
    struct view view = find_inputs(run);
    const struct info_stanza *stanza =
        view.backups ? backups_observation_stanza(view.backups) : NULL;
    if (!stanza || !view.wal || view.wal->listed_at <= 0 || !is_consistent(&view, stanza)) {
        verdict_restore_report_unknown(run->report, view.repository);
        return true;
    }
    return judge(&view, opaque, run, stanza, err);
}

const struct collector collector_restorability = {
    .name = "restorability",
    .help = "Whether each repository could be restored from, and to when.",
    .default_enabled = true,
    .interval_s = 15,
    .timeout_s = 5,
    .labels = repository_target_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = restore_targets,
    .open = restore_open,
    .collect = restore_collect,
    .close = restore_close,
    .combines = true,
};
