/*
 * drill_server - the restored server: started where it can reach and harm nobody, and looked at.
 *
 * Production's own configuration does not fit and is dangerous here (preload libraries that are
 * missing, a subscription that would take its publisher's changes, WAL that would be archived): it
 * is not read. What recovery needs stays in postgresql.auto.conf and nothing else.
 */
#ifndef EXPORTER_COMMANDS_DRILL_SERVER_H
#define EXPORTER_COMMANDS_DRILL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/drill_guard.h"
#include "exporter/commands/drill_scratch.h"
#include "exporter/sources/companion.h"
#include "exporter/sources/proc.h"

/* Everything it points to must outlive it. */
struct drill_server {
    const struct drill_scratch *scratch;
    const struct drill_guard *guard;
    struct proc_pool *pool;
    const char *programs; /* the folder of postgres, pg_checksums, psql */
    const char *version;  /* major version of these */
    const char *user;     /* the role to look with: a superuser of the cluster */
    const char *until;    /* recovery_target_time; NULL: what the restore has set */
    struct companion process;
};

/* Append the lines of postgresql.auto.conf that recovery needs. Pure. */
void drill_server_recovery_lines(const char *text, size_t length, struct strbuf *out);

/*
 * Write its configuration and start it. It listens on a socket in the scratch folder only, and ends
 * at once when we do. ERR_SYSTEM and others; the process is to be ended by drill_server_stop().
 */
bool drill_server_start(struct drill_server *server, struct err *err) MUST_USE;

/*
 * Wait until recovery has ended and it answers. ERR_EXIT: it ended instead, with what it said last;
 * else what the guard refuses.
 */
bool drill_server_wait(struct drill_server *server, struct err *err) MUST_USE;

/* Append the conninfo for a database of it. */
void drill_server_conninfo(const struct drill_server *server, const char *database,
                           struct strbuf *out);

/* End it: orderly, then at once, then by force. ERR_EXIT: it did not end orderly. */
bool drill_server_stop(struct drill_server *server, struct err *err) MUST_USE;

/*
 * Run one of its programs to its end, its output to the log. ERR_EXIT names the program and what it
 * said last; else what the guard refuses.
 */
bool drill_server_run(const struct drill_server *server, const char *program,
                      const char *const *arguments, struct err *err) MUST_USE;

/* Append why recovery ended before the end of the WAL, in PostgreSQL's words ("before commit of
 * transaction 744, time ..."); nothing: it did not, or there is no such log. */
void drill_server_stop_reason(const char *log, struct strbuf *out);

/* Append the last lines of the log that tell of errors, at most a few; or its last line. */
void drill_server_last_words(const char *log, struct strbuf *out);

#endif
