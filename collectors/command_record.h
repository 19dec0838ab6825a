/*
 * command_record - how pgBackRest's commands ended that `run` supervises, kept in a file for each
 * command of a repository.
 *
 * A command that was killed together with its supervisor, or whose host went down, has begun and
 * not ended, and nobody holds its lock.
 */
#ifndef COLLECTORS_COMMAND_RECORD_H
#define COLLECTORS_COMMAND_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* The status of one that was killed with its supervisor: what a shell says of SIGKILL. */
#define COMMAND_RECORD_KILLED 137

/* Times are s since 1970, 0: not known. exit_status -1: none has ended yet. */
struct command_record {
    double began_at;     /* the newest one */
    bool has_ended;      /* it has; else it runs, or was killed */
    double ended_at;     /* of the last one that came to its end */
    int64_t exit_status; /* of the last one that is over */
};

/* pgBackRest's commands that are recorded, ended by NULL. */
extern const char *const command_record_names[];
bool command_record_is_kept(const char *command);

/* Append the file's name: DIRECTORY/command/STANZA.repoKEY.COMMAND.json. */
void command_record_path(const char *directory, const char *stanza, int64_t repo_key,
                         const char *command, struct strbuf *out);

/* Read the file; one that is not there says that none ever began. The errors of record_read(). */
bool command_record_read(const char *path, struct command_record *ret, struct err *err) MUST_USE;

/* Replace the file, making the folders above it. The errors of replace_file(). */
bool command_record_write(const char *path, const struct command_record *record,
                          struct err *err) MUST_USE;

/*
 * The status of the last one that is over, while the next one runs too; -1: there is none. running:
 * whoever began the newest one still holds its lock.
 */
int64_t command_record_status(const struct command_record *record, bool running);

#endif
