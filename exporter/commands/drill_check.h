/*
 * drill_check - whether the restored server holds what it should.
 */
#ifndef EXPORTER_COMMANDS_DRILL_CHECK_H
#define EXPORTER_COMMANDS_DRILL_CHECK_H

#include <stdbool.h>

#include "exporter/base/err.h"
#include "exporter/commands/drill_restore.h"
#include "exporter/commands/drill_server.h"

/* What was found beside failures. */
struct drill_findings {
    double recovered_at; /* the last commit that was replayed, or the backup's end */
    bool has_checksums;
    int databases;
    int collation_mismatches; /* databases whose collation has another version here: indexes on
                                 text may have to be built anew after a real restore on this host */
};

/*
 * Look into the running server: recovery has passed the backup's end, and every table of the
 * catalogue of every database that takes connections can be read whole. ERR_QUERY and others name
 * the database.
 */
bool drill_check_databases(const struct drill_server *server, const struct drill_backup *backup,
                           struct drill_findings *ret, struct err *err) MUST_USE;

/* Verify every page of the stopped server's files. */
bool drill_check_pages(const struct drill_server *server, struct err *err) MUST_USE;

#endif
