/*
 * complete - copies into a repository the WAL that its backups cannot be restored without.
 *
 * For a repository that archive_command does not feed. Each segment comes from pg_wal, else from
 * another repository of the stanza, and is pushed by pgbackrest in an environment that knows only
 * the target. What is there afterwards is known by listing. Every step leaves whole files only, so
 * it can be broken off at any moment and begun again.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_H
#define EXPORTER_COMMANDS_COMPLETE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/settings.h"
#include "exporter/base/clock.h"
#include "exporter/base/err.h"

struct complete_request {
    const struct settings *settings; /* of the command archive-push */
    const struct stanza_repository *repository;
    bool dry_run; /* only say what would be copied */
    struct bound bound;
};

/*
 * Do it, telling on stdout what is done and on stderr what cannot be. *ret_complete: every backup
 * of the present database has its WAL now; with dry_run: would have it. False when the work was
 * broken off: ERR_CONFIG (this is not the PostgreSQL host, or not its repository), ERR_STOPPED, or
 * what pgbackrest said of the target. Blocks inside the bound. Needs SIGCHLD untouched.
 */
bool complete(const struct complete_request *request, bool *ret_complete, struct err *err) MUST_USE;

/* Whether this is the host on which it can be done: ERR_CONFIG says where it can. */
bool complete_is_possible(const struct stanza *stanza, struct err *err) MUST_USE;

/* Of complete-wal, and of run when it completes by itself. */
#define COMPLETE_TIMEOUT    "5m"
#define COMPLETE_TIMEOUT_MS (INT64_C(300) * 1000)

#endif
