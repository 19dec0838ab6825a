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

#endif
