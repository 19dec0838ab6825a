/*
 * pg - a connection to PostgreSQL in which no step can outlast its bound.
 *
 * Host names are resolved in a probe child (libpq's own resolution blocks), the connection is made
 * step by step, queries are sent and read without blocking. The connection is kept from one query
 * to the next and made anew after any failure. At a deadline it is dropped, never cancelled:
 * PQcancel() blocks without limit.
 */
#ifndef EXPORTER_SOURCES_PG_H
#define EXPORTER_SOURCES_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "exporter/base/attrs.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/sources/proc.h"

struct pg;      /* one connection; used by one thread at a time */
struct pg_rows; /* the rows of one answer */

/*
 * A connection for a libpq conninfo string (keyword form or URI). Nothing is connected yet.
 * NULL and ERR_CONFIG when libpq cannot parse the string (the text holds no password), ERR_MEMORY.
 * pool is used for the resolving child and must outlive the connection. Environment (PGHOST ...),
 * service and password files count as they do for psql.
 */
struct pg *pg_open(struct proc_pool *pool, const char *conninfo, struct err *err) MUST_USE;

/* Close at once, without a word to the server if it does not listen. Takes NULL. */
void pg_close(struct pg *pg);
void pg_closep(struct pg **pg);

/*
 * Run one read-only statement (connecting first when needed) and gather its rows.
 *
 * On false: ERR_TIMEOUT, ERR_STOPPED, ERR_DNS, ERR_CONNECT (refused, reset, server starting up,
 * shutting down or out of connections), ERR_AUTH (password, pg_hba, unknown role or database),
 * ERR_TLS, ERR_PERMISSION (SQLSTATE 42501, or the socket's), ERR_PROTOCOL (no PostgreSQL answers
 * there), ERR_CONFIG (libpq refuses an option), ERR_QUERY (any other SQL error), ERR_MEMORY, and
 * the resolving child's. The text is one line, names the server and holds no password.
 *
 * The statement runs in a read-only transaction of its own with search_path pg_catalog and a
 * statement_timeout of the bound's rest in whole seconds, rounded up, so that an abandoned one ends
 * on the server too. Nothing is set for the session: poolers may stand between. The application is
 * named "pgbackup_exporter" unless the conninfo names another. A kept connection that the server
 * has closed meanwhile is made anew within the same call.
 *
 * Blocks for at most the bound's rest (1 s more when a name is resolved). Of several addresses each
 * gets its share of it, in libpq's order, until one answers. The caller's statement limits the size
 * of its own answer. *ret is freed by pg_rows_free().
 */
bool pg_query(struct pg *pg, const char *statement, const struct bound *bound, struct pg_rows **ret,
              struct err *err) MUST_USE;

/* PQserverVersion() of the last connection (170002 for 17.2), 0 before the first. */
int pg_server_version(const struct pg *pg);

/*
 * The process that listens on the local socket of the connection kept now (SO_PEERCRED, unix(7)):
 * the postmaster, or a pooler before it. 0 when there is no connection, when it is none by a local
 * socket, and when that process is in a PID namespace that cannot be seen from here.
 */
pid_t pg_server_process(const struct pg *pg);

/* Whether the failure of a query tells of the server, not of us: then it is down, refuses or hangs.
 */
bool pg_failure_is_outage(enum err_code code);

void pg_rows_free(struct pg_rows *rows);
void pg_rows_freep(struct pg_rows **rows);

int pg_rows_count(const struct pg_rows *rows);
bool pg_rows_null(const struct pg_rows *rows, int row, int column);

/* The text form of a value; "" for NULL. Owned by rows. */
const char *pg_rows_text(const struct pg_rows *rows, int row, int column);

/* A number; NaN for NULL or what is no number. */
double pg_rows_double(const struct pg_rows *rows, int row, int column);

/* A boolean of PostgreSQL ("t" / "f"); false for NULL. */
bool pg_rows_bool(const struct pg_rows *rows, int row, int column);

#endif
