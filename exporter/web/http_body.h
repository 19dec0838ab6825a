/*
 * http_body - the answers that are on their way, and how much memory they may hold together.
 *
 * A client that reads slowly keeps its whole answer in memory, and of a fleet that is megabytes:
 * hundreds of such clients must not take the memory of the database beside us.
 */
#ifndef EXPORTER_WEB_HTTP_BODY_H
#define EXPORTER_WEB_HTTP_BODY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

struct MHD_Response; /* of libmicrohttpd */

#define HTTP_BODY_SMALL_BYTES  ((size_t)64 * 1024)        /* has room always */
#define HTTP_BODIES_MOST_BYTES ((size_t)64 * 1024 * 1024) /* of the larger ones together */

/* All-zero at the start; lives longer than each answer. Any thread may use it. */
struct http_bodies {
    atomic_size_t held_bytes; /* of the larger ones */
};

/* Whether one of this length may be held too: a small one, the only one, or one that still fits. */
bool http_bodies_have_room(struct http_bodies *bodies, size_t length) MUST_USE;

/*
 * Hand the body's memory over to an answer without a copy; it is freed when that has been sent or
 * its client has gone. NULL when no memory is left; the body is empty afterwards in any case.
 */
struct MHD_Response *http_bodies_take(struct http_bodies *bodies, struct strbuf *body) MUST_USE;

#endif
