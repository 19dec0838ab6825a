/*
 * archive_command - tells whether PostgreSQL's archive_command is a plain call of pgbackrest.
 *
 * Pure. Only what can be run again without a shell, and without the WAL segment, is accepted:
 *
 *     PROGRAM [--OPTION[=VALUE]]... archive-push [--OPTION[=VALUE]]... %p
 *
 * with words quoted as in sh(1). PROGRAM's last part is "pgbackrest". Whatever a shell would do
 * more with (variables, patterns, several commands, redirections) is not plain, nor is a wrapper.
 */
#ifndef COLLECTORS_PARSE_ARCHIVE_COMMAND_H
#define COLLECTORS_PARSE_ARCHIVE_COMMAND_H

#include <stdbool.h>

#include "exporter/base/err.h"
#include "exporter/config/lists.h"

/* Start from an all-zero struct; release with archive_command_done(). */
struct archive_command {
    struct text_list words; /* the program, then its arguments; the segment is left out */
};

/*
 * Parse the text of the setting. ERR_CONFIG: it is not plain; the text continues "archive_command"
 * ("is a call of wal-g, not of pgbackrest") and quotes no argument. ERR_MEMORY. *ret must be
 * all-zero; it is left so on failure.
 *
 * On success none of the words can be a WAL segment or another command: besides the program and
 * archive-push there are only options and the values of options that need one.
 */
bool archive_command_parse(const char *text, struct archive_command *ret, struct err *err) MUST_USE;

/* The value of an option ("config") among the words, or NULL. Owned by the command. */
const char *archive_command_option(const struct archive_command *command, const char *option);

/*
 * How many words, from that index on, are an option on logging (log-level-file ...): 1, with its
 * value behind it 2; 0 when another word stands there.
 */
size_t archive_command_logging(const struct archive_command *command, size_t index);

void archive_command_done(struct archive_command *command);

#endif
