#include "exporter/web/compress.h"

#include <limits.h>

#include <zlib.h>

#define LEVEL       1
#define WINDOW_BITS 14 /* 16 KiB: series that look alike stand close together */
#define AS_GZIP     16 /* added to the window's bits, asks zlib for gzip's header and trailer */
#define MEMORY      6  /* zlib's memLevel: a larger one costs more to clear than it gains */

static bool start(z_stream *stream)
{
    return deflateInit2(stream, LEVEL, Z_DEFLATED, WINDOW_BITS + AS_GZIP, MEMORY,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

/* Compress all of it, unless that would take `most` bytes or more. */
static bool deflate_all(z_stream *stream, const struct strbuf *text, size_t most,
                        struct strbuf *packed)
{
    if (!strbuf_reserve(packed, most))
        return false;
    stream->next_in = (Bytef *)text->data;
    stream->avail_in = (uInt)text->length;
    stream->next_out = (Bytef *)packed->data;
    stream->avail_out = (uInt)most;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    packed->length = stream->total_out;
    packed->data[packed->length] = '\0';
    return true;
}

bool compress_gzip(struct strbuf *text)
{
    z_stream stream = {0};
    struct strbuf packed = {0};
    if (text->length == 0 || text->length > UINT_MAX || !start(&stream))
        return false;
    bool shorter = deflate_all(&stream, text, text->length - 1, &packed);
    deflateEnd(&stream);
    struct strbuf unwanted = shorter ? *text : packed;
    if (shorter)
        *text = packed;
    strbuf_done(&unwanted);
    return shorter;
}
