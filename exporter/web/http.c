#include "exporter/web/http.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <microhttpd.h>

#include "exporter/base/clock.h"
#include "exporter/base/log.h"
#include "exporter/web/connections.h"
#include "exporter/web/listen.h"

#define POOL_SIZE           2
#define THREAD_STACK_SIZE   ((size_t)256 * 1024)
#define CONNECTION_MEMORY   ((size_t)34 * 1024) /* a request's line and headers must fit into it */
#define CONNECTIONS_MOST    512
#define CONNECTIONS_LEAST   16
#define DESCRIPTORS_KEPT    256 /* for the pollers: their pipes must not fail in a flood */
#define IDLE_TIMEOUT_S      10
#define CROWDED_EXCHANGE_MS 2000
#define WARN_EVERY_MS       60000
#define PLAIN_TEXT          "text/plain; charset=utf-8"
#define HTML                "text/html"
#define METHODS_ALLOWED     MHD_HTTP_METHOD_GET ", " MHD_HTTP_METHOD_HEAD

struct listener {
    struct MHD_Daemon *daemon;
    unsigned port;
};

struct http_server {
    const struct http_route *routes;
    struct connections *connections;
    _Atomic int64_t warned_ms; /* monotonic: when the last warning was written; 0 for never */
    unsigned connection_limit; /* of one listener */
    unsigned per_address_limit;
    unsigned idle_timeout_s;
    size_t listener_count; /* how many have been started */
    struct listener listeners[];
};

struct header {
    const char *name;
    const char *value;
    bool html_only;
};

/*
 * The page's only style is inline. 'unsafe-inline' allows it without a hash that had to follow each
 * change; a style that was smuggled in could still load nothing from anywhere.
 */
static const struct header headers[] = {
    {"X-Content-Type-Options", "nosniff", false},
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store", false},
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
     "form-action 'none'",
     true},
    {"Referrer-Policy", "no-referrer", true},
};

static enum MHD_Result add_headers(struct MHD_Response *made, const struct http_response *response)
{
    const char *type = response->content_type;
    bool html = strncmp(type, HTML, strlen(HTML)) == 0;
    enum MHD_Result added = MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, type);

    for (size_t i = 0; added == MHD_YES && i < COUNT_OF(headers); i++) {
        if (html || !headers[i].html_only)
            added = MHD_add_response_header(made, headers[i].name, headers[i].value);
    }
    if (added == MHD_YES && response->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        added = MHD_add_response_header(made, MHD_HTTP_HEADER_ALLOW, METHODS_ALLOWED);
    return added;
}

/* Hands the body's memory over without a copy; MHD frees it when it has been sent. */
static struct MHD_Response *take_body(struct strbuf *body)
{
    size_t length = body->length;
    char *text = strbuf_steal(body);
    if (!text)
        return NULL;
    struct MHD_Response *made =
        MHD_create_response_from_buffer_with_free_callback(length, text, free);
    if (!made)
        free(text);
    return made;
}

/* MHD_NO makes MHD close the connection: what is left when there is no memory for an answer. */
static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     struct http_response *response)
{
    struct MHD_Response *made = take_body(&response->body);
    if (!made)
        return MHD_NO;
    enum MHD_Result sent = add_headers(made, response);
    if (sent == MHD_YES)
        sent = MHD_queue_response(connection, response->status, made);
    MHD_destroy_response(made);
    return sent;
}

static const struct http_route *find_route(const struct http_route *routes, const char *path)
{
    for (const struct http_route *route = routes; route->path; route++) {
        if (strcmp(route->path, path) == 0)
            return route;
    }
    return NULL;
}

static bool method_is_allowed(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static void say_not_found(const struct http_route *routes, struct http_response *response)
{
    response->status = MHD_HTTP_NOT_FOUND;
    strbuf_puts(&response->body, "not found; what there is:");
    for (const struct http_route *route = routes; route->path; route++)
        strbuf_printf(&response->body, " %s", route->path);
    strbuf_putc(&response->body, '\n');
}

static void fill(const struct http_server *server, const char *method, const char *path,
                 struct http_response *response)
{
    const struct http_route *route = find_route(server->routes, path);
    if (!method_is_allowed(method)) {
        response->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        strbuf_puts(&response->body, "only " METHODS_ALLOWED " are answered\n");
    } else if (!route) {
        say_not_found(server->routes, response);
    } else {
        route->handler(route->context, response);
    }
}

/*
 * MHD calls this once with the headers, then for each piece of a body, then to get the answer. A
 * body means nothing to us, but it is read to its end: closing early would reset the connection
 * and the client might never see the answer.
 */
/* NOLINTNEXTLINE(readability-function-size): the parameters are MHD's. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, UNUSED const char *version,
                              UNUSED const char *body, size_t *body_size, void **request)
{
    struct http_server *server = context;
    if (!*request || *body_size > 0) {
        *request = server;
        *body_size = 0;
        return MHD_YES;
    }

    struct http_response response = {.status = MHD_HTTP_OK, .content_type = PLAIN_TEXT};
    fill(server, method, path, &response);
    if (response.body.failed) {
        strbuf_done(&response.body);
        response = (struct http_response){.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
                                          .content_type = PLAIN_TEXT};
        strbuf_puts(&response.body, "out of memory\n");
    }
    return send_response(connection, &response);
}

static void connection_changes(void *context, struct MHD_Connection *connection, void **watched,
                               enum MHD_ConnectionNotificationCode change)
{
    struct http_server *server = context;
    if (change == MHD_CONNECTION_NOTIFY_CLOSED) { /* MHD closes the descriptor after this call */
        connections_remove(server->connections, *watched);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *watched = info ? connections_add(server->connections, info->connect_fd) : NULL;
}

static void request_ends(void *context, struct MHD_Connection *connection, UNUSED void **request,
                         UNUSED enum MHD_RequestTerminationCode how)
{
    struct http_server *server = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info)
        connections_renew(server->connections, info->socket_context);
}

/* Paths stay as they were sent: "/metrics%00" must not become "/metrics". */
static size_t keep_escapes(UNUSED void *context, UNUSED struct MHD_Connection *connection,
                           char *text)
{
    return strlen(text);
}

/* What MHD says when it cannot accept; all else it says is about a client's mistakes. */
static bool concerns_us(const char *text)
{
    static const char *const marks[] = {"resource limit", "Error accepting"};
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        if (strstr(text, marks[i]))
            return true;
    }
    return false;
}

static bool may_warn(struct http_server *server)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t last_ms = server->warned_ms;
    return (last_ms == 0 || now_ms - last_ms >= WARN_EVERY_MS) &&
           atomic_compare_exchange_strong(&server->warned_ms, &last_ms, now_ms);
}

PRINTF(2, 0)
static void take_log(void *context, const char *format, va_list values)
{
    char *text;
    if (vasprintf(&text, format, values) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (concerns_us(text) && may_warn(context))
        log_warn("cannot accept web connections", FIELDS(TEXT("error", text)));
    else
        log_debug("web server", FIELDS(TEXT("text", text)));
    free(text);
}

/*
 * MHD_USE_ITC: a thread whose share is full then leaves new connections to the other one instead of
 * closing them, and can be woken without harm to the listening socket. MHD owns the socket from
 * here on, also when this fails. It writes with MSG_NOSIGNAL, so no SIGPIPE is raised.
 */
static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    return MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0, NULL, NULL, answer,
        server, MHD_OPTION_EXTERNAL_LOGGER, take_log, server, /* first, so that it hears all */
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)POOL_SIZE,
        MHD_OPTION_THREAD_STACK_SIZE, THREAD_STACK_SIZE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, server->connection_limit,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->per_address_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, server->idle_timeout_s, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changes, server, MHD_OPTION_NOTIFY_COMPLETED, request_ends, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
}

static bool add_listener(struct http_server *server, const char *address, struct err *err)
{
    struct listener *listener = &server->listeners[server->listener_count];
    int fd;
    if (!listen_open(address, &fd, err))
        return false;
    listener->port = listen_port(fd);
    listener->daemon = start_daemon(server, fd);
    if (!listener->daemon) /* MHD does not keep the reason in errno */
        return err_set(err, ERR_SYSTEM,
                       "cannot serve on %s: no memory, descriptor or thread is left for it",
                       address);
    server->listener_count++;
    return true;
}

static unsigned default_connection_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
        files.rlim_cur < DESCRIPTORS_KEPT + CONNECTIONS_LEAST)
        return CONNECTIONS_LEAST;
    if (files.rlim_cur > DESCRIPTORS_KEPT + CONNECTIONS_MOST)
        return CONNECTIONS_MOST;
    return (unsigned)files.rlim_cur - DESCRIPTORS_KEPT;
}

static unsigned at_least(unsigned value, unsigned least)
{
    return value > least ? value : least;
}

static unsigned at_most(unsigned value, unsigned most)
{
    return value < most ? value : most;
}

/* Fills in what the options leave open; MHD needs room for one connection in each thread. */
static void set_limits(struct http_server *server, const struct http_options *options, size_t count)
{
    unsigned all = options->connection_limit;
    unsigned one = options->per_address_limit;
    if (all == 0)
        all = default_connection_limit();
    server->connection_limit = at_least(all / (unsigned)count, POOL_SIZE);
    server->per_address_limit =
        at_most(one ? one : server->connection_limit / 2, server->connection_limit);
    server->idle_timeout_s = options->idle_timeout_s ? options->idle_timeout_s : IDLE_TIMEOUT_S;
}

/* Crowded begins below what one client may have, so that one alone cannot hold all of it. */
static bool watch_connections(struct http_server *server, struct err *err)
{
    struct connection_limits limits = {
        .exchange_ms = (int64_t)server->idle_timeout_s * 3000,
        .crowded_exchange_ms = CROWDED_EXCHANGE_MS,
        .crowded = at_least(server->per_address_limit * 3 / 4, 1),
    };
    return connections_start(&limits, &server->connections, err);
}

static bool start_all(struct http_server *server, const char *const *addresses, struct err *err)
{
    if (!watch_connections(server, err))
        return false;
    for (; *addresses; addresses++) {
        if (!add_listener(server, *addresses, err))
            return false;
    }
    return true;
}

static size_t count_texts(const char *const *texts)
{
    size_t count = 0;
    while (texts[count])
        count++;
    return count;
}

bool http_start(const struct http_options *options, struct http_server **ret, struct err *err)
{
    size_t count = count_texts(options->listen_addresses);
    if (count == 0)
        return err_set(err, ERR_CONFIG, "there is no address to listen on");
    struct http_server *server = calloc(1, sizeof *server + count * sizeof server->listeners[0]);
    if (!server)
        return err_memory(err);
    server->routes = options->routes;
    set_limits(server, options, count);

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* new threads inherit it */
    bool started = start_all(server, options->listen_addresses, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        http_stop(server);
        return false;
    }
    *ret = server;
    return true;
}

unsigned http_port(const struct http_server *server, size_t index)
{
    return index < server->listener_count ? server->listeners[index].port : 0;
}

void http_stop(struct http_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->listener_count; i++)
        MHD_stop_daemon(server->listeners[i].daemon);
    connections_stop(server->connections);
    free(server);
}
