/*
 * run_backup - a backup into a repository that archive_command does not feed.
 *
 * pgBackRest would wait there for WAL that never comes, and fail; without the wait the backup is
 * made and cannot be restored. So it is made without, and the WAL is copied at once.
 */
#ifndef EXPORTER_COMMANDS_RUN_BACKUP_H
#define EXPORTER_COMMANDS_RUN_BACKUP_H

#include <stdbool.h>

#include "collectors/repository.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/run_line.h"

/*
 * The repository whose WAL must be completed after this command: that of a backup, which goes to
 * one only (the one asked for, else the stanza's first), when archive_command does not feed it and
 * PostgreSQL runs here. NULL: none.
 */
const struct stanza_repository *run_backup_target(const struct run_line *line,
                                                  const struct stanza *stanza);

/* Let pgbackrest not wait for WAL there; --archive-check on its command line still counts. */
bool run_backup_prepare(struct repository_env *env, struct err *err) MUST_USE;

/*
 * For a shell: append the option that does the same, unless the line says already what it wants,
 * and the line that completes.
 */
void run_backup_print_option(const struct run_line *line, struct strbuf *out);
void run_backup_print_completing(const struct stanza_repository *repository, struct strbuf *out);

/*
 * Complete the repository now. The settings are made anew for it: no stanza of theirs is valid
 * behind. Tells on stderr what went wrong; true when all its backups have their WAL. signals: of
 * signals_take().
 */
bool run_backup_complete(struct settings *settings, const struct stanza_repository *repository,
                         int signals) MUST_USE;

#endif
