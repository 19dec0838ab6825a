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
#include "collectors/queue_drops.h"
#include "collectors/queue_growth.h"
#include "collectors/queue_options.h"
#include "collectors/queue_report.h"
#include "collectors/queue_server.h"
#include "exporter/schedule/collector.h"
#include "exporter/sources/probe_file.h"
#include "exporter/sources/probe_folder.h"

/* What each step may take of the time that is left, so that one that hangs leaves some to others.
 */
#define SERVER_TENTHS 6
#define HOST_TENTHS   5

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
                    "(archive-push-queue-max, as archive_command, the server's environment or "
                    "pgbackrest.conf gives it); absent when there is no limit or it is not known.",
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
                    "at least, for its traces pass quickly. Absent without "
                    "archive-push-queue-max, and without archive-async, where only PostgreSQL's "
                    "log tells of it.",
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
    const struct settings *settings;
    const struct stanza *stanza;
    struct pg *pg;
    bool is_elsewhere; /* the server runs on another host */
    char *pg_wal;      /* NULL: not known */
    struct queue_options options;
    bool knows_environment;
    struct server_environment environment; /* its secrets are what errors may echo */
    struct queue_drops drops;
    struct queue_growth growth;
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
    queue_options_done(&queue->options);
    queue_drops_done(&queue->drops);
    server_environment_done(&queue->environment);
    free(queue->pg_wal);
    free(queue);
}

/* ---- what is looked at, and where ---- */

static bool set_data_directory(struct queue *queue, const char *path, struct err *err)
{
    struct strbuf pg_wal = {0};
    strbuf_printf(&pg_wal, "%s/pg_wal", path);
    queue->pg_wal = strbuf_steal(&pg_wal);
    return queue->pg_wal || err_memory(err);
}

/* Until the server is asked: by pgbackrest.conf alone. */
static bool set_up(struct queue *queue, struct err *err)
{
    const struct queue_sources sources = {.settings = queue->settings, .stanza = queue->stanza};
    const char *path = pair_list_get(&queue->stanza->options, "pg1-path");
    queue->is_elsewhere = pair_list_get(&queue->stanza->options, "pg1-host") != NULL;
    queue->pg = pg_open(queue->pool, queue->stanza->conninfo, err);
    return queue->pg && queue_options_read(&sources, &queue->options, err) &&
           (!path || set_data_directory(queue, path, err));
}

static bool queue_open(const struct environment *environment, const struct target *target,
                       void **ret, struct err *err)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return err_memory(err);
    queue->pool = environment->pool;
    queue->settings = environment->settings;
    queue->stanza = target->spec;
    if (!set_up(queue, err)) {
        queue_close(queue);
        return err_prefix(err, "stanza %s", target->name);
    }
    *ret = queue;
    return true;
}

/* The environment of the server, as far as we may know it; an empty one is none. */
static bool learn_environment(struct queue *queue, const struct queue_server *server,
                              struct err *err)
{
    const struct postgres_settings *postgres = queue->stanza->postgres;
    const char *file = postgres ? postgres->archive_environment : NULL;
    struct err unknown = {0};
    server_environment_done(&queue->environment);
    queue->knows_environment =
        file ? server_environment_of_file(file, &queue->environment, &unknown)
             : server_environment_of_process(pg_server_process(queue->pg), server->backend,
                                             &queue->environment, &unknown);
    return queue->knows_environment || unknown.code != ERR_MEMORY || err_memory(err);
}

static bool learn_options(struct queue *queue, const struct queue_server *server, struct err *err)
{
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct queue_options options = {0};
    struct err wrapper = {0};
    bool is_plain = archive_command_parse(server->archive_command, &command, &wrapper);
    const struct queue_sources sources = {
        .settings = queue->settings,
        .stanza = queue->stanza,
        .command = is_plain ? &command : NULL,
        .environment = queue->knows_environment ? &queue->environment : NULL,
    };
    if (wrapper.code == ERR_MEMORY || !queue_options_read(&sources, &options, err))
        return err_memory(err);
    queue_options_done(&queue->options);
    queue->options = options;
    return true;
}

/* What the server says of archive-push counts, and stays while it is down. */
static bool learn(struct queue *queue, const struct queue_server *server, struct err *err)
{
    queue->is_elsewhere =
        !server->is_here || pair_list_get(&queue->stanza->options, "pg1-host") != NULL;
    if (!queue->pg_wal && server->data_directory &&
        !set_data_directory(queue, server->data_directory, err))
        return false;
    return learn_environment(queue, server, err) && learn_options(queue, server, err);
}

/* Everything of the configuration that a look depends on, so that a change makes another target. */
static void add_mark(const struct settings *settings, const struct stanza *stanza,
                     struct strbuf *mark)
{
    static const char *const pushs[] = {"archive-push-queue-max", "archive-async", "spool-path",
                                        "log-path"};
    static const char *const places[] = {"pg1-path", "pg1-host"};
    const char *file = stanza->postgres ? stanza->postgres->archive_environment : NULL;
    strbuf_printf(mark, "%s\n%s\n", stanza->conninfo, file ? file : "");
    for (size_t i = 0; i < COUNT_OF(pushs); i++) {
        const char *value = discover_option(settings, stanza->name, "archive-push", pushs[i]);
        strbuf_printf(mark, "%s\n", value ? value : "");
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *value = pair_list_get(&stanza->options, places[i]);
        strbuf_printf(mark, "%s\n", value ? value : "");
    }
    for (size_t i = 0; i < stanza->repository_count; i++) {
        if (stanza->repositories[i].in_pgbackrest_conf)
            strbuf_printf(mark, "%" PRId64 " ", stanza->repositories[i].key);
    }
}

static bool add_target(struct target_list *list, const struct settings *settings,
                       const struct stanza *stanza)
{
    struct strbuf mark CLEANUP(strbuf_done) = {0};
    const struct label labels[] = {{"stanza", stanza->name}, {NULL, NULL}};
    add_mark(settings, stanza, &mark);
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

/* ---- the host ---- */

static struct bound part_of(const struct bound *bound, int tenths)
{
    struct bound part = *bound;
    part.deadline_ms -= (int64_t)bound_remaining_ms(bound) * (10 - tenths) / 10;
    return part;
}

/* A hung spool is told; it hides nothing else. */
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
    if (!queue->pg_wal || queue->is_elsewhere)
        return;
    if (!probe_filesystem(queue->pool, queue->pg_wal, queue->pg_wal, bound, &room, &err)) {
        note_failure(view, &err);
        view->room_error = err;
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
    const char *log = queue->options.log;
    struct err failure = {0};
    struct probe_tail *tail = calloc(1, sizeof *tail);
    if (!tail)
        return err_memory(err);
    bool read = probe_tail(queue->pool, log, log, bound, tail, &failure);
    if (read && tail->error && tail->error != ENOENT)
        read = err_system(&failure, tail->error, "cannot read %s", log);
    if (!read)
        note_failure(view, &failure);
    bool added = !read || tail->error || spool_dropped(tail->text, tail->length, found, err);
    free(tail);
    return added;
}

static bool look_for_drops(struct queue *queue, const struct bound *bound,
                           const struct probe_folder *spool, struct queue_view *view,
                           struct err *err)
{
    struct text_list found CLEANUP(text_list_done) = {0};
    if (!queue->options.log)
        return true;
    return add_from_spool(spool, &found, err) && add_from_log(queue, bound, view, &found, err) &&
           queue_drops_add(&queue->drops, &found, clock_wall_seconds(), err);
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
static void hide(const struct repository_env *env, struct strbuf *text)
{
    struct strbuf shown = {0};
    repository_redact(env, strbuf_text(text), &shown);
    strbuf_done(text);
    *text = shown;
}

static bool hide_secrets(const struct queue *queue, struct strbuf *text, struct err *err)
{
    for (size_t i = 0; i < queue->stanza->repository_count; i++) {
        struct repository_env env CLEANUP(repository_env_done) = {0};
        struct err unreadable = {0}; /* then what is hidden of it comes from the server */
        if (repository_env(&queue->stanza->repositories[i], &env, &unreadable))
            hide(&env, text);
    }
    hide(&queue->environment.hidden, text);
    return !text->failed || err_memory(err);
}

/* What the folder holds; nothing when it cannot be read. Absent before the first push. */
static bool read_spool(const struct queue *queue, const struct bound *bound,
                       struct probe_folder *spool, struct queue_view *view)
{
    const char *path = queue->options.spool;
    struct err err = {0};
    bool looked = probe_folder(queue->pool, path, path, bound, spool, &err);
    if (looked && spool->error && spool->error != ENOENT)
        looked = err_system(&err, spool->error, "cannot read %s", path);
    if (looked)
        return true;
    note_failure(view, &err);
    memset(spool, 0, sizeof *spool);
    return false;
}

static bool look_at_pushes(struct queue *queue, struct run *run, uint64_t waiting,
                           struct queue_view *view, struct err *err)
{
    if (!queue->options.spool || queue->is_elsewhere)
        return true;
    struct probe_folder *spool = calloc(1, sizeof *spool);
    if (!spool)
        return err_memory(err);
    struct bound bound = part_of(&run->bound, HOST_TENTHS);
    if (read_spool(queue, &bound, spool, view))
        add_failing(queue, spool, waiting, run->sink);
    queue_view_errors(view, spool);
    bool counted = look_for_drops(queue, &run->bound, spool, view, err);
    free(spool);
    return counted && hide_secrets(queue, &view->errors, err);
}

/* ---- one look ---- */

static void add_queue(struct sink *sink, const struct queue_observation *seen)
{
    if (!seen->runs || !seen->may_look)
        return;
    sink_add(sink, FILES, (double)seen->files, NULL);
    sink_add(sink, BYTES, (double)seen->bytes, NULL);
    if (seen->oldest_at > 0)
        sink_add(sink, OLDEST, seen->oldest_at, NULL);
}

static void add_samples(struct sink *sink, const struct queue *queue, const struct queue_view *view)
{
    if (queue->options.queue_max > 0)
        sink_add(sink, QUEUE_MAX, (double)queue->options.queue_max, NULL);
    if (view->seen)
        add_queue(sink, view->seen);
    if (view->has_room) {
        sink_add(sink, WAL_SIZE, (double)view->size_bytes, NULL);
        sink_add(sink, WAL_AVAIL, (double)view->avail_bytes, NULL);
    }
    if (queue->options.log && queue->drops.has_looked)
        sink_add(sink, DROPPED, (double)queue->drops.count, NULL);
}

static void describe(struct queue *queue, const struct queue_server *server,
                     struct queue_view *view)
{
    view->now = clock_wall_seconds();
    view->options = &queue->options;
    view->drops = &queue->drops;
    view->is_elsewhere = queue->is_elsewhere;
    if (!server)
        return;
    view->seen = &server->seen;
    view->hidden = server->hidden.code != ERR_NONE ? &server->hidden : NULL;
    if (server->seen.runs && server->seen.may_look)
        queue_growth_add(&queue->growth, view->now, server->seen.bytes);
    view->pace = queue_growth_pace(&queue->growth);
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

static bool look_at_host(struct queue *queue, struct run *run, struct queue_view *view,
                         struct err *err)
{
    struct bound bound = part_of(&run->bound, HOST_TENTHS);
    look_at_room(queue, &bound, view);
    return look_at_pushes(queue, run, view->seen ? view->seen->files : 0, view, err);
}

/* The host is looked at whether the server answers or not: a full disk is why it may not. */
static bool queue_collect(void *opaque, struct run *run, struct err *err)
{
    struct queue *queue = opaque;
    struct queue_server server CLEANUP(queue_server_done) = {0};
    struct queue_view view CLEANUP(queue_view_done) = {0};
    struct err down = {0};
    struct bound bound = part_of(&run->bound, SERVER_TENTHS);
    bool answered = queue_server_ask(queue->pg, &bound, &server, &down);
    if (!answered && !pg_failure_is_outage(down.code))
        return err_set(err, down.code, "%s", down.text);
    if (answered && !learn(queue, &server, err))
        return false;
    describe(queue, answered ? &server : NULL, &view);
    if (!look_at_host(queue, run, &view, err))
        return false;
    add_samples(run->sink, queue, &view);
    queue_report(run->report, &view);
    if (!answered)
        return run_is_down(run, &down);
    if (view.room_error.code !=
        ERR_NONE) /* an alert on a full disk must not end, unheard, with it */
        return err_set(err, view.room_error.code, "%s", view.room_error.text);
    return observe(run, &server.seen, err);
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
