/*
 * strbuf - a text that grows.
 *
 * A failure (no memory, limit reached) is remembered in `failed`; later additions do nothing. So
 * a writer adds as much as it likes and looks once, at the end.
 */
#ifndef EXPORTER_BASE_STRBUF_H
#define EXPORTER_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"

/* An all-zero struct is a valid empty buffer without a limit. */
struct strbuf {
    char *data;    /* NUL-terminated, or NULL while nothing was added: use strbuf_text() */
    size_t length; /* bytes, without the NUL */
    size_t size;   /* bytes allocated */
    size_t limit;  /* most bytes it may hold, 0 for no limit; adding past it fails */
    bool failed;
};

void strbuf_add(struct strbuf *buf, const void *bytes, size_t length);
void strbuf_puts(struct strbuf *buf, const char *text);
void strbuf_putc(struct strbuf *buf, char byte);
void strbuf_printf(struct strbuf *buf, const char *format, ...) PRINTF(2, 3);

/* A word of a command line, as a shell reads it back: bare where nothing needs quotes. */
void strbuf_shell_word(struct strbuf *buf, const char *word);

/* Make room for `more` further bytes, to be written at data + length by the caller. */
bool strbuf_reserve(struct strbuf *buf, size_t more) MUST_USE;

/* The text; never NULL. Valid until the next change. */
const char *strbuf_text(const struct strbuf *buf);

/* Cut to `length` bytes, which must not be more than it holds; the memory stays. */
void strbuf_truncate(struct strbuf *buf, size_t length);

/* Hand the text over (the caller frees it); the buffer is empty again. NULL when it failed. */
char *strbuf_steal(struct strbuf *buf) MUST_USE;

/* Free the text and make the buffer empty. */
void strbuf_done(struct strbuf *buf);

#endif
