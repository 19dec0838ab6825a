#include "exporter/metrics/series_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

uint64_t series_hash(const char *series, size_t length)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)series[i]) * 1099511628211U;
    return hash;
}

/* Where the series is, or the free slot where it belongs. There is always one: half are free. */
static struct series_slot *find(const struct series_set *set, uint64_t hash, const char *series)
{
    size_t mask = set->size - 1;
    size_t at = (size_t)hash & mask;
    for (;; at = (at + 1) & mask) {
        struct series_slot *slot = &set->slots[at];
        if (!slot->series || (slot->hash == hash && strcmp(slot->series, series) == 0))
            return slot;
    }
}

static bool resize(struct series_set *set, size_t size)
{
    struct series_set bigger = {.slots = calloc(size, sizeof *bigger.slots), .size = size};
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < set->size; i++) {
        struct series_slot *slot = &set->slots[i];
        if (slot->series)
            *find(&bigger, slot->hash, slot->series) = *slot;
    }
    bigger.count = set->count;
    free(set->slots);
    *set = bigger;
    return true;
}

bool series_set_reserve(struct series_set *set, size_t more)
{
    /* The new size may be four times the count: beyond this its bytes would overflow. */
    if (more > SIZE_MAX / (4 * sizeof *set->slots) - set->count)
        return false;
    size_t wanted = (set->count + more) * 2;
    if (wanted <= set->size)
        return true;
    size_t size = set->size ? set->size : FIRST_SIZE;
    while (size < wanted)
        size *= 2;
    return resize(set, size);
}

bool series_set_add(struct series_set *set, uint64_t hash, const char *series)
{
    assert(set->count * 2 < set->size);
    struct series_slot *slot = find(set, hash, series);
    if (slot->series)
        return false;
    *slot = (struct series_slot){.hash = hash, .series = series};
    set->count++;
    return true;
}

bool series_set_has(const struct series_set *set, uint64_t hash, const char *series)
{
    return set->size && find(set, hash, series)->series;
}

void series_set_done(struct series_set *set)
{
    free(set->slots);
    *set = (struct series_set){0};
}
