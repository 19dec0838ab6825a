#include "collectors/queue_drops.h"

#include <stdlib.h>
#include <string.h>

/* So that a year of drops does not fill the memory. */
static void forget_the_older_half(struct text_list *list)
{
    size_t half = list->count / 2;
    for (size_t i = 0; i < half; i++)
        free(list->items[i]);
    memmove(list->items, list->items + half, (list->count - half) * sizeof list->items[0]);
    list->count -= half;
    list->items[list->count] = NULL;
}

static void count(struct queue_drops *drops, double now)
{
    if (!drops->has_looked)
        return;
    drops->count++;
    drops->last_at = now;
}

bool queue_drops_add(struct queue_drops *drops, const struct text_list *found, double now,
                     struct err *err)
{
    for (size_t i = 0; i < found->count; i++) {
        if (text_list_has(&drops->known, found->items[i]))
            continue;
        if (drops->known.count >= QUEUE_DROPS_MAX)
            forget_the_older_half(&drops->known);
        if (!text_list_add(&drops->known, found->items[i], err))
            return false;
        count(drops, now);
    }
    drops->has_looked = true;
    return true;
}

void queue_drops_done(struct queue_drops *drops)
{
    text_list_done(&drops->known);
    *drops = (struct queue_drops){0};
}
