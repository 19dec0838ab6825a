/*
 * utf8 - tells well-formed UTF-8 from bytes that are not.
 *
 * Texts from outside (error messages, paths, host names) may hold any byte; JSON, metrics and
 * pages may not.
 */
#ifndef EXPORTER_BASE_UTF8_H
#define EXPORTER_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/strbuf.h"

/*
 * Length in bytes (1 to 4) of the well-formed character at the start of text, or 0 when its first
 * bytes are no such character. Overlong forms, surrogates and values above U+10FFFF are not.
 */
size_t utf8_char_length(const char *text, size_t length);

/* The largest number of bytes <= length that does not cut a character of text in two. */
size_t utf8_whole_length(const char *text, size_t length);

/* Append text with each malformed byte replaced by U+FFFD. */
void utf8_repair(struct strbuf *out, const char *text, size_t length);

/*
 * The same for text that goes to people: control characters but newline and tab become U+FFFD,
 * so that a message can neither move a terminal's cursor nor break a page.
 */
void utf8_repair_printable(struct strbuf *out, const char *text, size_t length);

/*
 * Append text as a JSON string: quoted, escaped, repaired to be printable. Logs quote with it too.
 */
void utf8_add_quoted(struct strbuf *out, const char *text);

#endif
