/*
 * wal - which WAL segments and which backup folders really lie in a repository.
 *
 * pgbackrest info says where the archive begins and ends, not what is missing between, and lists
 * backups whose folders are gone. A folder of 256 segments is listed once and remembered; the
 * newest ones, and those with a hole, at each look, all others in rotation.
 */
#include "collectors/wal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/backup_info.h"
#include "collectors/pgbackrest_repo.h"
#include "collectors/repository_mount.h"
#include "collectors/repository_target.h"
#include "collectors/wal_report.h"

#define VERIFY_S (6 * 3600.0)

/* Folders that are listed again in one look, beside those that have to be. */
#define AGAIN_MAX 64

enum { LISTED, SEGMENTS, METRIC_COUNT };

static const struct metric_desc metrics[METRIC_COUNT] = {
    [LISTED] =
        {
            .name = "pgbackrest_wal_listed",
            .help = "Whether the files of the repository could be listed (1).",
            .keeps = OUTCOME,
        },
    [SEGMENTS] =
        {
            .name = "pgbackrest_wal_segments",
            .help = "WAL segments of the current database that lie in the repository, on all "
                    "timelines.",
            .keeps = FACT,
        },
};

/* A folder of backup/STANZA: its label owns the text. */
struct known_backup {
    struct backup_folder folder;
    double looked_at;
};

struct history {
    struct timeline timeline;
    int64_t size, time; /* of the file: when they change it is read again */
};

/* One target. What it has seen stays from look to look. */
struct wal {
    struct proc_pool *pool;
    const char *program;
    const struct stanza_repository *repository;
    char *key;
    struct mount_finder finder;

    double listed_at;
    int64_t database_id;
    struct wal_archive archive;
    bool archive_listed;
    struct history *histories;
    size_t history_count;
    struct known_backup *labels;
    size_t label_count;
    struct text_list archive_copies;
    int64_t backup_info_time, backup_info_size;
    double changed_at; /* when a backup came or went: expire may have taken WAL then */
};

void wal_observation_free(void *opaque)
{
    struct wal_observation *seen = opaque;
    if (!seen)
        return;
    wal_archive_done(&seen->archive);
    for (size_t i = 0; i < seen->history_count; i++)
        timeline_done(&seen->histories[i]);
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

const struct timeline *wal_observation_history(const struct wal_observation *observation,
                                               uint32_t id)
{
    for (size_t i = 0; i < observation->history_count; i++) {
        if (observation->histories[i].id == id)
            return &observation->histories[i];
    }
    return NULL;
}

static void forget_history(struct wal *state, size_t index)
{
    timeline_done(&state->histories[index].timeline);
    state->histories[index] = state->histories[--state->history_count];
}

static void forget_label(struct wal *state, size_t index)
{
    free((char *)(uintptr_t)state->labels[index].folder.label);
    state->labels[index] = state->labels[--state->label_count];
}

/* Another database took the stanza over, or the archive is gone. */
static void forget_archive(struct wal *state)
{
    wal_archive_done(&state->archive);
    while (state->history_count > 0)
        forget_history(state, 0);
}

static void wal_close(void *opaque)
{
    struct wal *state = opaque;
    if (!state)
        return;
    forget_archive(state);
    while (state->label_count > 0)
        forget_label(state, 0);
    text_list_done(&state->archive_copies);
    mount_finder_done(&state->finder);
    free(state->histories);
    free(state->labels);
    free(state->key);
    free(state);
}

static bool wal_open(const struct environment *environment, const struct target *target, void **ret,
                     struct err *err)
{
    struct wal *state = calloc(1, sizeof *state);
    if (!state)
        return err_memory(err);
    state->pool = environment->pool;
    state->program = environment->settings->pgbackrest.command;
    state->repository = target->spec;
    mount_finder_init(&state->finder, state->repository);
    state->key = strdup(target->name);
    if (!state->key) {
        wal_close(state);
        return err_memory(err);
    }
    *ret = state;
    return true;
}

/* One look. */
struct look {
    struct wal *state;
    struct repo_reader reader;
    double now;   /* when it began */
    size_t again; /* folders listed once more so far */
};

/* A third of the time is kept for what is on its way. */
static bool has_time(const struct look *look)
{
    return bound_remaining_ms(&look->reader.bound) > look->reader.time_ms / 3;
}

static const char *stanza_of(const struct look *look)
{
    return look->state->repository->stanza->name;
}

/* Backups. */

/* 20261122-220046F_20261122-220052I: labels are made of times and types. */
static bool is_label(const char *name)
{
    return strlen(name) >= 16 && name[8] == '-' && strspn(name, "0123456789") == 8 &&
           strspn(name + 9, "0123456789") == 6 && name[15] == 'F';
}

static struct known_backup *find_label(const struct wal *state, const char *name)
{
    for (size_t i = 0; i < state->label_count; i++) {
        if (strcmp(state->labels[i].folder.label, name) == 0)
            return &state->labels[i];
    }
    return NULL;
}

static bool add_label(struct look *look, const char *name, struct err *err)
{
    struct wal *state = look->state;
    struct known_backup *grown = reallocarray(state->labels, state->label_count + 1, sizeof *grown);
    if (!grown)
        return err_memory(err);
    state->labels = grown;
    char *copy = strdup(name);
    if (!copy)
        return err_memory(err);
    grown[state->label_count++] = (struct known_backup){.folder = {.label = copy}};
    state->changed_at = look->now;
    return true;
}

static void drop_labels(struct look *look, const struct repo_listing *listing)
{
    struct wal *state = look->state;
    for (size_t i = state->label_count; i-- > 0;) {
        if (repo_listing_find(listing, state->labels[i].folder.label))
            continue;
        forget_label(state, i);
        state->changed_at = look->now;
    }
}

static bool add_labels(struct look *look, const struct repo_listing *listing, struct err *err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct repo_file *file = &listing->files[i];
        if (file->type != REPO_FOLDER || !is_label(file->name) ||
            find_label(look->state, file->name))
            continue;
        if (!add_label(look, file->name, err))
            return false;
    }
    return true;
}

/* Which backups carry their WAL, once for each version of the file. */
static bool read_backup_info(struct look *look, const struct repo_listing *listing, struct err *err)
{
    struct wal *state = look->state;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    const struct repo_file *file = repo_listing_find(listing, "backup.info");
    if (!file || (file->time == state->backup_info_time && file->size == state->backup_info_size))
        return true;
    strbuf_printf(&path, "backup/%s/backup.info", stanza_of(look));
    if (path.failed)
        return err_memory(err);
    if (!repo_reader_get(&look->reader, strbuf_text(&path), &text, err))
        return false;
    text_list_done(&state->archive_copies);
    if (!backup_info_archive_copies(strbuf_text(&text), text.length, &state->archive_copies, err))
        return false;
    state->backup_info_time = file->time;
    state->backup_info_size = file->size;
    return true;
}

static void judge_folder(struct known_backup *label, const struct repo_listing *listing)
{
    label->folder.changed_at = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->files[i].time > label->folder.changed_at)
            label->folder.changed_at = listing->files[i].time;
    }
    label->folder.state =
        repo_listing_find(listing, "backup.manifest") ? FOLDER_COMPLETE : FOLDER_INCOMPLETE;
}

static bool look_into_label(struct look *look, struct known_backup *label, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    strbuf_printf(&path, "backup/%s/%s", stanza_of(look), label->folder.label);
    if (path.failed)
        return err_memory(err);
    if (!repo_reader_list(&look->reader, strbuf_text(&path), &listing, err))
        return false;
    judge_folder(label, &listing);
    label->looked_at = look->now;
    return true;
}

/* One that is not whole may be a backup that is being made. */
static bool label_is_due(const struct look *look, const struct known_backup *label)
{
    return label->folder.state != FOLDER_COMPLETE || look->now - label->looked_at >= VERIFY_S;
}

static bool look_into_labels(struct look *look, struct err *err)
{
    struct wal *state = look->state;
    for (size_t i = state->label_count; i-- > 0 && has_time(look);) {
        struct known_backup *label = &state->labels[i];
        label->folder.archive_copy = text_list_has(&state->archive_copies, label->folder.label);
        if (label_is_due(look, label) && !look_into_label(look, label, err))
            return false;
    }
    return true;
}

/* The bare mount point is no repository that has lost everything: what is known of it stays. */
static bool is_unmounted(struct look *look, const struct repo_listing *listing, struct err *err)
{
    const struct wal *state = look->state;
    if (listing->count > 0 || !state->finder.unmounted)
        return false;
    err_set(err, ERR_NOT_MOUNTED,
            "repository %" PRId64 " (%s): its file system is not mounted on %s",
            state->repository->key, state->repository->name, mount_finder_name(&state->finder));
    look->reader.repository_is_at_fault = true;
    return true;
}

static bool look_at_backups(struct look *look, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    strbuf_printf(&path, "backup/%s", stanza_of(look));
    if (path.failed)
        return err_memory(err);
    if (!repo_reader_list(&look->reader, strbuf_text(&path), &listing, err) ||
        is_unmounted(look, &listing, err))
        return false;
    drop_labels(look, &listing);
    return add_labels(look, &listing, err) && read_backup_info(look, &listing, err) &&
           look_into_labels(look, err);
}

/* WAL. */

/* "15-1": PostgreSQL's version and the database id, which grows with each stanza-upgrade. */
static int64_t archive_database(const char *name)
{
    const char *dash = strchr(name, '-');
    char *end = NULL;
    long id = dash ? strtol(dash + 1, &end, 10) : 0;
    return id > 0 && *end == '\0' ? id : 0;
}

/* The folder of the newest database; NULL when there is none. */
static const struct repo_file *find_archive(const struct repo_listing *listing, int64_t *ret_id)
{
    const struct repo_file *found = NULL;
    for (size_t i = 0; i < listing->count; i++) {
        int64_t id = archive_database(listing->files[i].name);
        if (listing->files[i].type != REPO_FOLDER || id == 0 || (found && id < *ret_id))
            continue;
        found = &listing->files[i];
        *ret_id = id;
    }
    return found;
}

static bool read_folder(struct look *look, const char *archive, const char *name, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    struct wal_folder *folder = NULL;
    strbuf_printf(&path, "%s/%s", archive, name);
    if (path.failed)
        return err_memory(err);
    return repo_reader_list(&look->reader, strbuf_text(&path), &listing, err) &&
           wal_folder_read(name, &listing, look->now, &folder, err) &&
           wal_archive_put(&look->state->archive, folder, err);
}

/* Whether `next`, of a list in the order of names, is a folder of the same timeline. */
static bool is_same_timeline(const struct repo_file *next, uint32_t timeline)
{
    uint32_t other = 0, log = 0;
    return wal_folder_name(next->name, &other, &log) && other == timeline;
}

enum due { DUE_NOT, DUE_AGAIN, DUE_NOW };

static enum due folder_is_due(const struct look *look, const struct repo_listing *listing, size_t i)
{
    uint32_t timeline = 0, log = 0;
    const struct repo_file *file = &listing->files[i];
    if (file->type != REPO_FOLDER || !wal_folder_name(file->name, &timeline, &log))
        return DUE_NOT;
    const struct wal_folder *known = wal_archive_folder(&look->state->archive, timeline, log);
    bool newest = i + 1 == listing->count || !is_same_timeline(&listing->files[i + 1], timeline);
    if (!known || newest)
        return DUE_NOW;
    double listed_at = wal_folder_listed_at(known);
    bool old = listed_at < look->state->changed_at || look->now - listed_at >= VERIFY_S;
    return old || wal_folder_has_hole(known) ? DUE_AGAIN : DUE_NOT;
}

static bool is_wanted(struct look *look, enum due due)
{
    if (due == DUE_AGAIN)
        return look->again++ < AGAIN_MAX;
    return due == DUE_NOW;
}

/* The newest first, so that what there is time for is what matters most. */
static bool read_folders(struct look *look, const char *archive, const struct repo_listing *listing,
                         struct err *err)
{
    for (size_t i = listing->count; i-- > 0 && has_time(look);) {
        if (!is_wanted(look, folder_is_due(look, listing, i)))
            continue;
        if (!read_folder(look, archive, listing->files[i].name, err))
            return false;
    }
    return true;
}

static void drop_folders(struct wal *state, const struct repo_listing *listing)
{
    for (size_t i = state->archive.count; i-- > 0;) {
        const struct wal_folder *folder = state->archive.folders[i];
        uint32_t timeline = wal_folder_timeline(folder), log = wal_folder_log(folder);
        struct strbuf name CLEANUP(strbuf_done) = {0};
        strbuf_printf(&name, "%08" PRIX32 "%08" PRIX32, timeline, log);
        if (!repo_listing_find(listing, strbuf_text(&name)))
            wal_archive_remove(&state->archive, timeline, log);
    }
}

static bool all_listed(const struct wal *state, const struct repo_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        uint32_t timeline = 0, log = 0;
        if (listing->files[i].type == REPO_FOLDER &&
            wal_folder_name(listing->files[i].name, &timeline, &log) &&
            !wal_archive_folder(&state->archive, timeline, log))
            return false;
    }
    return true;
}

static bool read_history(struct look *look, const char *archive, const struct repo_file *file,
                         struct err *err)
{
    struct wal *state = look->state;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct history history = {.size = file->size, .time = file->time};
    uint32_t id = 0;
    strbuf_printf(&path, "%s/%s", archive, file->name);
    struct history *grown = reallocarray(state->histories, state->history_count + 1, sizeof *grown);
    if (grown)
        state->histories = grown;
    if (!grown || path.failed)
        return err_memory(err);
    if (!timeline_history_name(file->name, &id) ||
        !repo_reader_get(&look->reader, strbuf_text(&path), &text, err) ||
        !timeline_parse(id, strbuf_text(&text), text.length, &history.timeline, err))
        return false;
    grown[state->history_count++] = history;
    return true;
}

static bool has_history(const struct wal *state, uint32_t id)
{
    for (size_t i = 0; i < state->history_count; i++) {
        if (state->histories[i].timeline.id == id)
            return true;
    }
    return false;
}

/* Those that are gone, or are not what was read. */
static void drop_histories(struct wal *state, const struct repo_listing *listing)
{
    for (size_t i = state->history_count; i-- > 0;) {
        const struct history *history = &state->histories[i];
        struct strbuf name CLEANUP(strbuf_done) = {0};
        strbuf_printf(&name, "%08" PRIX32 ".history", history->timeline.id);
        const struct repo_file *file = repo_listing_find(listing, strbuf_text(&name));
        if (!file || file->size != history->size || file->time != history->time)
            forget_history(state, i);
    }
}

static bool read_histories(struct look *look, const char *archive,
                           const struct repo_listing *listing, struct err *err)
{
    drop_histories(look->state, listing);
    for (size_t i = 0; i < listing->count; i++) {
        uint32_t id = 0;
        if (!timeline_history_name(listing->files[i].name, &id) || has_history(look->state, id))
            continue;
        if (!read_history(look, archive, &listing->files[i], err))
            return false;
    }
    return true;
}

static bool look_at_archive(struct look *look, const char *archive, struct err *err)
{
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    if (!repo_reader_list(&look->reader, archive, &listing, err))
        return false;
    drop_folders(look->state, &listing);
    if (!read_histories(look, archive, &listing, err) ||
        !read_folders(look, archive, &listing, err))
        return false;
    look->state->archive_listed = all_listed(look->state, &listing);
    return true;
}

static bool look_at_wal(struct look *look, struct err *err)
{
    struct wal *state = look->state;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    int64_t id = 0;
    strbuf_printf(&path, "archive/%s", stanza_of(look));
    if (path.failed)
        return err_memory(err);
    if (!repo_reader_list(&look->reader, strbuf_text(&path), &listing, err))
        return false;
    const struct repo_file *archive = find_archive(&listing, &id);
    if (id != state->database_id)
        forget_archive(state);
    state->database_id = id;
    state->archive_listed = true;
    if (!archive)
        return true;
    strbuf_printf(&path, "/%s", archive->name);
    return path.failed ? err_memory(err) : look_at_archive(look, strbuf_text(&path), err);
}

/* What is published. */

static bool copy_histories(const struct wal *state, struct wal_observation *seen, struct err *err)
{
    seen->histories = calloc(state->history_count + 1, sizeof *seen->histories);
    if (!seen->histories)
        return err_memory(err);
    for (size_t i = 0; i < state->history_count; i++) {
        if (!timeline_copy(&state->histories[i].timeline, &seen->histories[i], err))
            return false;
        seen->history_count++;
    }
    return true;
}

static bool copy_folders(const struct wal *state, struct wal_observation *seen, struct err *err)
{
    seen->folders = calloc(state->label_count + 1, sizeof *seen->folders);
    if (!seen->folders)
        return err_memory(err);
    for (size_t i = 0; i < state->label_count; i++) {
        seen->folders[i] = state->labels[i].folder;
        seen->folders[i].label = strdup(state->labels[i].folder.label);
        if (!seen->folders[i].label)
            return err_memory(err);
        seen->folder_count++;
    }
    return true;
}

static bool observe(const struct wal *state, struct run *run, enum err_code reason, struct err *err)
{
    struct wal_observation *seen CLEANUP(observation_freep) = calloc(1, sizeof *seen);
    if (!seen)
        return err_memory(err);
    seen->stanza = strdup(state->repository->stanza->name);
    if (!seen->stanza || !wal_archive_copy(&state->archive, &seen->archive, err))
        return err_memory(err);
    seen->repo_key = state->repository->key;
    seen->reason = reason;
    seen->readable = reason == ERR_NONE;
    seen->listed_at = state->listed_at;
    seen->database_id = state->database_id;
    seen->archive_listed = state->archive_listed;
    if (!copy_histories(state, seen, err) || !copy_folders(state, seen, err))
        return false;
    run_observe(run, TAKE(seen), wal_observation_free);
    return true;
}

static bool says_down(const struct wal *state, struct run *run, struct err *err)
{
    struct err why = *err;
    wal_report_down(run->report, state->repository, &why);
    return observe(state, run, why.code, err) && run_says_down(run, LISTED, &why);
}

static bool says_listed(struct wal *state, struct run *run, double now, struct err *err)
{
    state->listed_at = now;
    sink_add(run->sink, LISTED, 1, NULL);
    if (state->archive_listed)
        sink_add(run->sink, SEGMENTS, (double)wal_archive_count(&state->archive), NULL);
    wal_report_listed(run->report, state->repository, &state->archive, state->archive_listed);
    return observe(state, run, ERR_NONE, err);
}

static bool wal_collect(void *opaque, struct run *run, struct err *err)
{
    struct wal *state = opaque;
    struct repository_env env CLEANUP(repository_env_done) = {0};
    mount_finder_glance(&state->finder, state->pool, &run->bound);
    int64_t time_ms = bound_remaining_ms(&run->bound);
    struct look look = {
        .state = state,
        .now = clock_wall_seconds(),
        .reader = {.pool = state->pool,
                   .program = state->program,
                   .repository = state->repository,
                   .env = &env,
                   .key = mount_finder_key(&state->finder, state->key),
                   .bound = run->bound,
                   .time_ms = time_ms},
    };
    if (!repository_env(state->repository, &env, err))
        return err->code == ERR_CONFIG && says_down(state, run, err);
    if (!pgbackrest_prepare(&env, time_ms, err))
        return false;
    if (look_at_backups(&look, err) && look_at_wal(&look, err))
        return says_listed(state, run, look.now, err);
    return look.reader.repository_is_at_fault && says_down(state, run, err);
}

const struct collector collector_wal = {
    .name = "wal",
    .help = "WAL segments and backup folders, as they lie in each repository.",
    .default_enabled = true,
    .interval_s = 300,
    .timeout_s = 60,
    .looks = 2, /* a file that is missing twice is missing */
    .labels = repository_target_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = repository_targets,
    .open = wal_open,
    .collect = wal_collect,
    .close = wal_close,
};
