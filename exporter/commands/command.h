/*
 * command - what the program can be asked to do: one row each, dispatched by main.
 */
#ifndef EXPORTER_COMMANDS_COMMAND_H
#define EXPORTER_COMMANDS_COMMAND_H

#include "collectors/settings.h"

/* Exit statuses of all commands. CANNOT_RUN: see command_failure_status(). */
enum { EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_CANNOT_RUN = 126 };

/* The program's own command line, kept for a reload. */
struct command_line {
    int argc;
    char *const *argv;
};

struct command {
    const char *name;
    const char *arguments; /* for --help; "" for none */
    const char *help;      /* one sentence */
    /* Run it. Takes the settings over. argv[0] is the command's name. Returns the exit status. */
    int (*run)(const struct command_line *line, struct settings *settings, int argc,
               char *const argv[]);
};

extern const struct command command_serve;
extern const struct command command_check_config;
extern const struct command command_doctor;
extern const struct command command_once;
extern const struct command command_run;
extern const struct command command_drill;
extern const struct command command_complete_wal;

/* Ended by NULL; the first is run when none is named. */
extern const struct command *const command_list[];

/*
 * The exit status when nothing came of this command line, argv[0] being the program: EXIT_USAGE;
 * for `run -- archive-get`, a restore_command, EXIT_CANNOT_RUN. PostgreSQL takes any status up to
 * 125 for the end of the archive: it would end recovery there, promote, and lose all WAL behind
 * (its wait_result_is_any_signal()). From 126 on it stops, to be started again when that is mended.
 */
int command_failure_status(int argc, char *const argv[]);

/*
 * Whether no more than the help of a command is asked for, argv[0] being its name: a text, for
 * which nobody need become the repositories' owner, who may not be there where a package is made.
 */
bool command_help_is_wanted(int argc, char *const argv[]);

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

#endif
