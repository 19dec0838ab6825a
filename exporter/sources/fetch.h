/*
 * fetch - one HTTPS request in which no step can outlast its bound.
 *
 * A new connection each time, so that an answer speaks of name server, network, certificate and
 * service as they are now. Names are resolved, and the file of authorities read, in a probe child:
 * libcurl's own resolver would leave a thread behind, and its reading has no limit. No proxy of the
 * environment is used and no redirect is followed: the answer is that of the server that was asked.
 */
#ifndef EXPORTER_SOURCES_FETCH_H
#define EXPORTER_SOURCES_FETCH_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/sources/proc.h"

/* Most bytes of an answer's body, and of all its header lines together. */
#define FETCH_BODY_LIMIT   ((size_t)64 << 10)
#define FETCH_HEADER_LIMIT ((size_t)64 << 10)

/* AWS signature version 4. */
struct fetch_signature {
    const char *region;
    const char *service; /* "s3" */
    const char *key;
    const char *secret;
};

/* All texts stay the caller's. */
struct fetch_request {
    const char *host; /* whom to connect to, and the name its certificate must hold: a name, or a
                         numeric address without brackets */
    unsigned port;
    const char *authority;                   /* for the header Host */
    const char *target;                      /* path and query, encoded as they are to be sent */
    const char *const *headers;              /* "name: value", NULL-ended; signed with the rest */
    const struct fetch_signature *signature; /* NULL: unsigned */
    const char *ca_file; /* PEM; both NULL: the system's authorities, else only these */
    const char *ca_path; /* a directory of hashed PEM files */
    bool verify;         /* the certificate */
};

enum fetch_phase {
    FETCH_DNS,      /* the name is resolved; nearly nothing for a numeric address */
    FETCH_CONNECT,  /* TCP */
    FETCH_TLS,      /* handshake and verification */
    FETCH_RESPONSE, /* from the request to the end of the answer */
    FETCH_PHASE_COUNT
};

struct fetch_result {
    long status; /* of HTTP; 0 while there was no answer */
    struct strbuf body;
    double phase_s[FETCH_PHASE_COUNT]; /* each alone; below 0 when it did not end well */
    double certificate_expires; /* of the server's own certificate, s since 1970; 0 unknown */
    double server_time;         /* its header Date, s since 1970, whole seconds; 0 unknown */
    double asked_at;            /* our time around it: when the request was sent */
    double answered_at;         /* and when the first line of the answer came */
};

/*
 * GET. True when a whole answer came, whatever its status. On false: ERR_TIMEOUT, ERR_STOPPED,
 * ERR_DNS, ERR_CONNECT, ERR_TLS, ERR_CONFIG (a CA file that cannot be read, a text that no request
 * can hold), ERR_TOO_BIG, ERR_PROTOCOL (no HTTP), ERR_MEMORY, ERR_OTHER, and the resolving child's;
 * the text names host and port and holds nothing of headers or signature. *ret holds what was
 * learned so far in either case and is released by fetch_result_done().
 *
 * Of the system's authorities the directory is asked first, and their file, which takes long to
 * read, only in a second handshake when that does not vouch for the server.
 *
 * A certificate that was refused is looked at once more, by a second handshake that sends no
 * request, so that its expiry is known when it matters most.
 *
 * Blocks for at most the bound's rest (1 s more for a child that has to be ended) and ends at once
 * when its stop descriptor is readable. Safe from any thread; SIGPIPE must be ignored.
 */
bool fetch_get(struct proc_pool *pool, const struct fetch_request *request,
               const struct bound *bound, struct fetch_result *ret, struct err *err) MUST_USE;
void fetch_result_done(struct fetch_result *result);

/* "dns", "connect", "tls", "response". Never NULL, static. */
const char *fetch_phase_name(enum fetch_phase phase);

#endif
