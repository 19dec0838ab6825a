/*
 * credentials - reads KEY=VALUE files in the syntax of systemd's EnvironmentFile=.
 *
 * Pure. The same file serves a systemd unit and us, so it is read as systemd reads it: comments
 * start with # or ;, values may be quoted, a backslash at the end of a line continues it, nothing
 * is expanded. A line that is no assignment is passed over, as systemd does, but remembered.
 */
#ifndef COLLECTORS_PARSE_CREDENTIALS_H
#define COLLECTORS_PARSE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/config/lists.h"

/* Start from an all-zero struct; release with credentials_done(), which overwrites the values. */
struct credentials {
    struct pair_list pairs; /* in the order of the file; a name may come more than once */
    size_t ignored_line;    /* the first line that is no assignment, from 1; 0 for none */
};

/*
 * Parse a whole file. ERR_CONFIG: a NUL byte, or a quote that is never closed (a file that is
 * being written); the text names the line, never a value. ERR_MEMORY. *ret must be all-zero; it is
 * left so on failure.
 */
bool credentials_parse(const char *text, size_t length, struct credentials *ret,
                       struct err *err) MUST_USE;

/* The value of a name (the last one given counts), or NULL. Owned by credentials. */
const char *credentials_get(const struct credentials *credentials, const char *name);

void credentials_done(struct credentials *credentials);

#endif
