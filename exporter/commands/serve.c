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
#include "exporter/commands/systemd.h"
#include "exporter/commands/watch.h"
#include "exporter/web/api.h"
#include "exporter/web/http.h"
#include "exporter/web/negotiate.h"
#include "exporter/web/page.h"
#include "exporter/web/summary.h"

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
    int64_t watchdog_ms; /* systemd's; 0 for none */
    bool starves;        /* the watchdog is not fed any more */
    char *told;          /* the status that systemd has, or NULL */
    char *telemetry_path;
    char host[HOST_NAME_MAX + 1];
    struct http_route routes[6];
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

typedef void renderer(struct strbuf *out, const struct page *page);

/* Which of it, and what to say first. */
struct wish {
    const char *const *notices; /* ended by NULL; NULL: nothing */
    const char *stanza;         /* NULL: all */
};

/* Write all that is known now in one of its ways: the page, its summary, the API's document. */
static void render_status(const struct service *service, const struct wish *wish, renderer *render,
                          struct strbuf *out)
{
    size_t count = 0;
    struct poller_status *targets = poller_status(service->poller, &count);
    struct page_target *list = page_targets(targets, count);
    if (targets && list)
        render(out, &(struct page){.program = "pgbackup_exporter",
                                   .version = PGBACKUP_VERSION,
                                   .host = service->host,
                                   .metrics_path = service->telemetry_path,
                                   .group_noun = "Stanza",
                                   .only = wish->stanza,
                                   .now = clock_wall_seconds(),
                                   .notices = wish->notices,
                                   .targets = list,
                                   .target_count = count});
    else
        out->failed = true;
    free(list);
    poller_status_free(targets, count);
}

/* Without the reason: what is wrong with a file is not for everybody who may see the page. */
static const char not_reloaded[] =
    "The configuration was not reloaded: the one before is in force. The exporter's log tells why.";

static void answer_status(struct service *service, const struct http_request *request,
                          renderer *render, struct http_response *response)
{
    char *stanza = http_request_argument(request, "stanza");
    pthread_mutex_lock(&service->lock);
    char *notice = service->notice ? strdup(service->notice) : NULL;
    bool reload_failed = service->own.reloaded_at > 0 && !service->own.last_reload_worked;
    pthread_mutex_unlock(&service->lock);
    const char *notices[3] = {0};
    size_t count = 0;
    if (reload_failed)
        notices[count++] = not_reloaded;
    notices[count] = notice;
    render_status(service, &(struct wish){.notices = notices, .stanza = stanza}, render,
                  &response->body);
    if (response->body.length > TRIM_ABOVE_BYTES)
        malloc_trim(0);
    free(notice);
    free(stanza);
}

static void serve_status(void *context, const struct http_request *request,
                         struct http_response *response)
{
    response->content_type = "text/html; charset=utf-8";
    answer_status(context, request, page_render, response);
}

static void serve_api(void *context, const struct http_request *request,
                      struct http_response *response)
{
    response->content_type = "application/json";
    answer_status(context, request, api_render, response);
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
static void remember(struct service *service, char *notice)
{
    pthread_mutex_lock(&service->lock);
    free(service->notice);
    service->notice = notice;
    service->own.reloaded_at = clock_wall_seconds();
    service->own.last_reload_worked = service->web.error.code == ERR_NONE;
    pthread_mutex_unlock(&service->lock);
}

static void watch_files(struct service *service, const struct text_list *files)
{
    service->watch = watch_again(service->watch, (const char *const *)files->items, files->count);
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
    watch_files(service, &settings->files);
    log_configure_named(settings->log_level, settings->log_format);
    bool applied = poller_apply(service->poller, plans, count, settings, release_settings, err);
    plan_free(plans, count);
    if (applied)
        remember(service, notice);
    else
        free(notice);
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

static bool reloads_worked(const struct service *service)
{
    return service->web.error.code == ERR_NONE && service->reload_error.code == ERR_NONE;
}

static void reload_web(struct service *service)
{
    serve_web_reload(&service->web, service->http);
    pthread_mutex_lock(&service->lock);
    service->own.last_reload_worked = reloads_worked(service);
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

enum { ROUTE_STATUS, ROUTE_METRICS, ROUTE_HEALTHY, ROUTE_READY, ROUTE_API };

static void log_listening(const struct service *service, const struct web_settings *web,
                          size_t handed_over)
{
    if (handed_over)
        log_info("listening on systemd's sockets", FIELDS(NUMBER("sockets", handed_over)));
    for (size_t i = 0; !handed_over && http_port(service->http, i); i++)
        log_info("listening", FIELDS(TEXT("address", web->listen_addresses.items[i]),
                                     NUMBER("port", http_port(service->http, i))));
}

static bool serve_on_sockets(struct service *service, const struct web_settings *web,
                             struct err *err)
{
    int *sockets = NULL;
    size_t count = 0;
    if (web->systemd_socket && !systemd_take_sockets(&sockets, &count, err))
        return false;
    const struct http_options options = {
        .listen_addresses = (const char *const *)web->listen_addresses.items,
        .sockets = sockets,
        .socket_count = count,
        .routes = service->routes,
        .security = service->web.security,
    };
    bool started = http_start(&options, &service->http, err);
    for (size_t i = 0; i < count; i++)
        close(sockets[i]);
    free(sockets);
    if (started)
        log_listening(service, web, count);
    return started;
}

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
    service->routes[ROUTE_API] = (struct http_route){"/api/v1/status", serve_api, service};
    return serve_on_sockets(service, &settings->web, err);
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
    systemd_stopping();
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

/* ---- systemd ---- */

static void tell_status(struct service *service)
{
    struct strbuf status CLEANUP(strbuf_done) = {0};
    if (!systemd_is_told())
        return;
    if (!reloads_worked(service))
        strbuf_puts(&status, "Configuration not reloaded, see the log. ");
    render_status(service, &(struct wish){0}, summary_write, &status);
    if (status.failed || (service->told && strcmp(service->told, strbuf_text(&status)) == 0))
        return;
    systemd_status(strbuf_text(&status));
    free(service->told);
    service->told = strbuf_steal(&status);
}

/* A thread that hangs for longer than the watchdog waits needs what that one does: a new start. */
static void feed_watchdog(struct service *service)
{
    int64_t overdue_ms = service->watchdog_ms ? poller_overdue_ms(service->poller) : 0;
    bool starves = overdue_ms > service->watchdog_ms;
    if (service->watchdog_ms && !starves)
        systemd_feed();
    if (starves && !service->starves)
        log_error("a thread hangs, so the watchdog is not fed",
                  FIELDS(NUMBER("overdue_seconds", (double)overdue_ms / 1000)));
    service->starves = starves;
}

static void try_reload_on_signal(struct service *service)
{
    systemd_reloading();
    try_reload(service);
    reload_web(service);
    tell_status(service);
    feed_watchdog(service); /* signals that come again and again must not starve it */
    systemd_ready();
}

/* ---- the main thread ---- */

static void look_around(struct service *service)
{
    feed_watchdog(service);
    tell_status(service);
    poller_reap(service->poller);
    if (reload_is_due(service))
        try_reload(service);
    if (serve_web_is_due(&service->web))
        reload_web(service);
}

static int look_every_ms(const struct service *service)
{
    int64_t half_ms = service->watchdog_ms / 2;
    if (service->watchdog_ms == 0 || half_ms > FILE_CHECK_MS)
        return FILE_CHECK_MS;
    return half_ms > 0 ? (int)half_ms : 1;
}

/* Serve until a signal says stop. */
static void wait_for_end(struct service *service, int signals)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    for (;;) {
        if (poll(&fd, 1, look_every_ms(service)) <= 0) {
            look_around(service);
            continue;
        }
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) != (ssize_t)sizeof info)
            continue;
        if (info.ssi_signo != SIGHUP)
            return;
        try_reload_on_signal(service);
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
    watch_files(service, &settings->files); /* first: a change from now on is one */
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
    if (!apply(service, settings, err))
        return false;
    service->watchdog_ms = systemd_watchdog_ms();
    tell_status(service);
    systemd_ready();
    return true;
}

static void release(struct service *service)
{
    poller_free(service->poller);
    proc_pool_free(service->pool);
    watch_free(service->watch);
    serve_web_close(&service->web);
    free(service->notice);
    free(service->told);
    free(service->telemetry_path);
    pthread_mutex_destroy(&service->lock);
}

static void say_cannot_start(const struct err *err)
{
    log_error("cannot start", FIELDS(TEXT("error", err->text)));
    systemd_status(err->text);
}

/* A wrong configuration stays wrong; a port that is taken may be free at the next try. */
static int start_failure_status(const struct err *err)
{
    return err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_WRONG;
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
        say_cannot_start(&err);
    if (service.poller)
        stop(&service);
    release(&service);
    close(signals);
    return started ? EXIT_FINE : start_failure_status(&err);
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "",
    .help = "Poll and serve until stopped; what is done when no command is named.",
    .run = serve_run,
};
