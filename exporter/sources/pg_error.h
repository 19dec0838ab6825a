/*
 * pg_error - turns what libpq and the server say of a failure into a code and one line.
 *
 * All return false. The codes are those of pg_query(), see pg.h.
 */
#ifndef EXPORTER_SOURCES_PG_ERROR_H
#define EXPORTER_SOURCES_PG_ERROR_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "exporter/base/err.h"

/* The code with a text of any number of lines. */
bool pg_fail_with(struct err *err, enum err_code code, const char *text);

/*
 * A connection that could not be made. The SQLSTATE is read from the message's verbose form
 * (PQERRORS_VERBOSE), whose place it has in every language: libpq has no call for it here.
 */
bool pg_fail_of_connection(const PGconn *connection, struct err *err);

/* A statement that failed, and a connection that broke while one was under way. */
bool pg_fail_of_result(const PGconn *connection, const PGresult *result, struct err *err);
bool pg_fail_of_lost(const PGconn *connection, struct err *err);

#endif
