/*
 * queue_server - what PostgreSQL says of the WAL that waits, and of who archives it.
 */
#ifndef COLLECTORS_QUEUE_SERVER_H
#define COLLECTORS_QUEUE_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "collectors/queue.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/sources/pg.h"

/* Start from an all-zero struct; release with queue_server_done(). */
struct queue_server {
    struct queue_observation seen;
    struct err hidden;           /* why the role may not look; ERR_NONE when it may */
    struct pg_rows *settings;    /* owns the texts below */
    const char *archive_command; /* "": there is none, or a library archives */
    const char *data_directory;  /* NULL: the role may not know it */
    bool is_here;                /* by its addresses it runs on this host */
    pid_t backend;               /* the process that serves us */
};

/* ERR_QUERY and pg_query()'s; *ret is written on success. Blocks for at most the bound. */
bool queue_server_ask(struct pg *pg, const struct bound *bound, struct queue_server *ret,
                      struct err *err) MUST_USE;

void queue_server_done(struct queue_server *server);

#endif
