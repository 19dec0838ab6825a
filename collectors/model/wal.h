/*
 * wal - the arithmetic of WAL segments: what a file name says, and where its bytes end.
 *
 * A name is timeline, log and segment, eight hexadecimal capitals each (PostgreSQL's
 * xlog_internal.h). How many segments a log of 4 GiB has depends on wal_segment_size. Pure.
 */
#ifndef COLLECTORS_MODEL_WAL_H
#define COLLECTORS_MODEL_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

struct wal_segment {
    uint32_t timeline;
    uint64_t number; /* counted from LSN 0 on: the next segment's is one more, across logs too */
};

/* Whether PostgreSQL can have segments of this size: a power of two from 1 MiB to 1 GiB. */
bool wal_segment_size_is_valid(uint64_t segment_size);

/*
 * Read the name of a whole segment. False for all else that is archived under a similar name
 * (.partial, .backup, .history), for names that this segment size cannot have, and for a segment
 * whose end no LSN can say.
 */
bool wal_segment_parse(const char *name, uint64_t segment_size, struct wal_segment *ret) MUST_USE;

/*
 * The newest segment that is surely in the archive once a file of this name is: the segment of
 * that name, or the one that a backup's history file (NAME.OFFSET.backup) belongs to, because
 * PostgreSQL archives in the order of names. False for all else.
 */
bool wal_segment_archived(const char *name, uint64_t segment_size,
                          struct wal_segment *ret) MUST_USE;

/* Append the segment's file name. */
void wal_segment_name(const struct wal_segment *segment, uint64_t segment_size, struct strbuf *out);

/* The LSN just behind a segment, as a number of bytes. */
uint64_t wal_segment_end(const struct wal_segment *segment, uint64_t segment_size);

#endif
