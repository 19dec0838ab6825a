/*
 * compress - gzip for a page on its way out. Nothing is kept from one page to the next.
 *
 * Its settings are the cheapest of zlib's: a page of metrics shrinks to a quarter, in about twice
 * the time that writing it took. Better ones cost twice that again and save a tenth.
 */
#ifndef EXPORTER_WEB_COMPRESS_H
#define EXPORTER_WEB_COMPRESS_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

/* Below this a page fits into one packet anyway. */
#define COMPRESS_LEAST_BYTES 1400

/*
 * Replace the text by its gzip (RFC 1952); the same text always becomes the same bytes. false, and
 * the text is as it was: no memory, or the gzip would not be shorter. Needs 100 kB for as long as
 * it takes. Any thread.
 */
bool compress_gzip(struct strbuf *text) MUST_USE;

#endif
