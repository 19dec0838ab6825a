/*
 * drill_check - whether the restored server holds what it should.
 */
#ifndef EXPORTER_COMMANDS_DRILL_CHECK_H
#define EXPORTER_COMMANDS_DRILL_CHECK_H

#include <stdbool.h>

#include "exporter/base/err.h"
#include "exporter/commands/drill_restore.h"
#include "exporter/commands/drill_server.h"

/* What recovery was to reach. Nothing is owned. */
struct drill_goal {
    const struct drill_backup *backup;
    bool all_wal;    /* all that the repository lists */
    bool one_moment; /* recovery had to stop by itself */
};

/* What was found beside failures. */
struct drill_findings {
    struct strbuf stopped; /* one_moment: before or after what, in PostgreSQL's words */
    double recovered_at;   /* the last commit that was replayed, or the backup's end */
    bool has_checksums;
    int databases;
    int collation_mismatches; /* databases whose collation has another version here: indexes on
                                 text may have to be built anew after a real restore on this host */
};

/*
 * Look into the running server: recovery has passed the backup's end and reached its goal, and
 * every table of the catalogue of every database that takes connections can be read whole.
 * ERR_PROTOCOL: recovery ended elsewhere; ERR_QUERY and others name the database. *ret is released
 * by drill_findings_done().
 */
bool drill_check_databases(const struct drill_server *server, const struct drill_goal *goal,
                           struct drill_findings *ret, struct err *err) MUST_USE;
void drill_findings_done(struct drill_findings *findings);

/* Verify every page of the stopped server's files. */
bool drill_check_pages(const struct drill_server *server, struct err *err) MUST_USE;

#endif
