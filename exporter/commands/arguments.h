/*
 * arguments - the options of one command, behind its name, from a table like all others.
 */
#ifndef EXPORTER_COMMANDS_ARGUMENTS_H
#define EXPORTER_COMMANDS_ARGUMENTS_H

#include <stdbool.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/command.h"
#include "exporter/config/option.h"

/*
 * Fill the struct at base, which is all-zero, from argv[1..); argv[0] is the command's name. Rows
 * have OPTION_IN_FLAG as their only source. With ret_rest the index of the first argument that is
 * no option goes there; without it such an argument is an error. ERR_CONFIG tells all that is wrong
 * at once. The fields are the caller's to free with option_free(), also when it fails.
 */
bool arguments_read(const struct option_table *table, void *base, int argc, char *const argv[],
                    int *ret_rest, struct err *err) MUST_USE;

/* Append the command's own --help: how it is called, `about` (lines of text), its options. */
void arguments_help(const struct command *command, const char *about,
                    const struct option_table *table, struct strbuf *out);

/* The row that every command's table begins with: a bool. */
#define ARGUMENTS_HELP(struct_type, member)                                                        \
    {                                                                                              \
        .key = "help", .help = "Show this and exit.", .type = OPTION_BOOL, .letter = 'h',          \
        .sources = OPTION_IN_FLAG, .offset = offsetof(struct_type, member),                        \
    }

#endif
