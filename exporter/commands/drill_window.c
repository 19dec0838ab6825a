#include "exporter/commands/drill_window.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/pgbackrest_repo.h"
#include "collectors/stored_wal.h"
#include "exporter/commands/drill_moment.h"
#include "exporter/sources/companion.h"

#define LIST_MS       600000
#define END_MS        1000
#define FOLDER_DIGITS 16 /* of a segment's name */
#define SETTLED_S     1  /* info tells the end of a backup in whole seconds */
#define MOST_SEGMENTS 16 /* that are looked into for a transaction */

/* One look at the repository. */
struct look {
    const struct drill_restore *restore;
    const char *label;
    struct repo_reader reader;
    struct repository_env env;
    struct info *info;
    const struct info_stanza *stanza;
    const struct info_database *database;
    struct wal_archive archive;
    struct timeline timeline;
    uint64_t until; /* the newest backup's WAL goes on up to before that number */
};

static void look_done(struct look *look)
{
    repository_env_done(&look->env);
    info_unref(look->info);
    wal_archive_done(&look->archive);
    timeline_done(&look->timeline);
}

static bool is_candidate(const struct look *look, const struct info_backup *backup)
{
    return backup->repo_key == look->restore->repository->key &&
           backup->database_id == look->database->id && backup->archive_start &&
           backup->archive_stop && (!look->label || strcmp(backup->label, look->label) == 0);
}

static bool says_none(const struct look *look, struct err *err)
{
    const struct stanza_repository *repository = look->restore->repository;
    return err_set(err, ERR_NO_BACKUP,
                   "repository %" PRId64 " (%s) has no backup%s%s that WAL leads on from, so there "
                   "is no moment to choose",
                   repository->key, repository->name, look->label ? " " : "",
                   look->label ? look->label : "");
}

/* ---- listing ---- */

static bool open_look(struct look *look, struct err *err)
{
    const struct drill_restore *restore = look->restore;
    if (!repository_env(restore->repository, &look->env, err) ||
        !pgbackrest_prepare(&look->env, LIST_MS, err) ||
        !drill_restore_catalogue(restore, &look->info, err))
        return false;
    look->reader = (struct repo_reader){
        .pool = restore->pool,
        .program = restore->program,
        .repository = restore->repository,
        .env = &look->env,
        .bound = bound_after(LIST_MS, restore->guard->bound.stop_fd),
        .time_ms = LIST_MS,
    };
    look->stanza = info_find_stanza(look->info, restore->repository->stanza->name);
    look->database =
        look->stanza ? info_current_database(look->stanza, restore->repository->key) : NULL;
    return look->database || says_none(look, err);
}

static void add_archive(const struct look *look, struct strbuf *out)
{
    strbuf_printf(out, "archive/%s/%s-%" PRId64, look->stanza->name, look->database->version,
                  look->database->id);
}

/* The log of the oldest segment that matters; false: there is no backup to begin from. */
static bool first_log(const struct look *look, uint32_t *ret)
{
    uint32_t timeline = 0, log = 0;
    bool found = false;
    for (size_t i = 0; i < look->stanza->backup_count; i++) {
        const struct info_backup *backup = &look->stanza->backups[i];
        char *folder =
            is_candidate(look, backup) ? strndup(backup->archive_start, FOLDER_DIGITS) : NULL;
        if (folder && wal_folder_name(folder, &timeline, &log) && (!found || log < *ret)) {
            *ret = log;
            found = true;
        }
        free(folder);
    }
    return found;
}

static bool list_folder(struct look *look, const char *name, struct err *err)
{
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct wal_folder *folder = NULL;
    add_archive(look, &path);
    strbuf_printf(&path, "/%s", name);
    if (path.failed)
        return err_memory(err);
    return repo_reader_list(&look->reader, strbuf_text(&path), &listing, err) &&
           wal_folder_read(name, &listing, clock_wall_seconds(), &folder, err) &&
           wal_archive_put(&look->archive, folder, err);
}

/* The newest one is followed, as by a restore; without a history file it has no ancestors. */
static bool read_timeline(struct look *look, const struct repo_listing *listing, uint32_t id,
                          struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct strbuf name CLEANUP(strbuf_done) = {0};
    look->timeline = (struct timeline){.id = id};
    strbuf_printf(&name, "%08" PRIX32 ".history", id);
    if (!repo_listing_find(listing, strbuf_text(&name)))
        return true;
    add_archive(look, &path);
    strbuf_printf(&path, "/%s", strbuf_text(&name));
    if (path.failed)
        return err_memory(err);
    return repo_reader_get(&look->reader, strbuf_text(&path), &text, err) &&
           timeline_parse(id, strbuf_text(&text), text.length, &look->timeline, err);
}

static bool list_archive(struct look *look, struct err *err)
{
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    struct strbuf path CLEANUP(strbuf_done) = {0};
    uint32_t first = 0, timeline = 0, log = 0, newest = 0;
    if (!first_log(look, &first))
        return says_none(look, err);
    add_archive(look, &path);
    if (path.failed)
        return err_memory(err);
    if (!repo_reader_list(&look->reader, strbuf_text(&path), &listing, err))
        return false;
    for (size_t i = 0; i < listing.count; i++) {
        const char *name = listing.files[i].name;
        if (!wal_folder_name(name, &timeline, &log))
            continue;
        newest = timeline > newest ? timeline : newest;
        if (log >= first && !list_folder(look, name, err))
            return false;
    }
    look->archive.segment_size = wal_archive_guess_size(&look->archive);
    return read_timeline(look, &listing, newest, err);
}

/* ---- choosing ---- */

/* The numbers from the backup's first segment to before the first one that is missing behind it;
 * false: that is not behind its end. */
static bool find_run(const struct look *look, const struct info_backup *backup,
                     struct wal_range *ret)
{
    uint64_t size = look->archive.segment_size;
    struct wal_segment start, stop;
    if (!wal_segment_parse(backup->archive_start, size, &start) ||
        !wal_segment_parse(backup->archive_stop, size, &stop) ||
        timeline_of_segment(&look->timeline, stop.number, size) != stop.timeline)
        return false;
    *ret = (struct wal_range){
        .begin = stop.number,
        .end = wal_archive_run_end(&look->archive, &look->timeline, start.number),
    };
    return ret->end > stop.number;
}

/* The newest candidate that ended by then, and of whose run the end is `look->until` (0: any). */
static const struct info_backup *find_backup(const struct look *look, double by,
                                             struct wal_range *ret)
{
    const struct info_backup *found = NULL;
    struct wal_range run;
    for (size_t i = 0; i < look->stanza->backup_count; i++) {
        const struct info_backup *backup = &look->stanza->backups[i];
        if (!is_candidate(look, backup) || (double)(backup->stop + SETTLED_S) > by ||
            (found && backup->stop < found->stop) || !find_run(look, backup, &run) ||
            (look->until > 0 && run.end != look->until))
            continue;
        found = backup;
        *ret = run;
    }
    return found;
}

/* When the oldest backup of the window had ended. */
static double find_begin(const struct look *look, double newest)
{
    double begin = newest;
    struct wal_range run;
    for (size_t i = 0; i < look->stanza->backup_count; i++) {
        const struct info_backup *backup = &look->stanza->backups[i];
        double ended = (double)(backup->stop + SETTLED_S);
        if (is_candidate(look, backup) && ended < begin && find_run(look, backup, &run) &&
            run.end == look->until)
            begin = ended;
    }
    return begin;
}

static struct wal_segment segment_of(const struct timeline *timeline, uint64_t number,
                                     uint64_t size)
{
    return (struct wal_segment){
        .timeline = timeline_of_segment(timeline, number, size),
        .number = number,
    };
}

static bool choose(struct look *look, struct drill_window *window, struct drill_backup *backup,
                   struct err *err)
{
    struct wal_range run = {0};
    const struct info_backup *newest = find_backup(look, INFINITY, &run);
    if (!newest)
        return says_none(look, err);
    look->until = run.end;
    struct wal_segment last = segment_of(&look->timeline, run.end - 1, look->archive.segment_size);
    double end = (double)wal_archive_time(&look->archive, &last);
    double begin = find_begin(look, (double)(newest->stop + SETTLED_S));
    double moment = drill_moment_between(begin, end);
    const struct info_backup *found = find_backup(look, moment, &run);
    if (!found)
        return says_none(look, err);
    if (!drill_backup_copy(look->stanza, found, backup, err))
        return false;
    *window = (struct drill_window){
        .begin = (double)(found->stop + SETTLED_S),
        .moment = moment,
        .timeline = look->timeline,
        .from = run.begin,
        .until = run.end,
        .segment_size = look->archive.segment_size,
    };
    look->timeline = (struct timeline){0};
    return true;
}

bool drill_window_choose(const struct drill_restore *restore, const char *label,
                         struct drill_window *ret, struct drill_backup *ret_backup, struct err *err)
{
    struct look look CLEANUP(look_done) = {.restore = restore, .label = label};
    return open_look(&look, err) && list_archive(&look, err) && choose(&look, ret, ret_backup, err);
}

void drill_window_done(struct drill_window *window)
{
    timeline_done(&window->timeline);
}

/* ---- where the WAL ends in time ---- */

/* The last end of a transaction in what pg_waldump has written; 0: none. */
static double last_end(const char *file)
{
    char *line = NULL;
    size_t size = 0;
    double end = 0;
    FILE *stream = fopen(file, "re");
    while (stream && getline(&line, &size, stream) > 0) {
        double at = 0;
        if (drill_moment_of_line(line, &at))
            end = at;
    }
    free(line);
    if (stream)
        fclose(stream);
    return end;
}

/* Its status tells nothing: it complains of the empty end of a segment that was switched. */
static bool dump(const struct drill_restore *restore, const char *programs, const char *segment,
                 const char *output, struct err *err)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC",
                                              NULL};
    struct strbuf program CLEANUP(strbuf_done) = {0};
    struct companion child = {0};
    strbuf_printf(&program, "%s/pg_waldump", programs);
    if (program.failed)
        return err_memory(err);
    const char *const argv[] = {strbuf_text(&program), "--rmgr=Transaction", segment, NULL};
    const struct companion_spec spec = {
        .argv = argv, .envp = environment, .log = output, .end_signal = SIGKILL};
    if (!companion_start(&spec, &child, err))
        return false;
    bool ended = drill_guard_wait(restore->guard, &child, err);
    companion_end(&child, SIGTERM, END_MS);
    return ended;
}

static bool look_into(const struct drill_restore *restore, const char *programs, const char *name,
                      double *ret, struct err *err)
{
    struct strbuf segment CLEANUP(strbuf_done) = {0};
    struct strbuf output CLEANUP(strbuf_done) = {0};
    strbuf_printf(&segment, "%s/%s", restore->scratch->path, name);
    strbuf_printf(&output, "%s/transactions", restore->scratch->path);
    if (segment.failed || output.failed)
        return err_memory(err);
    bool looked = drill_restore_get_wal(restore, name, strbuf_text(&segment), err) &&
                  dump(restore, programs, strbuf_text(&segment), strbuf_text(&output), err);
    if (looked)
        *ret = last_end(strbuf_text(&output));
    unlink(strbuf_text(&segment));
    unlink(strbuf_text(&output));
    return looked;
}

/* The last end of a transaction in the window's WAL; 0: none in its last segments. */
static bool find_end(const struct drill_restore *restore, const char *programs,
                     const struct drill_window *window, double *ret, struct err *err)
{
    double end = 0;
    for (uint64_t i = 1; end <= 0 && i <= MOST_SEGMENTS && window->until - i >= window->from; i++) {
        struct strbuf name CLEANUP(strbuf_done) = {0};
        struct wal_segment segment =
            segment_of(&window->timeline, window->until - i, window->segment_size);
        wal_segment_name(&segment, window->segment_size, &name);
        if (name.failed)
            return err_memory(err);
        if (!look_into(restore, programs, strbuf_text(&name), &end, err))
            return false;
    }
    *ret = end;
    return true;
}

bool drill_window_settle(const struct drill_restore *restore, const char *programs,
                         struct drill_window *window, struct err *err)
{
    double end = 0;
    if (!find_end(restore, programs, window, &end, err))
        return false;
    if (end <= window->begin)
        window->moment = 0;
    else if (window->moment >= end)
        window->moment = drill_moment_between(window->begin, end);
    return true;
}
