/*
 * serve - the exporter itself: pollers, pages, reload, and an end that never waits long.
 */
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exporter/base/log.h"
#include "exporter/commands/command.h"
#include "exporter/commands/metrics_page.h"
#include "exporter/commands/plan.h"
#include "exporter/commands/serve_web.h"
#include "exporter/commands/signals.h"
#include "exporter/commands/watch.h"
#include "exporter/web/http.h"
#include "exporter/web/negotiate.h"
#include "exporter/web/page.h"

#define CHILDREN_AT_ONCE     2
#define STUCK_CHILDREN_LIMIT 32
#define STOP_LIMIT_MS        1500 /* after this the process ends whatever still runs */
#define STOP_POLLERS_MS      1000
#define FILE_CHECK_MS        5000
#define RELOAD_AGAIN_MS      60000
#define TRIM_ABOVE_BYTES     ((size_t)4 * 1024 * 1024)

struct service {
    const struct command_line *line;
    struct proc_pool *pool;
    struct poller *poller;
    struct http_server *http;
    struct serve_web web;
    pthread_mutex_t lock; /* guards own and notice: written by a reload, read by every page */
    struct own_state own;
    char *notice;            /* what the whole configuration lacks, or NULL */
    struct watch *watch;     /* of the files that the settings came from */
    struct err reload_error; /* of the last attempt; ERR_NONE when it worked */
    int64_t reload_tried_ms;
    char *telemetry_path;
    char host[HOST_NAME_MAX + 1];
    struct http_route routes[5];
};

/* ---- pages ---- */

static struct own_state own_state(struct service *service)
{
    size_t stuck = proc_pool_stuck(service->pool);
    pthread_mutex_lock(&service->lock);
    struct own_state state = service->own;
    pthread_mutex_unlock(&service->lock);
    state.stuck_children = stuck;
    return state;
}

static void serve_metrics(void *context, const struct http_request *request,
                          struct http_response *response)
{
    struct service *service = context;
    struct own_state own = own_state(service);
    char *accept = http_request_header(request, "Accept");
    enum exposition_format format = negotiate_format(accept);
    free(accept);
    metrics_page(service->poller, &own, format, &response->body);
    response->content_type = exposition_content_type(format);
    if (response->body.length > TRIM_ABOVE_BYTES)
        malloc_trim(0);
}

static struct page_target *page_targets(const struct poller_status *targets, size_t count)
{
    int64_t now_ms = clock_monotonic_ms();
    struct page_target *list = calloc(count + 1, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        list[i] = page_target_of(&targets[i], "stanza", now_ms);
    return list;
}

static void render_status(const struct service *service, const char *notice, struct strbuf *out)
{
    size_t count = 0;
    struct poller_status *targets = poller_status(service->poller, &count);
    struct page_target *list = page_targets(targets, count);
    const char *const notices[] = {notice, NULL};
    if (targets && list)
        page_render(out, &(struct page){.program = "pgbackup_exporter",
                                        .version = PGBACKUP_VERSION,
                                        .host = service->host,
                                        .metrics_path = service->telemetry_path,
                                        .group_noun = "Stanza",
                                        .now = clock_wall_seconds(),
                                        .notices = notices,
                                        .targets = list,
                                        .target_count = count});
    else
        out->failed = true;
    free(list);
    poller_status_free(targets, count);
}

static void serve_status(void *context, const struct http_request *request UNUSED,
                         struct http_response *response)
{
    struct service *service = context;
    pthread_mutex_lock(&service->lock);
    char *notice = service->notice ? strdup(service->notice) : NULL;
    pthread_mutex_unlock(&service->lock);
    response->content_type = "text/html; charset=utf-8";
    render_status(service, notice, &response->body);
    free(notice);
}

static void serve_healthy(void *context UNUSED, const struct http_request *request UNUSED,
                          struct http_response *response)
{
    response->content_type = "text/plain; charset=utf-8";
    strbuf_puts(&response->body, "healthy\n");
}

static void serve_ready(void *context, const struct http_request *request UNUSED,
                        struct http_response *response)
{
    const struct service *service = context;
    bool ready = poller_ready(service->poller);
    response->status = ready ? 200 : 503;
    response->content_type = "text/plain; charset=utf-8";
    strbuf_puts(&response->body, ready ? "ready\n" : "the first collection has not ended yet\n");
}

/* ---- configuration ---- */

static char *notice_of(const struct settings *settings)
{
    struct strbuf text = {0};
    if (settings->stanza_count == 0)
        strbuf_printf(&text,
                      "No stanza is configured: %s has no section for one and no other "
                      "configuration names one. Nothing is watched. Add a section such as [main] "
                      "with pg1-path=... to it, or name the stanzas in the exporter's own file.",
                      settings->pgbackrest.config);
    return text.length ? strbuf_steal(&text) : NULL;
}

static void release_settings(const struct settings *settings)
{
    settings_free((struct settings *)(uintptr_t)settings); /* nobody reads them any more */
}

/* What the service keeps of settings that are in force, for they may be freed at any time. */
static void remember(struct service *service, char *notice, struct watch *watch)
{
    pthread_mutex_lock(&service->lock);
    free(service->notice);
    service->notice = notice;
    service->own.reloaded_at = clock_wall_seconds();
    service->own.last_reload_worked = service->web.error.code == ERR_NONE;
    pthread_mutex_unlock(&service->lock);
    watch_free(service->watch);
    service->watch = watch;
}

/* Put settings into force; takes them over. When that fails all is as it was. */
static bool apply(struct service *service, struct settings *settings, struct err *err)
{
    struct poller_plan *plans = NULL;
    size_t count = 0;
    if (!plan_make(settings, &plans, &count, err)) {
        settings_free(settings);
        return false;
    }
    char *notice = notice_of(settings);
    struct watch *watch =
        watch_new((const char *const *)settings->files.items, settings->files.count);
    log_configure_named(settings->log_level, settings->log_format);
    bool applied = poller_apply(service->poller, plans, count, settings, release_settings, err);
    plan_free(plans, count);
    if (applied) {
        remember(service, notice, watch);
    } else {
        free(notice);
        watch_free(watch);
    }
    return applied;
}

static bool reload(struct service *service, struct err *err)
{
    int rest = 0;
    struct settings *settings = NULL;
    return settings_load(service->line->argc, service->line->argv, &settings, &rest, err) &&
           apply(service, settings, err);
}

/* A reload that fails for the same reason again is no news. */
static void note_failure(struct service *service, const struct err *err)
{
    if (strcmp(err->text, service->reload_error.text) != 0)
        log_error("configuration not reloaded, the one before stays",
                  FIELDS(TEXT("error", err->text)));
    service->reload_error = *err;
    pthread_mutex_lock(&service->lock);
    service->own.last_reload_worked = false;
    pthread_mutex_unlock(&service->lock);
}

static void try_reload(struct service *service)
{
    struct err err = {0};
    service->reload_tried_ms = clock_monotonic_ms();
    if (!reload(service, &err)) {
        note_failure(service, &err);
        return;
    }
    service->reload_error = (struct err){0};
    log_info("configuration reloaded", NULL);
}

static void reload_web(struct service *service)
{
    serve_web_reload(&service->web, service->http);
    pthread_mutex_lock(&service->lock);
    service->own.last_reload_worked =
        service->web.error.code == ERR_NONE && service->reload_error.code == ERR_NONE;
    pthread_mutex_unlock(&service->lock);
}

/* A change of a file, or after a failure the time to see whether what was wrong was mended. */
static bool reload_is_due(struct service *service)
{
    bool again = service->reload_error.code != ERR_NONE &&
                 clock_monotonic_ms() - service->reload_tried_ms > RELOAD_AGAIN_MS;
    return again || (service->watch && watch_changed(service->watch));
}

/* ---- start and stop ---- */

enum { ROUTE_STATUS, ROUTE_METRICS, ROUTE_HEALTHY, ROUTE_READY, ROUTE_COUNT };

static bool listen_and_serve(struct service *service, const struct settings *settings,
                             struct err *err)
{
    service->telemetry_path = strdup(settings->web.telemetry_path);
    if (!service->telemetry_path)
        return err_memory(err);
    service->routes[ROUTE_STATUS] = (struct http_route){"/", serve_status, service};
    service->routes[ROUTE_METRICS] =
        (struct http_route){service->telemetry_path, serve_metrics, service};
    service->routes[ROUTE_HEALTHY] = (struct http_route){"/-/healthy", serve_healthy, service};
    service->routes[ROUTE_READY] = (struct http_route){"/-/ready", serve_ready, service};
    const struct http_options options = {
        .listen_addresses = (const char *const *)settings->web.listen_addresses.items,
        .routes = service->routes,
        .security = service->web.security,
    };
    if (!http_start(&options, &service->http, err))
        return false;
    for (size_t i = 0; http_port(service->http, i); i++)
        log_info("listening", FIELDS(TEXT("address", settings->web.listen_addresses.items[i]),
                                     NUMBER("port", http_port(service->http, i))));
    return true;
}

/* The end that needs nobody's help: whatever hangs, the process is gone in time. */
static void *end_for_sure(void *argument)
{
    struct service *service = argument;
    struct timespec limit = {.tv_sec = STOP_LIMIT_MS / 1000,
                             .tv_nsec = STOP_LIMIT_MS % 1000 * 1000000L};
    nanosleep(&limit, NULL);
    proc_pool_kill(service->pool); /* not a word: a log that is blocked may be what hangs */
    _exit(EXIT_FINE);
}

static void stop(struct service *service)
{
    pthread_t last_resort;
    bool guarded = pthread_create(&last_resort, NULL, end_for_sure, service) == 0;
    log_info("stopping", NULL);
    bool stopped = poller_stop(service->poller, guarded ? STOP_POLLERS_MS : 0);
    proc_pool_kill(service->pool);
    if (!stopped)
        _exit(EXIT_FINE); /* threads still use what would be freed now */
    http_stop(service->http);
    if (guarded) {
        pthread_cancel(last_resort);
        pthread_join(last_resort, NULL);
    }
}

/* Serve until a signal says stop. */
static void wait_for_end(struct service *service, int signals)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    for (;;) {
        if (poll(&fd, 1, FILE_CHECK_MS) <= 0) {
            poller_reap(service->poller);
            if (reload_is_due(service))
                try_reload(service);
            if (serve_web_is_due(&service->web))
                reload_web(service);
            continue;
        }
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) != (ssize_t)sizeof info)
            continue;
        if (info.ssi_signo != SIGHUP)
            return;
        try_reload(service);
        reload_web(service);
    }
}

static bool start(struct service *service, struct settings *settings, struct err *err)
{
    service->pool = proc_pool_new(
        &(struct proc_limits){.at_once = CHILDREN_AT_ONCE, .stuck = STUCK_CHILDREN_LIMIT});
    service->poller = service->pool ? poller_new(service->pool) : NULL;
    service->own.started_at = clock_wall_seconds();
    gethostname(service->host, sizeof service->host - 1);
    if (!service->poller) {
        settings_free(settings);
        return err_memory(err);
    }
    if (!serve_web_open(&service->web, settings->web.config_file, err) ||
        !listen_and_serve(service, settings, err)) {
        settings_free(settings);
        return false;
    }
    if (settings->stanza_count == 0)
        log_warn("no stanza is configured, so nothing is watched",
                 FIELDS(TEXT("file", settings->pgbackrest.config)));
    log_info("starting",
             FIELDS(TEXT("version", PGBACKUP_VERSION), NUMBER("stanzas", settings->stanza_count)));
    return apply(service, settings, err);
}

static void release(struct service *service)
{
    poller_free(service->poller);
    proc_pool_free(service->pool);
    watch_free(service->watch);
    serve_web_close(&service->web);
    free(service->notice);
    free(service->telemetry_path);
    pthread_mutex_destroy(&service->lock);
}

static int serve_run(const struct command_line *line, struct settings *settings, int argc,
                     char *const argv[])
{
    if (argc > 1) {
        fprintf(stderr, "pgbackup_exporter: serve takes no argument, got %s\n", argv[1]);
        settings_free(settings);
        return EXIT_USAGE;
    }
    struct service service = {.line = line};
    pthread_mutex_init(&service.lock, NULL);
    int signals = signals_take();
    struct err err = {0};
    bool started = start(&service, settings, &err);
    if (started)
        wait_for_end(&service, signals);
    else
        log_error("cannot start", FIELDS(TEXT("error", err.text)));
    if (service.poller)
        stop(&service);
    release(&service);
    close(signals);
    return started ? EXIT_FINE : EXIT_USAGE;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "",
    .help = "Poll and serve until stopped; what is done when no command is named.",
    .run = serve_run,
};
