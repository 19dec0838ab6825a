/*
 * run_print - what `run` would do, as a shell line that works without this program.
 */
#ifndef EXPORTER_COMMANDS_RUN_PRINT_H
#define EXPORTER_COMMANDS_RUN_PRINT_H

#include <stdbool.h>

#include "collectors/settings.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/run_line.h"

/*
 * Append the line, for the user who owns the repositories. pgbackrest.conf is read as ever; what
 * only the exporter's configuration says comes as variables before the command, credentials by the
 * names they have in their file. No secret is shown: one that is written in the exporter's own
 * configuration becomes a placeholder, and *ret_incomplete says that there is one.
 * A restore of what only the exporter's configuration says gets a restore_command of the same kind.
 * A second line completes the WAL of a backup where `run` would do that: it needs this program.
 */
void run_print(const struct run_line *line, const struct settings *settings,
               const struct stanza *stanza, struct strbuf *out, bool *ret_incomplete);

#endif
