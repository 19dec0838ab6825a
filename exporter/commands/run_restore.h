/*
 * run_restore - what `run` adds to a restore: the restore_command of the restored server.
 *
 * pgBackRest writes one that repeats how it was called: without the credentials that were in the
 * environment, and with none of the options. All other options of a restore, delta among them, are
 * the affair of pgbackrest.conf and of who asks for it.
 */
#ifndef EXPORTER_COMMANDS_RUN_RESTORE_H
#define EXPORTER_COMMANDS_RUN_RESTORE_H

#include <stdbool.h>

#include "collectors/settings.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/run_line.h"

/*
 * Whether the line restores, recovers from the archive (--type=none and preserve do not), and
 * neither it nor the configuration has a restore_command of its own.
 */
bool run_restore_wants_command(const struct run_line *line, const struct stanza *stanza);

/*
 * Append pgBackRest's options that give it: nothing unless it is wanted. An option on the command
 * line hides those of the configuration: they are repeated then. ERR_SYSTEM when this program
 * cannot be found, ERR_MEMORY.
 */
bool run_restore_add_options(const struct run_line *line, const struct stanza *stanza,
                             struct text_list *ret, struct err *err) MUST_USE;

/* Append, as shell text, the options of archive-get for a server that is restored elsewhere. */
void run_restore_add_place(const struct run_line *line, const struct stanza *stanza,
                           struct strbuf *out);

/*
 * What PostgreSQL is to be told, whose restore_command this is, when archive-get has ended so. Any
 * status up to 125 says that there is no such file: recovery ends there, and all behind it is lost,
 * though the repository was only out of reach. So what is neither 0 (it is there) nor 1 (it is not)
 * becomes EXIT_CANNOT_RUN, on which the server stops, to be started again. A standby keeps the
 * status: it asks again by itself. pgBackRest's own word for a SIGTERM becomes the shell's, which
 * PostgreSQL knows. Sources: wait_result_is_any_signal() of PostgreSQL, pgBackRest's error codes.
 */
int run_restore_wal_status(int status, bool is_standby);

#endif
