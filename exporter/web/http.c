#include "exporter/web/http.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <microhttpd.h>

#include "exporter/base/clock.h"
#include "exporter/base/log.h"
#include "exporter/web/compress.h"
#include "exporter/web/connections.h"
#include "exporter/web/http_body.h"
#include "exporter/web/http_gate.h"
#include "exporter/web/listen.h"
#include "exporter/web/negotiate.h"

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
    struct http_gate *gate;
    struct http_bodies bodies;
    pthread_mutex_t lock;      /* guards security */
    struct security *security; /* in force; NULL: nothing is demanded */
    bool has_tls;
    _Atomic int64_t warned_ms; /* monotonic: when the last warning was written; 0 for never */
    unsigned connection_limit; /* of one listener */
    unsigned per_address_limit;
    unsigned idle_timeout_s;
    size_t listener_count; /* how many have been started */
    struct listener listeners[];
};

struct http_request {
    struct MHD_Connection *connection;
};

/* What is kept of each connection: its place, and the certificates that its session uses. */
struct client {
    struct connection *watched;
    struct security *security;
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
    {MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding", false},
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
     "form-action 'none'",
     true},
    {"Referrer-Policy", "no-referrer", true},
};

struct joined {
    const char *name;
    struct strbuf value;
    bool found;
};

static enum MHD_Result join_value(void *context, UNUSED enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct joined *joined = context;
    if (strcasecmp(name, joined->name) != 0)
        return MHD_YES;
    strbuf_puts(&joined->value, joined->found ? "," : "");
    strbuf_puts(&joined->value, value ? value : "");
    joined->found = true;
    return MHD_YES;
}

char *http_request_header(const struct http_request *request, const char *name)
{
    struct joined joined = {.name = name};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, join_value, &joined);
    return joined.found ? strbuf_steal(&joined.value) : NULL;
}

char *http_request_argument(const struct http_request *request, const char *name)
{
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
                                      strlen(name), &value, &size) != MHD_YES)
        return NULL;
    char *text = strndup(value ? value : "", size);
    if (text)
        MHD_http_unescape(text);
    return text;
}

/* What belongs to a status. */
static const struct {
    unsigned status;
    const char *name;
    const char *value;
} status_headers[] = {
    {MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW, METHODS_ALLOWED},
    {MHD_HTTP_UNAUTHORIZED, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
     "Basic realm=\"exporter\", charset=\"UTF-8\""},
};

static bool add_header(struct MHD_Response *made, const char *name, const char *value)
{
    return MHD_add_response_header(made, name, value) == MHD_YES;
}

/* Ours, unless the operator says it differently. */
static bool add_own_headers(struct MHD_Response *made, const struct http_response *response,
                            const struct pair_list *configured)
{
    bool html = strncmp(response->content_type, HTML, strlen(HTML)) == 0;
    bool added = add_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
    for (size_t i = 0; added && i < COUNT_OF(headers); i++) {
        if ((html || !headers[i].html_only) && !pair_list_get(configured, headers[i].name))
            added = add_header(made, headers[i].name, headers[i].value);
    }
    for (size_t i = 0; added && i < COUNT_OF(status_headers); i++) {
        if (response->status == status_headers[i].status)
            added = add_header(made, status_headers[i].name, status_headers[i].value);
    }
    return added;
}

static bool add_headers(struct MHD_Response *made, const struct http_response *response,
                        const struct pair_list *configured)
{
    bool added = add_own_headers(made, response, configured);
    for (size_t i = 0; added && i < configured->count; i++)
        added = add_header(made, configured->items[i].name, configured->items[i].value);
    return added;
}

static void say_instead(struct http_response *response, unsigned status, const char *text)
{
    strbuf_done(&response->body);
    *response = (struct http_response){.status = status, .content_type = PLAIN_TEXT};
    strbuf_puts(&response->body, text);
}

/* HEAD too: it tells the length of what GET would bring. */
static bool compress(struct MHD_Connection *connection, struct strbuf *body)
{
    const struct http_request request = {connection};
    if (body->length < COMPRESS_LEAST_BYTES)
        return false;
    char *accepted = http_request_header(&request, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    bool compressed = negotiate_gzip(accepted) && compress_gzip(body);
    free(accepted);
    return compressed;
}

static bool is_sent(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, name, strlen(name), NULL,
                                         NULL) == MHD_YES;
}

/*
 * Behind a body the connection ends: should a proxy see its end elsewhere than MHD, which takes two
 * lengths or a length beside chunks, the rest would be answered as if it were another request.
 */
static bool add_end(struct MHD_Connection *connection, struct MHD_Response *made)
{
    bool body = is_sent(connection, MHD_HTTP_HEADER_CONTENT_LENGTH) ||
                is_sent(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    return !body || add_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* MHD_NO makes MHD close the connection: what is left when there is no memory for an answer. */
static enum MHD_Result send_response(struct http_server *server, struct MHD_Connection *connection,
                                     const struct pair_list *configured,
                                     struct http_response *response)
{
    bool compressed = compress(connection, &response->body);
    if (!http_bodies_have_room(&server->bodies, response->body.length)) {
        compressed = false;
        say_instead(response, MHD_HTTP_SERVICE_UNAVAILABLE,
                    "too many clients read slowly; ask again\n");
    }
    struct MHD_Response *made = http_bodies_take(&server->bodies, &response->body);
    if (!made)
        return MHD_NO;
    enum MHD_Result sent = MHD_NO;
    if (add_headers(made, response, configured) && add_end(connection, made) &&
        (!compressed || add_header(made, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip")))
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

struct asked {
    const char *method;
    const char *path;
    struct http_request request;
};

static void fill(const struct http_server *server, const struct asked *asked,
                 struct http_response *response)
{
    const struct http_route *route = find_route(server->routes, asked->path);
    if (!method_is_allowed(asked->method)) {
        response->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        strbuf_puts(&response->body, "only " METHODS_ALLOWED " are answered\n");
    } else if (!route) {
        say_not_found(server->routes, response);
    } else {
        route->handler(route->context, &asked->request, response);
    }
}

/* A reference to what is demanded now. */
static struct security *security_now(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    struct security *security = security_ref(server->security);
    pthread_mutex_unlock(&server->lock);
    return security;
}

static void give_back(struct security **security)
{
    security_unref(*security);
}

/*
 * MHD calls this once with the headers, then for each piece of a body, then to get the answer, and
 * for the answer again when it had to wait. A body means nothing to us, but it is read to its end:
 * closing early would reset the connection and the client might never see the answer.
 */
/* NOLINTNEXTLINE(readability-function-size): the parameters are MHD's. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, UNUSED const char *version,
                              UNUSED const char *body, size_t *body_size, void **request)
{
    struct http_server *server = context;
    if (!*request || *body_size > 0) {
        *request = *request ? *request : calloc(1, sizeof(struct http_visit));
        *body_size = 0;
        return *request ? MHD_YES : MHD_NO;
    }

    struct security *security CLEANUP(give_back) = security_now(server);
    const struct asked asked = {.method = method, .path = path, .request = {connection}};
    struct http_response response = {.status = MHD_HTTP_OK, .content_type = PLAIN_TEXT};
    enum http_pass pass = http_gate_ask(server->gate, security, connection, *request);
    if (pass == HTTP_PASS_WAIT)
        return MHD_YES;
    if (pass == HTTP_PASS_OPEN)
        fill(server, &asked, &response);
    else
        http_gate_refuse(pass, &response);
    if (response.body.failed)
        say_instead(&response, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    return send_response(server, connection, security_headers(security), &response);
}

static const union MHD_ConnectionInfo *info_of(struct MHD_Connection *connection,
                                               enum MHD_ConnectionInfoType what)
{
    return MHD_get_connection_info(connection, what);
}

/* A session that cannot have its certificates is left with those of MHD, which are none. */
static struct client *new_client(struct http_server *server, struct MHD_Connection *connection)
{
    struct client *client = calloc(1, sizeof *client);
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!client)
        return NULL;
    client->watched = info ? connections_add(server->connections, info->connect_fd) : NULL;
    info = server->has_tls ? info_of(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) : NULL;
    client->security = info ? security_now(server) : NULL;
    if (info && !tls_apply(security_tls(client->security), info->tls_session))
        log_warn("cannot begin a TLS session", NULL);
    return client;
}

static void client_leaves(struct http_server *server, struct client *client)
{
    if (!client)
        return;
    connections_remove(server->connections, client->watched);
    security_unref(client->security);
    free(client);
}

/* MHD ends the TLS session before it says that a connection is closed, and its descriptor after. */
static void connection_changes(void *context, struct MHD_Connection *connection, void **client,
                               enum MHD_ConnectionNotificationCode change)
{
    if (change == MHD_CONNECTION_NOTIFY_CLOSED)
        client_leaves(context, *client);
    else
        *client = new_client(context, connection);
}

static void request_ends(void *context, struct MHD_Connection *connection, void **request,
                         UNUSED enum MHD_RequestTerminationCode how)
{
    struct http_server *server = context;
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct client *client = info ? info->socket_context : NULL;
    if (client)
        connections_renew(server->connections, client->watched);
    if (*request)
        http_visit_done(*request);
    free(*request);
    *request = NULL;
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

/* MHD's own certificate: there is none, each session is given that of the configuration. */
/* NOLINTNEXTLINE(readability-function-size): the parameters are GnuTLS's. */
static int no_certificate(UNUSED gnutls_session_t session, UNUSED const gnutls_datum_t *authorities,
                          UNUSED int authority_count, UNUSED const gnutls_pk_algorithm_t *kinds,
                          UNUSED int kind_count, UNUSED gnutls_pcert_st **certificate,
                          UNUSED unsigned *length, UNUSED gnutls_privkey_t *key)
{
    return -1;
}

/*
 * MHD_USE_ITC: a thread whose share is full then leaves new connections to the other one instead of
 * closing them, and can be woken without harm to the listening socket. MHD owns the socket from
 * here on, also when this fails. It writes with MSG_NOSIGNAL, so no SIGPIPE is raised.
 */
static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    unsigned flags =
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(
        flags | (server->has_tls ? MHD_USE_TLS : 0), 0, NULL, NULL, answer, server,
        MHD_OPTION_EXTERNAL_LOGGER, take_log, server, /* first, so that it hears all */
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)POOL_SIZE,
        MHD_OPTION_THREAD_STACK_SIZE, THREAD_STACK_SIZE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, server->connection_limit,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->per_address_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, server->idle_timeout_s, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changes, server, MHD_OPTION_NOTIFY_COMPLETED, request_ends, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        server->has_tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, no_certificate,
        MHD_OPTION_END);
}

/* Takes the socket over, also when it fails. */
static bool serve_socket(struct http_server *server, int fd, const char *name, struct err *err)
{
    struct listener *listener = &server->listeners[server->listener_count];
    listener->port = listen_port(fd);
    listener->daemon = start_daemon(server, fd);
    if (!listener->daemon) /* MHD does not keep the reason in errno */
        return err_set(err, ERR_SYSTEM,
                       "cannot serve on %s: no memory, descriptor or thread is left for it", name);
    server->listener_count++;
    return true;
}

static bool serve_addresses(struct http_server *server, const char *const *addresses,
                            struct err *err)
{
    for (; *addresses; addresses++) {
        int fd;
        if (!listen_open(*addresses, &fd, err) || !serve_socket(server, fd, *addresses, err))
            return false;
    }
    return true;
}

static bool serve_sockets(struct http_server *server, const int *sockets, size_t count,
                          struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        int fd = fcntl(sockets[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (fd < 0)
            return err_system(err, errno, "cannot serve on socket %d", sockets[i]);
        if (!serve_socket(server, fd, "a socket that was handed over", err))
            return false;
    }
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

static bool start_all(struct http_server *server, const struct http_options *options,
                      struct err *err)
{
    if (!watch_connections(server, err) || !http_gate_start(&server->gate, err))
        return false;
    return options->socket_count
               ? serve_sockets(server, options->sockets, options->socket_count, err)
               : serve_addresses(server, options->listen_addresses, err);
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
    size_t count =
        options->socket_count ? options->socket_count : count_texts(options->listen_addresses);
    if (count == 0)
        return err_set(err, ERR_CONFIG, "there is no address to listen on");
    struct http_server *server = calloc(1, sizeof *server + count * sizeof server->listeners[0]);
    if (!server)
        return err_memory(err);
    server->routes = options->routes;
    pthread_mutex_init(&server->lock, NULL);
    server->security = security_ref(options->security);
    server->has_tls = security_tls(options->security) != NULL;
    set_limits(server, options, count);

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* new threads inherit it */
    bool started = start_all(server, options, err);
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

bool http_secure(struct http_server *server, struct security *security, struct err *err)
{
    if (server->has_tls != (security_tls(security) != NULL))
        return err_set(err, ERR_CONFIG,
                       "TLS is %s now: that cannot be changed while running, so restart",
                       server->has_tls ? "not asked for any more, but on" : "asked for, but off");
    pthread_mutex_lock(&server->lock);
    struct security *old = server->security;
    server->security = security_ref(security);
    pthread_mutex_unlock(&server->lock);
    security_unref(old);
    return true;
}

/* MHD by itself would shut the socket down, for systemd too, which may have handed it over. */
static void stop_listener(const struct listener *listener)
{
    MHD_socket fd = MHD_quiesce_daemon(listener->daemon);
    MHD_stop_daemon(listener->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

/* The gate first: MHD must not be stopped while a connection is suspended. */
void http_stop(struct http_server *server)
{
    if (!server)
        return;
    http_gate_stop(server->gate);
    for (size_t i = 0; i < server->listener_count; i++)
        stop_listener(&server->listeners[i]);
    http_gate_free(server->gate);
    connections_stop(server->connections);
    security_unref(server->security);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
