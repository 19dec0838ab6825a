/*
 * pg_connect - makes connections to PostgreSQL, and waits on them, inside a bound.
 */
#ifndef EXPORTER_SOURCES_PG_CONNECT_H
#define EXPORTER_SOURCES_PG_CONNECT_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/sources/proc.h"

/* Something to be done with a connection, and how long it may take. */
struct pg_step {
    const struct bound *bound;
    int limit_ms; /* the bound's rest when it began */
};

struct pg_step pg_step_begin(const struct bound *bound);

/*
 * Wait until the connection's socket is ready for `events` of poll(); one in error counts as ready.
 * ERR_TIMEOUT names the server and the limit; ERR_STOPPED, ERR_SYSTEM.
 */
bool pg_wait(const PGconn *connection, short events, const struct pg_step *step,
             struct err *err) MUST_USE;

/*
 * Connect to the first address of the conninfo that answers. *ret is non-blocking and silent (no
 * notices on stderr); the caller ends it with PQfinish(), which does not block then. Errors and
 * time as for pg_query(), see pg.h.
 */
bool pg_connect(struct proc_pool *pool, const char *conninfo, const struct bound *bound,
                PGconn **ret, struct err *err) MUST_USE;

/* The value of an option in a list of libpq, or NULL. Owned by the list. */
const char *pg_option_value(const PQconninfoOption *options, const char *keyword);

/* For CLEANUP. */
void pg_options_done(PQconninfoOption **options);

#endif
