/*
 * queue_options - what archive-push goes by: the limit of its queue, its spool and its log.
 *
 * As pgBackRest reads its options: archive_command's own first, then the server's environment, then
 * pgbackrest.conf with its sections of archive-push. Pure.
 */
#ifndef COLLECTORS_QUEUE_OPTIONS_H
#define COLLECTORS_QUEUE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/parse/archive_command.h"
#include "collectors/server_environment.h"
#include "collectors/settings.h"

struct queue_sources {
    const struct settings *settings;
    const struct stanza *stanza;
    const struct archive_command *command;        /* NULL: it is no plain call, or not known */
    const struct server_environment *environment; /* NULL: not known */
};

/* Start from an all-zero struct; release with queue_options_done(). */
struct queue_options {
    char *other_config; /* what archive-push reads in place of our pgbackrest.conf, or NULL; then
                           only what it is given beside that file is known */
    uint64_t queue_max; /* bytes; 0: no limit, or not known */
    char *spool;        /* the folder of results; NULL without archive-async */
    char *log;          /* of the asynchronous push; NULL when it drops nothing */
};

/* ERR_MEMORY only; *ret is written on success. */
bool queue_options_read(const struct queue_sources *sources, struct queue_options *ret,
                        struct err *err) MUST_USE;

void queue_options_done(struct queue_options *options);

#endif
