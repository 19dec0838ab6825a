/*
 * command - what the program can be asked to do: one row each, dispatched by main.
 */
#ifndef EXPORTER_COMMANDS_COMMAND_H
#define EXPORTER_COMMANDS_COMMAND_H

#include "collectors/settings.h"

/* Exit statuses of all commands. */
enum { EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2 };

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
extern const struct command command_run;

/* Ended by NULL; the first is run when none is named. */
extern const struct command *const command_list[];

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

#endif
