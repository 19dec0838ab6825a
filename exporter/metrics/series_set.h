/*
 * series_set - the series that have been seen, so that the second of two equal ones is noticed.
 *
 * It keeps pointers to texts that others own.
 */
#ifndef EXPORTER_METRICS_SERIES_SET_H
#define EXPORTER_METRICS_SERIES_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"

struct series_slot {
    uint64_t hash;
    const char *series; /* NULL: the slot is free */
};

/* An all-zero struct is a valid empty set. Open addressing, at most half full. */
struct series_set {
    struct series_slot *slots;
    size_t size; /* slots, a power of two or 0 */
    size_t count;
};

/* The hash by which a series is kept (FNV-1a, 64 bits). */
uint64_t series_hash(const char *series, size_t length);

/* Make room for `more` further series; false when out of memory. */
bool series_set_reserve(struct series_set *set, size_t more) MUST_USE;

/*
 * Add a series for which there is room; hash is its series_hash(). false when an equal one is in
 * the set already. The text must stay where it is as long as the set is used.
 */
bool series_set_add(struct series_set *set, uint64_t hash, const char *series) MUST_USE;

bool series_set_has(const struct series_set *set, uint64_t hash, const char *series);

/* Free the slots; the set is empty again. */
void series_set_done(struct series_set *set);

#endif
