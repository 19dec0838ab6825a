#include "collectors/queue_growth.h"

#include <stdbool.h>

void queue_growth_add(struct queue_growth *growth, double at, uint64_t bytes)
{
    const struct queue_point now = {at, bytes};
    bool is_first = growth->last.at <= 0 || bytes < growth->last.bytes || at < growth->last.at;
    if (is_first)
        *growth = (struct queue_growth){now, now, now};
    growth->last = now;
    if (at - growth->next.at < QUEUE_GROWTH_WINDOW_S)
        return;
    growth->since = growth->next;
    growth->next = now;
}

double queue_growth_pace(const struct queue_growth *growth)
{
    double seconds = growth->last.at - growth->since.at;
    double bytes = (double)growth->last.bytes - (double)growth->since.bytes;
    return seconds > 0 && bytes > 0 ? bytes / seconds : 0;
}
