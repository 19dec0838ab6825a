/*
 * spool - what pgBackRest's asynchronous archive-push leaves behind for PostgreSQL and for people.
 *
 * Pure. In SPOOL/archive/STANZA/out a segment that could not be pushed has a file SEGMENT.error, a
 * failure of all of them is global.error, and a pushed one has SEGMENT.ok until archive_command
 * has seen it; "dropped WAL file '...' because archive queue exceeded ..." in it, and in the log,
 * tells of WAL that was given up (pgBackRest's push.c).
 */
#ifndef COLLECTORS_PARSE_SPOOL_H
#define COLLECTORS_PARSE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

enum spool_file { SPOOL_OTHER, SPOOL_ERROR, SPOOL_GLOBAL_ERROR, SPOOL_OK };

/* What a file of that name is. Histories (.history) and .partial segments count as segments. */
enum spool_file spool_file_of(const char *name);

/* Whether the text of an .error names that repository: a line begins with "repoN:". */
bool spool_error_names(const char *text, int64_t repo_key);

/* Whether it names any. */
bool spool_error_names_one(const char *text);

/*
 * Add the segments that the text says were dropped, each once, to the list. A name that was cut off
 * at either end of the text is passed over. ERR_MEMORY.
 */
bool spool_dropped(const char *text, size_t length, struct text_list *ret,
                   struct err *err) MUST_USE;

/*
 * A size as pgBackRest takes it: "67108864", "64MB", "64mib", "1g"; K, M, G, T and P are powers of
 * 1024. False for all else and for what 64 bits do not hold.
 */
bool spool_parse_size(const char *text, uint64_t *ret) MUST_USE;

#endif
