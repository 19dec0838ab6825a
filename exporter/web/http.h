/*
 * http - the HTTP server: routes, methods, limits. It knows nothing of what is served.
 */
#ifndef EXPORTER_WEB_HTTP_H
#define EXPORTER_WEB_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/web/security.h"

struct http_server;

/* What a client asks. Lives as long as the call of the handler. */
struct http_request;

/*
 * The value of a header, all its lines joined by commas as RFC 9110 has it; the name's case does
 * not matter. NULL: it was not sent, or no memory is left. The caller frees it.
 */
char *http_request_header(const struct http_request *request, const char *name) MUST_USE;

/*
 * The value of `name` in the query of the address, with its escapes taken out; the first if there
 * are several, "" for a name without a value. NULL: it is not there, or no memory is left. The
 * caller frees it.
 */
char *http_request_argument(const struct http_request *request, const char *name) MUST_USE;

/* What a handler answers. Start: status 200, plain text, empty body. */
struct http_response {
    unsigned status;
    const char *content_type; /* static */
    struct strbuf body;       /* handed over to the server, which compresses it where that is
                                 wanted; a failed one is answered with 500 */
};

/* Called in one of the server's threads; must not block. context is that of the route. */
typedef void http_handler(void *context, const struct http_request *request,
                          struct http_response *response);

struct http_route {
    const char *path; /* compared byte by byte with the path as it was sent, without its query */
    http_handler *handler;
    void *context;
};

struct http_options {
    const char *const *listen_addresses; /* NULL-ended: ":10854", "127.0.0.1:0", "[::1]:9" */
    const int *sockets; /* listening already and non-blocking: served in place of any address. The
                           caller may close them after the start */
    size_t socket_count;
    const struct http_route *routes; /* ended by a NULL path; must outlive the server */
    struct security *security;       /* a reference is taken; NULL: plain HTTP for everybody */
    unsigned connection_limit;  /* 0: min(512, descriptors - 256), at least 16; shared evenly by the
                                   addresses */
    unsigned per_address_limit; /* of one client, per listen address; 0: half of its share */
    unsigned idle_timeout_s;    /* 0: 10. Without a byte for this long, or with an exchange not over
                                   after three times as long, a connection is closed */
};

/*
 * Bind and serve in the server's own threads, which take no signals. ERR_CONFIG for a malformed
 * address, ERR_SYSTEM for a taken port or a missing right: the text names the address.
 * Who must have a password and has none is answered with 401, whatever was asked.
 * 503 when the larger answers that clients have not read yet would hold more than 64 MiB.
 * GET and HEAD only (405 with Allow), 404 for other paths, 414 or 431 for what is too long; each
 * answer of ours carries nosniff and, for HTML, a strict content security policy.
 */
bool http_start(const struct http_options *options, struct http_server **ret,
                struct err *err) MUST_USE;

/* The port bound for the n-th address (useful with port 0); 0 past the last. */
unsigned http_port(const struct http_server *server, size_t index);

/*
 * Demand this from now on (a reference is taken; may be NULL): users and headers of each request,
 * TLS of each new connection. ERR_CONFIG when one has TLS and the other has not: that needs a new
 * server. Does not block.
 */
bool http_secure(struct http_server *server, struct security *security, struct err *err) MUST_USE;

/* Stop serving and free. Waits for a password that is being worked out (auth_queue.h) and handlers
 * that are running; they do not block. Takes NULL. */
void http_stop(struct http_server *server);

#endif
