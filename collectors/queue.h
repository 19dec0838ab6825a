/*
 * queue - what other collectors may know of the WAL that waits to be archived.
 */
#ifndef COLLECTORS_QUEUE_H
#define COLLECTORS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* Target: the stanza's name. Made only when PostgreSQL answered. Times are s since 1970. */
struct queue_observation {
    bool runs;        /* PostgreSQL archives here: archive_mode is on, on a standby always */
    bool may_look;    /* false: the role may not look into the queue, and what follows is 0 */
    uint64_t files;   /* .ready files: segments, histories, backup labels */
    uint64_t bytes;   /* of the segments among them */
    double oldest_at; /* when the oldest was put there; 0: the queue is empty */
    char first[25];   /* the segment that is next on production's way; "": none waits */
    double first_at;  /* since when it waits */
};

void queue_observation_free(void *observation); /* takes NULL */

#endif
