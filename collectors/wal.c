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
#include "collectors/settings.h"
#include "collectors/wal_report.h"

/* Closed folders that are listed again in one look when there is no special reason; more when it
 * takes more to get round in time. */
#define AGAIN_MIN 64

extern const struct collector collector_wal;

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

/* One target. What it has seen stays from look to look. */
struct wal {
    struct proc_pool *pool;
    const char *program;
    const struct stanza_repository *repository;
    char *key;
    struct mount_finder finder;
    double interval_s, verify_s;

    struct wal_observation *now;   /* as the look goes on */
    struct wal_observation *known; /* as of the last look that came to its end */
    struct text_list archive_copies;
    int64_t backup_info_time, backup_info_size;
    uint64_t oldest;       /* the first folder: timeline and log */
    double changed_at;     /* expire may have taken WAL anywhere by then */
    bool may_still_change; /* it may have been at work during that look */
};

static void forget_history(struct wal_observation *now, size_t index)
{
    timeline_done(&now->histories[index].timeline);
    now->histories[index] = now->histories[--now->history_count];
}

static void forget_label(struct wal_observation *now, size_t index)
{
    free((char *)(uintptr_t)now->folders[index].label);
    memmove(now->folders + index, now->folders + index + 1,
            (--now->folder_count - index) * sizeof *now->folders);
}

/* Another database took the stanza over, or the archive is gone. */
static void forget_archive(struct wal_observation *now)
{
    wal_archive_done(&now->archive);
    while (now->history_count > 0)
        forget_history(now, now->history_count - 1);
}

static void wal_close(void *opaque)
{
    struct wal *state = opaque;
    if (!state)
        return;
    wal_observation_free(state->now);
    wal_observation_free(state->known);
    text_list_done(&state->archive_copies);
    mount_finder_done(&state->finder);
    free(state->key);
    free(state);
}

static bool begin_observing(struct wal *state, const struct target *target, struct err *err)
{
    state->key = strdup(target->name);
    state->now = calloc(1, sizeof *state->now);
    if (!state->key || !state->now)
        return err_memory(err);
    state->now->repo_key = state->repository->key;
    state->now->stanza = strdup(state->repository->stanza->name);
    if (!state->now->stanza)
        return err_memory(err);
    return wal_observation_copy(state->now, &state->known, err);
}

static double interval_of(const struct settings *settings, const struct target *target)
{
    double configured = settings_collector(settings, collector_wal.name)->interval_s;
    if (configured > 0)
        return configured;
    return target->interval_s > 0 ? target->interval_s : collector_wal.interval_s;
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
    state->interval_s = interval_of(environment->settings, target);
    state->verify_s = settings_wal_verify_s(environment->settings);
    mount_finder_init(&state->finder, state->repository);
    if (!begin_observing(state, target, err)) {
        wal_close(state);
        return false;
    }
    *ret = state;
    return true;
}

/* One look. */
struct look {
    struct wal *state;
    struct repo_reader reader;
    double now; /* when it began */
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

/* Where the label is, or would have to be put. */
static size_t find_label(const struct wal_observation *now, const char *label)
{
    size_t low = 0, high = now->folder_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(now->folders[middle].label, label) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool add_label(struct wal_observation *now, const char *name, struct err *err)
{
    size_t index = find_label(now, name);
    if (index < now->folder_count && strcmp(now->folders[index].label, name) == 0)
        return true;
    struct backup_folder *grown = reallocarray(now->folders, now->folder_count + 1, sizeof *grown);
    if (!grown)
        return err_memory(err);
    now->folders = grown;
    char *copy = strdup(name);
    if (!copy)
        return err_memory(err);
    memmove(grown + index + 1, grown + index, (now->folder_count++ - index) * sizeof *grown);
    grown[index] = (struct backup_folder){.label = copy};
    return true;
}

static void drop_labels(struct look *look, const struct repo_listing *listing)
{
    struct wal_observation *now = look->state->now;
    for (size_t i = now->folder_count; i-- > 0;) {
        if (repo_listing_find(listing, now->folders[i].label))
            continue;
        forget_label(now, i);
        look->state->changed_at = look->now;
    }
}

static bool add_labels(struct look *look, const struct repo_listing *listing, struct err *err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct repo_file *file = &listing->files[i];
        if (file->type != REPO_FOLDER || !is_label(file->name))
            continue;
        if (!add_label(look->state->now, file->name, err))
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
    if (pair_list_get(&state->repository->options, "retention-archive"))
        state->changed_at = look->now; /* expire takes WAL between backups, too */
    return true;
}

static void judge_folder(struct backup_folder *folder, const struct repo_listing *listing,
                         double now)
{
    bool whole = repo_listing_find(listing, "backup.manifest");
    enum folder_state state = whole ? FOLDER_COMPLETE : FOLDER_INCOMPLETE;
    folder->twice = folder->state == state;
    folder->state = state;
    folder->looked_at = now;
    folder->changed_at = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->files[i].time > folder->changed_at)
            folder->changed_at = listing->files[i].time;
    }
}

static bool look_into_label(struct look *look, struct backup_folder *folder, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    strbuf_printf(&path, "backup/%s/%s", stanza_of(look), folder->label);
    if (path.failed)
        return err_memory(err);
    if (!repo_reader_list(&look->reader, strbuf_text(&path), &listing, err))
        return false;
    judge_folder(folder, &listing, look->now);
    return true;
}

/* One that is not whole may be a backup that is being made. */
static bool label_is_due(const struct look *look, const struct backup_folder *folder)
{
    return folder->state != FOLDER_COMPLETE ||
           look->now - folder->looked_at >= look->state->verify_s;
}

static void mark_archive_copies(struct wal *state)
{
    for (size_t i = 0; i < state->now->folder_count; i++) {
        struct backup_folder *folder = &state->now->folders[i];
        folder->archive_copy = text_list_has(&state->archive_copies, folder->label);
    }
}

/* The newest first. */
static bool look_into_labels(struct look *look, struct err *err)
{
    struct wal_observation *now = look->state->now;
    for (size_t i = now->folder_count; i-- > 0 && has_time(look);) {
        struct backup_folder *folder = &now->folders[i];
        if (label_is_due(look, folder) && !look_into_label(look, folder, err))
            return false;
    }
    return true;
}

/* The bare mount point is no repository that has lost everything: what is known of it stays. It may
 * have become one since the look began. */
static bool is_unmounted(struct look *look, const struct repo_listing *listing, struct err *err)
{
    struct wal *state = look->state;
    if (listing->count > 0)
        return false;
    if (!state->finder.unmounted)
        mount_finder_glance(&state->finder, state->pool, &look->reader.bound);
    if (!state->finder.unmounted)
        return false;
    err_set(err, ERR_NOT_MOUNTED,
            "repository %" PRId64 " (%s): its file system is not mounted on %s",
            state->repository->key, state->repository->name, mount_finder_name(&state->finder));
    look->reader.repository_is_at_fault = true;
    return true;
}

static bool list(struct look *look, const char *path, struct repo_listing *ret, struct err *err)
{
    return repo_reader_list(&look->reader, path, ret, err) && !is_unmounted(look, ret, err);
}

/*
 * Not even a backup.info: the repository itself is not where it should be, and pgbackrest lists
 * what is not there as empty. That is no proof that all was deleted; what is known of it stays.
 */
static bool says_no_stanza(struct look *look, struct err *err)
{
    const struct stanza_repository *repository = look->state->repository;
    look->reader.repository_is_at_fault = true;
    return err_set(err, ERR_MISSING_STANZA_PATH,
                   "repository %" PRId64 " (%s): nothing is there of stanza %s", repository->key,
                   repository->name, stanza_of(look));
}

static bool look_at_backups(struct look *look, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    strbuf_printf(&path, "backup/%s", stanza_of(look));
    if (path.failed)
        return err_memory(err);
    if (!list(look, strbuf_text(&path), &listing, err))
        return false;
    if (listing.count == 0)
        return says_no_stanza(look, err);
    drop_labels(look, &listing);
    if (!add_labels(look, &listing, err) || !read_backup_info(look, &listing, err))
        return false;
    mark_archive_copies(look->state);
    return look_into_labels(look, err);
}

/* WAL. */

/* "15-1": PostgreSQL's version and the database id, which grows with each stanza-upgrade. */
static int64_t archive_database(const char *name)
{
    static const char digits[] = "0123456789";
    size_t version = strspn(name, "0123456789.");
    const char *id = name + version + 1;
    if (version == 0 || name[version] != '-' || strspn(id, digits) != strlen(id))
        return 0;
    return strtol(id, NULL, 10);
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

/* A folder in the archive's listing that is due. */
enum due {
    DUE_NOW,     /* it grows, is new, or what it seems to lack has to be seen twice */
    DUE_CHANGED, /* expire may have been there */
    DUE_AGAIN,   /* it was not looked into for long, or lacks something: in rotation */
    DUE_NOT,
};

struct task {
    enum due due;
    size_t index; /* in the listing */
    double listed_at;
};

static bool read_folder(struct look *look, const char *archive, const char *name, bool newest,
                        struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    struct wal_archive *known = &look->state->now->archive;
    struct wal_folder *folder = NULL;
    uint32_t timeline = 0, log = 0;
    strbuf_printf(&path, "%s/%s", archive, name);
    if (path.failed)
        return err_memory(err);
    if (!wal_folder_name(name, &timeline, &log) || !list(look, strbuf_text(&path), &listing, err))
        return false;
    struct wal_sight sight = {look->now, wal_archive_folder(known, timeline, log), !newest};
    return wal_folder_read_again(name, &listing, &sight, &folder, err) &&
           wal_archive_put(known, folder, err);
}

/* Whether the i-th of a list in the order of names is the last folder of its timeline. */
static bool is_newest(const struct repo_listing *listing, size_t i)
{
    uint32_t timeline = 0, next = 0, log = 0;
    return i + 1 == listing->count || !wal_folder_name(listing->files[i].name, &timeline, &log) ||
           !wal_folder_name(listing->files[i + 1].name, &next, &log) || next != timeline;
}

static bool is_folder(const struct repo_file *file)
{
    uint32_t timeline = 0, log = 0;
    return file->type == REPO_FOLDER && wal_folder_name(file->name, &timeline, &log);
}

static const struct wal_folder *known_folder(const struct wal *state, const char *name)
{
    uint32_t timeline = 0, log = 0;
    return wal_folder_name(name, &timeline, &log)
               ? wal_archive_folder(&state->now->archive, timeline, log)
               : NULL;
}

/* When it was closed not long ago, its last segments may not have been there yet. */
static bool is_settled(const struct wal_folder *folder, bool whole)
{
    unsigned looks = wal_folder_closed_looks(folder);
    return looks > 0 && (whole || looks > 1) && !wal_folder_lost(folder);
}

static enum due folder_is_due(const struct look *look, const struct wal_folder *folder,
                              uint32_t per_log)
{
    bool whole = wal_folder_is_whole(folder, per_log);
    double listed_at = wal_folder_listed_at(folder);
    bool oldest = folder == look->state->now->archive.folders[0];
    if (listed_at <= 0 || oldest || !is_settled(folder, whole))
        return DUE_NOW;
    if (listed_at < look->state->changed_at)
        return DUE_CHANGED;
    return whole && look->now - listed_at < look->state->verify_s ? DUE_NOT : DUE_AGAIN;
}

/* The newest first of what is due now, so that what there is time for is what matters most; then
 * what was not looked into for the longest time. */
static int compare_tasks(const void *one, const void *other)
{
    const struct task *left = one, *right = other;
    if (left->due != right->due)
        return left->due < right->due ? -1 : 1;
    if (left->due != DUE_NOW && left->listed_at != right->listed_at)
        return left->listed_at < right->listed_at ? -1 : 1;
    return left->index > right->index ? -1 : 1;
}

static size_t find_tasks(const struct look *look, const struct repo_listing *listing,
                         struct task *tasks)
{
    const struct wal *state = look->state;
    uint32_t per_log = wal_archive_per_log(&state->now->archive);
    size_t count = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct repo_file *file = &listing->files[i];
        const struct wal_folder *folder = is_folder(file) ? known_folder(state, file->name) : NULL;
        if (!folder)
            continue;
        enum due due = is_newest(listing, i) ? DUE_NOW : folder_is_due(look, folder, per_log);
        if (due != DUE_NOT)
            tasks[count++] = (struct task){due, i, wal_folder_listed_at(folder)};
    }
    qsort(tasks, count, sizeof *tasks, compare_tasks);
    return count;
}

/* How many folders must be listed again in a look so that all had their turn in time. */
static size_t share_of(const struct wal *state)
{
    double share = 2 * (double)state->now->archive.count * state->interval_s / state->verify_s;
    return share > AGAIN_MIN ? (size_t)share : AGAIN_MIN;
}

static void tasks_freep(struct task **tasks)
{
    free(*tasks);
}

static bool read_folders(struct look *look, const char *archive, const struct repo_listing *listing,
                         struct err *err)
{
    size_t again = 0, share = share_of(look->state);
    struct task *tasks CLEANUP(tasks_freep) = calloc(listing->count + 1, sizeof *tasks);
    if (!tasks)
        return err_memory(err);
    size_t count = find_tasks(look, listing, tasks);
    for (size_t i = 0; i < count && has_time(look); i++) {
        size_t index = tasks[i].index;
        again += tasks[i].due == DUE_AGAIN;
        if (again > share)
            return true;
        if (!read_folder(look, archive, listing->files[index].name, is_newest(listing, index), err))
            return false;
    }
    return true;
}

static void drop_folders(struct wal *state, const struct repo_listing *listing)
{
    struct wal_archive *archive = &state->now->archive;
    for (size_t i = archive->count; i-- > 0;) {
        uint32_t timeline = wal_folder_timeline(archive->folders[i]);
        uint32_t log = wal_folder_log(archive->folders[i]);
        struct strbuf name CLEANUP(strbuf_done) = {0};
        strbuf_printf(&name, "%08" PRIX32 "%08" PRIX32, timeline, log);
        if (!repo_listing_find(listing, strbuf_text(&name)))
            wal_archive_remove(archive, timeline, log);
    }
}

static bool add_folders(struct wal *state, const struct repo_listing *listing, struct err *err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->files[i].name;
        struct wal_folder *folder = NULL;
        if (!is_folder(&listing->files[i]) || known_folder(state, name))
            continue;
        if (!wal_folder_unseen(name, &folder, err) ||
            !wal_archive_put(&state->now->archive, folder, err))
            return false;
    }
    return true;
}

/* With the first folder, or segments of it, goes what else expire takes. */
static void notice_expire(struct look *look)
{
    struct wal *state = look->state;
    const struct wal_archive *archive = &state->now->archive;
    uint64_t oldest = 0;
    if (archive->count > 0)
        oldest = (uint64_t)wal_folder_timeline(archive->folders[0]) << 32 |
                 wal_folder_log(archive->folders[0]);
    bool first = state->known->listed_at <= 0;
    bool begins = !first && (oldest != state->oldest || state->changed_at >= look->now);
    if (begins || state->may_still_change)
        state->changed_at = look->now;
    state->may_still_change = begins;
    state->oldest = oldest;
}

/* One that cannot be understood is remembered as such. */
static bool parse_history(uint32_t id, const struct strbuf *text, struct wal_history *history,
                          struct err *err)
{
    if (timeline_parse(id, strbuf_text(text), text->length, &history->timeline, err))
        return true;
    if (err->code == ERR_MEMORY)
        return false;
    history->broken = true;
    history->timeline = (struct timeline){.id = id};
    return true;
}

static bool read_history(struct look *look, const char *archive, const struct repo_file *file,
                         struct err *err)
{
    struct wal_observation *now = look->state->now;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct wal_history history = {.size = file->size, .time = file->time};
    uint32_t id = 0;
    strbuf_printf(&path, "%s/%s", archive, file->name);
    struct wal_history *grown = reallocarray(now->histories, now->history_count + 1, sizeof *grown);
    if (grown)
        now->histories = grown;
    if (!grown || path.failed)
        return err_memory(err);
    if (!timeline_history_name(file->name, &id) ||
        !repo_reader_get(&look->reader, strbuf_text(&path), &text, err) ||
        !parse_history(id, &text, &history, err))
        return false;
    grown[now->history_count++] = history;
    return true;
}

static bool has_history(const struct wal_observation *now, uint32_t id)
{
    for (size_t i = 0; i < now->history_count; i++) {
        if (now->histories[i].timeline.id == id)
            return true;
    }
    return false;
}

/* Those that are gone, or are not what was read. */
static void drop_histories(struct wal_observation *now, const struct repo_listing *listing)
{
    for (size_t i = now->history_count; i-- > 0;) {
        const struct wal_history *history = &now->histories[i];
        struct strbuf name CLEANUP(strbuf_done) = {0};
        strbuf_printf(&name, "%08" PRIX32 ".history", history->timeline.id);
        const struct repo_file *file = repo_listing_find(listing, strbuf_text(&name));
        if (!file || file->size != history->size || file->time != history->time)
            forget_history(now, i);
    }
}

static bool read_histories(struct look *look, const char *archive,
                           const struct repo_listing *listing, struct err *err)
{
    drop_histories(look->state->now, listing);
    for (size_t i = 0; i < listing->count; i++) {
        uint32_t id = 0;
        if (!timeline_history_name(listing->files[i].name, &id) ||
            has_history(look->state->now, id))
            continue;
        if (!read_history(look, archive, &listing->files[i], err))
            return false;
    }
    return true;
}

static bool look_at_archive(struct look *look, const char *archive, struct err *err)
{
    struct wal *state = look->state;
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    if (!list(look, archive, &listing, err))
        return false;
    drop_folders(state, &listing);
    if (!add_folders(state, &listing, err))
        return false;
    notice_expire(look);
    if (!read_histories(look, archive, &listing, err) ||
        !read_folders(look, archive, &listing, err))
        return false;
    if (state->now->archive.count > 0 && wal_folder_lost(state->now->archive.folders[0]))
        state->may_still_change = true;
    state->now->archive_listed = wal_archive_is_seen(&state->now->archive);
    return true;
}

static bool look_at_wal(struct look *look, struct err *err)
{
    struct wal_observation *now = look->state->now;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    int64_t id = 0;
    strbuf_printf(&path, "archive/%s", stanza_of(look));
    if (path.failed)
        return err_memory(err);
    if (!list(look, strbuf_text(&path), &listing, err))
        return false;
    const struct repo_file *archive = find_archive(&listing, &id);
    if (id != now->database_id)
        forget_archive(now);
    now->database_id = id;
    now->archive_listed = true;
    if (!archive)
        return true;
    strbuf_printf(&path, "/%s", archive->name);
    return path.failed ? err_memory(err) : look_at_archive(look, strbuf_text(&path), err);
}

/* What is published: what was known at the end of the last good look. */
static bool observe(const struct wal *state, struct run *run, enum err_code reason, struct err *err)
{
    struct wal_observation *seen = NULL;
    if (!wal_observation_copy(state->known, &seen, err))
        return false;
    seen->reason = reason;
    seen->readable = reason == ERR_NONE;
    run_observe(run, seen, wal_observation_free);
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
    struct wal_observation *known = NULL;
    state->now->listed_at = now;
    if (!wal_observation_copy(state->now, &known, err))
        return false;
    wal_observation_free(state->known);
    state->known = known;
    sink_add(run->sink, LISTED, 1, NULL);
    if (known->archive_listed)
        sink_add(run->sink, SEGMENTS, (double)wal_archive_count(&known->archive), NULL);
    wal_report_listed(run->report, state->repository, &known->archive);
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

/* One that is verified at another pace is another target: state is made for it anew. */
static bool add_pace(struct target *target, double verify_s, struct err *err)
{
    struct strbuf fingerprint CLEANUP(strbuf_done) = {0};
    strbuf_printf(&fingerprint, "%s %g", target->fingerprint, verify_s);
    if (fingerprint.failed)
        return err_memory(err);
    free(target->fingerprint);
    target->fingerprint = strbuf_steal(&fingerprint);
    return true;
}

static bool wal_targets(const struct settings *settings, struct target_list *ret, struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    if (!repository_targets(settings, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        if (!add_pace(&list.items[i], settings_wal_verify_s(settings), err))
            return false;
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
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
    .targets = wal_targets,
    .open = wal_open,
    .collect = wal_collect,
    .close = wal_close,
};
