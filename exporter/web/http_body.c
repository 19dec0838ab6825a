#include "exporter/web/http_body.h"

#include <stdlib.h>

#include <microhttpd.h>

struct held {
    struct http_bodies *bodies;
    size_t counted; /* 0 for a small one */
    char *text;
};

static size_t counted(size_t length)
{
    return length > HTTP_BODY_SMALL_BYTES ? length : 0;
}

bool http_bodies_have_room(struct http_bodies *bodies, size_t length)
{
    size_t held = atomic_load(&bodies->held_bytes);
    return counted(length) == 0 || held == 0 ||
           (held < HTTP_BODIES_MOST_BYTES && length <= HTTP_BODIES_MOST_BYTES - held);
}

static void let_go(void *context)
{
    struct held *held = context;
    atomic_fetch_sub(&held->bodies->held_bytes, held->counted);
    free(held->text);
    free(held);
}

/* What was compressed has room for the whole: too much for a client that reads slowly. */
static char *fitted(char *text, size_t length)
{
    char *smaller = text ? realloc(text, length + 1) : NULL;
    return smaller ? smaller : text;
}

struct MHD_Response *http_bodies_take(struct http_bodies *bodies, struct strbuf *body)
{
    size_t length = body->length;
    struct held *held = calloc(1, sizeof *held);
    if (!held) {
        strbuf_done(body);
        return NULL;
    }
    *held = (struct held){bodies, counted(length), fitted(strbuf_steal(body), length)};
    atomic_fetch_add(&bodies->held_bytes, held->counted);
    struct MHD_Response *made = held->text ? MHD_create_response_from_buffer_with_free_callback_cls(
                                                 length, held->text, let_go, held)
                                           : NULL;
    if (!made)
        let_go(held);
    return made;
}
