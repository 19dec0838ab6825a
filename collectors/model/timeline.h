/*
 * timeline - on which timeline each segment lies on the way to the one that production is on.
 *
 * A history file (PostgreSQL's timeline.c) names, for each ancestor of its timeline, where it was
 * left. Timeline 1 has none. Pure.
 */
#ifndef COLLECTORS_MODEL_TIMELINE_H
#define COLLECTORS_MODEL_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/* Largest history file that is read: PostgreSQL's own have a line of about 60 bytes per promotion.
 */
#define TIMELINE_HISTORY_LIMIT ((size_t)1 << 20)

struct timeline_switch {
    uint32_t timeline; /* an ancestor */
    uint64_t lsn;      /* where it was left for the next one */
};

/* An all-zero struct with a timeline is that timeline without ancestors. */
struct timeline {
    uint32_t id;
    struct timeline_switch *ancestors; /* the oldest first, ids and LSNs growing */
    size_t count;
};

/* "0000000A.history" is timeline 10; false for all other names. */
bool timeline_history_name(const char *name, uint32_t *ret) MUST_USE;

/*
 * Read a history file's text. ERR_PROTOCOL names the line; ids and LSNs that do not grow are
 * refused, and a file that names no ancestor or holds a zero byte: it was cut short. ERR_MEMORY.
 * *ret is released by timeline_done().
 */
bool timeline_parse(uint32_t id, const char *text, size_t length, struct timeline *ret,
                    struct err *err) MUST_USE;
bool timeline_copy(const struct timeline *timeline, struct timeline *ret, struct err *err) MUST_USE;
void timeline_done(struct timeline *timeline);

/*
 * The timeline whose file of that number a recovery to `timeline` reads: the newest one that had
 * begun in it.
 */
uint32_t timeline_of_segment(const struct timeline *timeline, uint64_t number,
                             uint64_t segment_size);

/* Whether it is the timeline itself or one of its ancestors. */
bool timeline_has(const struct timeline *timeline, uint32_t id);

#endif
