/*
 * probe_authorities - reads the certificates of the authorities to trust, in a child: see probe.h.
 *
 * A configuration may name a file on any mount, or a named pipe. A library that opens it itself
 * waits for it without a limit.
 */
#ifndef EXPORTER_SOURCES_PROBE_AUTHORITIES_H
#define EXPORTER_SOURCES_PROBE_AUTHORITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/strbuf.h"
#include "exporter/sources/probe.h"

/* Most bytes of certificates taken. */
#define PROBE_AUTHORITIES_MAX ((size_t)1 << 20)

/*
 * Append the text of a PEM file. ERR_CONFIG: it cannot be read, is no regular file, or is larger
 * than PROBE_AUTHORITIES_MAX; else the errors of proc_run(). Nothing is appended on failure. Blocks
 * for at most the bound's rest + 1 s.
 */
bool probe_authorities(struct proc_pool *pool, const char *path, const struct bound *bound,
                       struct strbuf *out, struct err *err) MUST_USE;

/* The child's side: it fills a struct probe_authorities. */
struct probe_authorities {
    int error; /* an errno value */
    uint32_t length;
    char text[PROBE_AUTHORITIES_MAX];
};
void probe_authorities_run(const char *path, void *answer);

#endif
