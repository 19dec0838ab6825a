/*
 * restore_command - PostgreSQL's, that gets WAL by way of this program: so the server needs no
 * credentials in its environment, and no option of a repository in its configuration.
 */
#ifndef EXPORTER_COMMANDS_RESTORE_COMMAND_H
#define EXPORTER_COMMANDS_RESTORE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* Everything it points to must outlive the calls. */
struct restore_command {
    const char *program;     /* this one, an absolute path */
    const char *config_file; /* of it; NULL: the default one */
    const char *stanza;
    int64_t repo_key;    /* 0: all of the stanza */
    const char *options; /* shell text behind archive-get: " --pg1-path=/restored"; NULL: none */
};

/* Append what stands behind "restore_command=" in pgBackRest's recovery-option. */
void restore_command_add(const struct restore_command *command, struct strbuf *out);

/*
 * Append a part of a shell's line as part of such a value. pgBackRest writes it between quotes of
 * PostgreSQL's configuration as it is, and PostgreSQL replaces what follows a %.
 */
void restore_command_add_part(const char *part, struct strbuf *out);

/* The path of this program. ERR_SYSTEM when it cannot be run from there again. */
bool restore_command_find_self(struct strbuf *ret, struct err *err) MUST_USE;

#endif
