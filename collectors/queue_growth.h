/*
 * queue_growth - at what pace the queue has grown lately. Pure.
 */
#ifndef COLLECTORS_QUEUE_GROWTH_H
#define COLLECTORS_QUEUE_GROWTH_H

#include <stdint.h>

#define QUEUE_GROWTH_WINDOW_S 900.0 /* the pace is that of the last 15 to 30 minutes */

struct queue_point {
    double at; /* s since 1970; 0: there is none */
    uint64_t bytes;
};

/* Start from an all-zero struct. It owns nothing. */
struct queue_growth {
    struct queue_point since, next, last;
};

/* How long the queue was at a time. One that became shorter or a clock set back begins anew. */
void queue_growth_add(struct queue_growth *growth, double at, uint64_t bytes);

/* Bytes a second; 0: it does not grow, or nobody knows yet. */
double queue_growth_pace(const struct queue_growth *growth);

#endif
