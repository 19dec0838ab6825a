/*
 * queue - WAL that waits to be archived, why it does, and the room it has left.
 *
 * PostgreSQL keeps every segment until archive_command has taken it: then pg_wal fills, and when
 * its file system is full the server stops. Past archive-push-queue-max pgBackRest takes segments
 * without storing them: PostgreSQL sees success, and recovery ends at the first of them. Files of
 * the server and of pgBackRest are looked at in child processes only, for they may hang.
 */
#include "collectors/queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/parse/spool.h"
#include "collectors/queue_report.h"
#include "collectors/repository.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"
#include "exporter/sources/pg.h"
#include "exporter/sources/probe_file.h"
#include "exporter/sources/probe_folder.h"

#define DEFAULT_SPOOL_PATH "/var/spool/pgbackrest"
#define DEFAULT_LOG_PATH   "/var/log/pgbackrest"
#define DROPPED_MAX        4096 /* names that are remembered; the oldest are forgotten */

enum { FILES, BYTES, OLDEST, QUEUE_MAX, FAILING, DROPPED, WAL_SIZE, WAL_AVAIL, METRIC_COUNT };

static const char *const repo_labels[] = {"repo_key", NULL};

static const struct metric_desc metrics[METRIC_COUNT] = {
    [FILES] =
        {
            .name = "pg_archive_queue_files",
            .help = "Files that wait to be archived (.ready): WAL segments, histories, backup "
                    "labels.",
            .keeps = STATE,
        },
    [BYTES] =
        {
            .name = "pg_archive_queue_bytes",
            .help = "Size of the WAL segments that wait to be archived.",
            .keeps = STATE,
        },
    [OLDEST] =
        {
            .name = "pg_archive_queue_oldest_timestamp_seconds",
            .help = "Since when the oldest file waits to be archived; absent while none does.",
            .keeps = STATE,
        },
    [QUEUE_MAX] =
        {
            .name = "pgbackrest_archive_push_queue_max_bytes",
            .help = "The size of the queue beyond which archive-push drops WAL "
                    "(archive-push-queue-max); absent when there is no limit.",
            .keeps = CONFIGURED,
        },
    [FAILING] =
        {
            .name = "pgbackrest_archive_push_failing_segments",
            .help = "WAL segments whose asynchronous push to the repository failed at the last "
                    "attempt. Absent without archive-async.",
            .keeps = OUTCOME,
            .labels = repo_labels,
        },
    [DROPPED] =
        {
            .name = "pgbackrest_archive_push_dropped_segments_total",
            .help = "WAL segments that archive-push was seen to drop since the exporter started; "
                    "at least, for its traces pass quickly. Absent where nothing would show it: "
                    "without archive-async or without archive-push-queue-max.",
            .type = METRIC_COUNTER,
            .keeps = FACT,
        },
    [WAL_SIZE] =
        {
            .name = "pg_wal_filesystem_size_bytes",
            .help = "Size of the file system that pg_wal is on.",
            .keeps = OUTCOME,
        },
    [WAL_AVAIL] =
        {
            .name = "pg_wal_filesystem_avail_bytes",
            .help = "Bytes that PostgreSQL can still write to the file system that pg_wal is on; "
                    "when it is full the server stops.",
            .keeps = OUTCOME,
        },
};

/* One target. */
struct queue {
    struct proc_pool *pool;
    const struct stanza *stanza;
    struct pg *pg;
    char *pg_wal;          /* NULL: not on this host, or not known */
    char *spool;           /* the folder of results; NULL without archive-async */
    char *log;             /* of the asynchronous push; NULL when nothing is dropped */
    uint64_t queue_max;    /* 0: no limit */
    struct text_list seen; /* segments known to be dropped */
    uint64_t dropped;      /* since the target began */
    bool knows_what_was;   /* a first look has told what was dropped before it */
};

void queue_observation_free(void *observation)
{
    free(observation);
}

static void queue_close(void *opaque)
{
    struct queue *queue = opaque;
    if (!queue)
        return;
    pg_close(queue->pg);
    text_list_done(&queue->seen);
    free(queue->pg_wal);
    free(queue->spool);
    free(queue->log);
    free(queue);
}

/* ---- what the configuration says ---- */

static const char *option_or(const struct settings *settings, const struct stanza *stanza,
                             const char *option, const char *fallback)
{
    const char *value = discover_option(settings, stanza->name, "archive-push", option);
    return value ? value : fallback;
}

static char *path_of(const char *first, const char *format, const char *stanza)
{
    struct strbuf path = {0};
    strbuf_puts(&path, first);
    for (; *format; format++) { /* '*' is the stanza */
        if (*format == '*')
            strbuf_puts(&path, stanza);
        else
            strbuf_putc(&path, *format);
    }
    return strbuf_steal(&path);
}

static bool set_paths(struct queue *queue, const struct settings *settings, struct err *err)
{
    const struct stanza *stanza = queue->stanza;
    const char *data = pair_list_get(&stanza->options, "pg1-path");
    const char *limit = option_or(settings, stanza, "archive-push-queue-max", "");
    bool is_async = strcmp(option_or(settings, stanza, "archive-async", "n"), "y") == 0;
    bool is_local = data && !pair_list_get(&stanza->options, "pg1-host");
    if (!spool_parse_size(limit, &queue->queue_max))
        queue->queue_max = 0;
    if (is_local)
        queue->pg_wal = path_of(data, "/pg_wal", stanza->name);
    if (is_async && is_local)
        queue->spool = path_of(option_or(settings, stanza, "spool-path", DEFAULT_SPOOL_PATH),
                               "/archive/*/out", stanza->name);
    if (queue->spool && queue->queue_max > 0)
        queue->log = path_of(option_or(settings, stanza, "log-path", DEFAULT_LOG_PATH),
                             "/*-archive-push-async.log", stanza->name);
    bool failed = (is_local && !queue->pg_wal) || (is_async && is_local && !queue->spool) ||
                  (queue->spool && queue->queue_max > 0 && !queue->log);
    return !failed || err_memory(err);
}

static bool queue_open(const struct environment *environment, const struct target *target,
                       void **ret, struct err *err)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return err_memory(err);
    queue->pool = environment->pool;
    queue->stanza = target->spec;
    queue->pg = pg_open(environment->pool, queue->stanza->conninfo, err);
    if (!queue->pg || !set_paths(queue, environment->settings, err)) {
        queue_close(queue);
        return err_prefix(err, "stanza %s", target->name);
    }
    *ret = queue;
    return true;
}

/* Everything that a look depends on, so that a change makes another target. */
static bool add_target(struct target_list *list, const struct settings *settings,
                       const struct stanza *stanza)
{
    static const char *const options[] = {"archive-push-queue-max", "archive-async", "spool-path",
                                          "log-path"};
    struct strbuf mark CLEANUP(strbuf_done) = {0};
    const struct label labels[] = {{"stanza", stanza->name}, {NULL, NULL}};
    const char *data = pair_list_get(&stanza->options, "pg1-path");
    strbuf_printf(&mark, "%s\n%s\n", stanza->conninfo, data ? data : "");
    for (size_t i = 0; i < COUNT_OF(options); i++)
        strbuf_printf(&mark, "%s\n", option_or(settings, stanza, options[i], ""));
    struct target *target =
        mark.failed ? NULL : target_add(list, stanza->name, strbuf_text(&mark), labels);
    if (target)
        target->spec = stanza;
    return target != NULL;
}

static bool queue_targets(const struct settings *settings, struct target_list *ret, struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        if (settings->stanzas[i].conninfo && !add_target(&list, settings, &settings->stanzas[i]))
            return err_memory(err);
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

/* ---- PostgreSQL ---- */

enum { ROW_RUNS, ROW_SEGMENT_SIZE };

/* Everybody may read these. */
static const char mode_query[] =
    "SELECT current_setting('archive_mode') = 'always' OR"
    "  (current_setting('archive_mode') = 'on' AND NOT pg_is_in_recovery()),"
    " (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size')";

enum { ROW_FILES, ROW_SEGMENTS, ROW_OLDEST, ROW_FIRST, ROW_FIRST_AT };

/* This takes pg_monitor. */
static const char queue_query[] =
    "WITH ready AS (SELECT name, modification, name ~ '^[0-9A-F]{24}[.]ready$' AS is_segment,"
    "  name ~ '^[0-9A-F]{24}([.]partial)?[.]ready$' AS has_wal"
    "  FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),"
    " first AS (SELECT left(name, 24) AS name, modification FROM ready WHERE is_segment"
    "  ORDER BY ready.name LIMIT 1)"
    " SELECT count(*), count(*) FILTER (WHERE has_wal), extract(epoch FROM min(modification)),"
    " (SELECT name FROM first), (SELECT extract(epoch FROM modification) FROM first)"
    " FROM ready";

static bool read_mode(struct queue *queue, const struct bound *bound, bool *ret_runs,
                      uint64_t *ret_segment_size, struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!pg_query(queue->pg, mode_query, bound, &rows, err))
        return false;
    *ret_runs = pg_rows_bool(rows, 0, ROW_RUNS);
    *ret_segment_size = strtoull(pg_rows_text(rows, 0, ROW_SEGMENT_SIZE), NULL, 10);
    return true;
}

static bool read_files(struct queue *queue, const struct bound *bound, uint64_t segment_size,
                       struct queue_observation *seen, struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!pg_query(queue->pg, queue_query, bound, &rows, err))
        return false;
    seen->may_look = true;
    seen->files = strtoull(pg_rows_text(rows, 0, ROW_FILES), NULL, 10);
    seen->bytes = strtoull(pg_rows_text(rows, 0, ROW_SEGMENTS), NULL, 10) * segment_size;
    if (seen->files > 0)
        seen->oldest_at = pg_rows_double(rows, 0, ROW_OLDEST);
    if (pg_rows_null(rows, 0, ROW_FIRST))
        return true;
    snprintf(seen->first, sizeof seen->first, "%s", pg_rows_text(rows, 0, ROW_FIRST));
    seen->first_at = pg_rows_double(rows, 0, ROW_FIRST_AT);
    return true;
}

static bool ask_server(struct queue *queue, const struct bound *bound,
                       struct queue_observation *seen, struct err *hidden, struct err *err)
{
    uint64_t segment_size = 0;
    if (!read_mode(queue, bound, &seen->runs, &segment_size, err))
        return false;
    if (!seen->runs || read_files(queue, bound, segment_size, seen, hidden))
        return true;
    return hidden->code == ERR_PERMISSION || err_set(err, hidden->code, "%s", hidden->text);
}

/* ---- the host ---- */

/* A hung spool or data directory is told; it hides nothing else. */
static void note_failure(struct queue_view *view, const struct err *err)
{
    if (view->host_error.code == ERR_NONE)
        view->host_error = *err;
}

static void look_at_room(const struct queue *queue, const struct bound *bound,
                         struct queue_view *view)
{
    struct probe_filesystem room = {0};
    struct err err = {0};
    if (!queue->pg_wal)
        return;
    if (!probe_filesystem(queue->pool, queue->pg_wal, queue->pg_wal, bound, &room, &err)) {
        note_failure(view, &err);
        return;
    }
    if (room.statfs_error) {
        err_system(&err, room.statfs_error, "cannot look at %s", queue->pg_wal);
        note_failure(view, &err);
        return;
    }
    view->has_room = room.size_bytes > 0;
    view->size_bytes = room.size_bytes;
    view->avail_bytes = room.avail_bytes;
}

/* Forget the older half, so that a year of drops does not fill the memory. */
static void limit_memory(struct text_list *list)
{
    if (list->count < DROPPED_MAX)
        return;
    size_t half = list->count / 2;
    for (size_t i = 0; i < half; i++)
        free(list->items[i]);
    memmove(list->items, list->items + half, (list->count - half) * sizeof list->items[0]);
    list->count -= half;
    list->items[list->count] = NULL;
}

/* What a first look finds was dropped before us: it is known, and not counted. */
static bool count_dropped(struct queue *queue, const struct text_list *found, struct err *err)
{
    for (size_t i = 0; i < found->count; i++) {
        if (text_list_has(&queue->seen, found->items[i]))
            continue;
        limit_memory(&queue->seen);
        if (!text_list_add(&queue->seen, found->items[i], err))
            return false;
        queue->dropped += queue->knows_what_was;
    }
    return true;
}

static bool add_from_spool(const struct probe_folder *spool, struct text_list *found,
                           struct err *err)
{
    for (uint32_t i = 0; i < spool->text_count; i++) {
        const struct probe_text *text = &spool->texts[i];
        if (spool_file_of(spool->names[text->name]) == SPOOL_OK &&
            !spool_dropped(text->text, strlen(text->text), found, err))
            return false;
    }
    return true;
}

static bool add_from_log(const struct queue *queue, const struct bound *bound,
                         struct queue_view *view, struct text_list *found, struct err *err)
{
    struct err failure = {0};
    struct probe_tail *tail = calloc(1, sizeof *tail);
    if (!tail)
        return err_memory(err);
    bool added = true;
    if (!probe_tail(queue->pool, queue->log, queue->log, bound, tail, &failure))
        note_failure(view, &failure);
    else if (tail->error == 0)
        added = spool_dropped(tail->text, tail->length, found, err);
    else if (tail->error != ENOENT &&
             !err_system(&failure, tail->error, "cannot read %s", queue->log))
        note_failure(view, &failure);
    free(tail);
    return added;
}

static bool look_for_drops(struct queue *queue, const struct bound *bound,
                           const struct probe_folder *spool, struct queue_view *view,
                           struct err *err)
{
    struct text_list found CLEANUP(text_list_done) = {0};
    if (!queue->log)
        return true;
    bool counted = add_from_spool(spool, &found, err) &&
                   add_from_log(queue, bound, view, &found, err) &&
                   count_dropped(queue, &found, err);
    queue->knows_what_was = queue->knows_what_was || counted;
    return counted;
}

/* The text of a failure by its place among the names; NULL: it was not read. */
static const char *text_of(const struct probe_folder *spool, uint32_t name)
{
    for (uint32_t i = 0; i < spool->text_count; i++) {
        if (spool->texts[i].name == name)
            return spool->texts[i].text;
    }
    return NULL;
}

/* One that names no repository, and one that was not read, may be any. */
static bool concerns(const char *text, int64_t repo_key)
{
    return !text || !spool_error_names_one(text) || spool_error_names(text, repo_key);
}

uint64_t queue_failing(const struct probe_folder *spool, int64_t repo_key, uint64_t waiting)
{
    uint64_t failing = 0;
    for (uint32_t i = 0; i < spool->name_count; i++) {
        enum spool_file kind = spool_file_of(spool->names[i]);
        const char *text = text_of(spool, i);
        if (kind == SPOOL_GLOBAL_ERROR && concerns(text, repo_key))
            return waiting > 0 ? waiting : 1;
        failing += kind == SPOOL_ERROR && concerns(text, repo_key);
    }
    return failing;
}

static void add_failing(const struct queue *queue, const struct probe_folder *spool,
                        uint64_t waiting, struct sink *sink)
{
    for (size_t i = 0; i < queue->stanza->repository_count; i++) {
        const struct stanza_repository *repository = &queue->stanza->repositories[i];
        char key[24];
        if (!repository->in_pgbackrest_conf)
            continue;
        snprintf(key, sizeof key, "%" PRId64, repository->key);
        sink_add(sink, FAILING, (double)queue_failing(spool, repository->key, waiting),
                 LABELS(key));
    }
}

/* An object store's refusal echoes the key that it refuses. */
static bool hide_secrets(const struct queue *queue, struct strbuf *text, struct err *err)
{
    for (size_t i = 0; text->length > 0 && i < queue->stanza->repository_count; i++) {
        struct repository_env env CLEANUP(repository_env_done) = {0};
        struct strbuf sound = {0};
        struct err unreadable = {0}; /* then nothing of it can have been echoed */
        if (!repository_env(&queue->stanza->repositories[i], &env, &unreadable))
            continue;
        repository_redact(&env, strbuf_text(text), &sound);
        strbuf_done(text);
        *text = sound;
    }
    return !text->failed || err_memory(err);
}

/* Also on an empty spool, which may not be there before the first push. */
static bool look_at_spool(struct queue *queue, struct run *run, uint64_t waiting,
                          struct queue_view *view, struct err *err)
{
    struct err failure = {0};
    struct probe_folder *spool = queue->spool ? calloc(1, sizeof *spool) : NULL;
    if (!queue->spool)
        return true;
    if (!spool)
        return err_memory(err);
    bool looked =
        probe_folder(queue->pool, queue->spool, queue->spool, &run->bound, spool, &failure);
    if (looked && spool->error && spool->error != ENOENT)
        looked = err_system(&failure, spool->error, "cannot read %s", queue->spool);
    if (!looked)
        note_failure(view, &failure);
    else
        add_failing(queue, spool, waiting, run->sink);
    if (!looked)
        memset(spool, 0, sizeof *spool);
    bool counted = look_for_drops(queue, &run->bound, spool, view, err);
    queue_view_errors(view, spool);
    free(spool);
    return counted && hide_secrets(queue, &view->errors, err);
}

/* ---- one look ---- */

static void add_samples(struct run *run, const struct queue *queue,
                        const struct queue_observation *seen, const struct queue_view *view)
{
    if (seen->runs && seen->may_look) {
        sink_add(run->sink, FILES, (double)seen->files, NULL);
        sink_add(run->sink, BYTES, (double)seen->bytes, NULL);
        if (seen->oldest_at > 0)
            sink_add(run->sink, OLDEST, seen->oldest_at, NULL);
    }
    if (view->has_room) {
        sink_add(run->sink, WAL_SIZE, (double)view->size_bytes, NULL);
        sink_add(run->sink, WAL_AVAIL, (double)view->avail_bytes, NULL);
    }
    if (queue->log && queue->knows_what_was)
        sink_add(run->sink, DROPPED, (double)queue->dropped, NULL);
}

static bool observe(struct run *run, const struct queue_observation *seen, struct err *err)
{
    struct queue_observation *copy = malloc(sizeof *copy);
    if (!copy)
        return err_memory(err);
    *copy = *seen;
    run_observe(run, copy, queue_observation_free);
    return true;
}

/* The host is looked at whether the server answers or not: a full disk is why it may not. */
static bool queue_collect(void *opaque, struct run *run, struct err *err)
{
    struct queue *queue = opaque;
    struct queue_observation seen = {0};
    struct err down = {0}, hidden = {0};
    struct queue_view view = {.stanza = queue->stanza->name, .queue_max = queue->queue_max};
    bool answered = ask_server(queue, &run->bound, &seen, &hidden, &down);
    if (!answered && !pg_failure_is_outage(down.code))
        return err_set(err, down.code, "%s", down.text);
    if (queue->queue_max > 0)
        sink_add(run->sink, QUEUE_MAX, (double)queue->queue_max, NULL);
    look_at_room(queue, &run->bound, &view);
    if (!look_at_spool(queue, run, seen.files, &view, err)) {
        queue_view_done(&view);
        return false;
    }
    view.seen = answered ? &seen : NULL;
    view.hidden = hidden.code != ERR_NONE ? &hidden : NULL;
    view.dropped = queue->dropped;
    view.is_async = queue->spool != NULL;
    add_samples(run, queue, &seen, &view);
    queue_report(run->report, &view);
    queue_view_done(&view);
    return answered ? observe(run, &seen, err) : run_is_down(run, &down);
}

const struct collector collector_queue = {
    .name = "queue",
    .help = "WAL that waits to be archived, and the room it has.",
    .default_enabled = true,
    .interval_s = 15,
    .timeout_s = 5,
    .labels = LABELS("stanza"),
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = queue_targets,
    .open = queue_open,
    .collect = queue_collect,
    .close = queue_close,
};
