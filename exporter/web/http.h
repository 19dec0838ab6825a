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

struct http_server;

/* What a handler answers. Start: status 200, plain text, empty body. */
struct http_response {
    unsigned status;
    const char *content_type; /* static */
    struct strbuf body;       /* handed over to the server; a failed one is answered with 500 */
};

/* Called in one of the server's threads; must not block. context is that of the route. */
typedef void http_handler(void *context, struct http_response *response);

struct http_route {
    const char *path; /* compared byte by byte with the path as it was sent, without its query */
    http_handler *handler;
    void *context;
};

struct http_options {
    const char *const *listen_addresses; /* NULL-ended: ":10854", "127.0.0.1:0", "[::1]:9" */
    const struct http_route *routes;     /* ended by a NULL path; must outlive the server */
    unsigned connection_limit;  /* 0: min(512, descriptors - 256), at least 16; shared evenly by the
                                   addresses */
    unsigned per_address_limit; /* of one client, per listen address; 0: half of its share */
    unsigned idle_timeout_s;    /* 0: 10. Without a byte for this long, or with an exchange not over
                                   after three times as long, a connection is closed */
};

/*
 * Bind and serve in the server's own threads, which take no signals. ERR_CONFIG for a malformed
 * address, ERR_SYSTEM for a taken port or a missing right: the text names the address.
 * GET and HEAD only (405 with Allow), 404 for other paths, 414 or 431 for what is too long; each
 * answer of ours carries nosniff and, for HTML, a strict content security policy.
 */
bool http_start(const struct http_options *options, struct http_server **ret,
                struct err *err) MUST_USE;

/* The port bound for the n-th address (useful with port 0); 0 past the last. */
unsigned http_port(const struct http_server *server, size_t index);

/* Stop serving and free. Waits for handlers that are running; they do not block. Takes NULL. */
void http_stop(struct http_server *server);

#endif
