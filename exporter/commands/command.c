#include "exporter/commands/command.h"

#include <string.h>

const struct command *const command_list[] = {&command_serve,  &command_once, &command_check_config,
                                              &command_doctor, &command_run,  &command_complete_wal,
                                              &command_drill,  NULL};

const struct command *command_find(const char *name)
{
    for (const struct command *const *command = command_list; *command; command++) {
        if (strcmp((*command)->name, name) == 0)
            return *command;
    }
    return NULL;
}

/* The index of a word from `from` on; argc when it is not there. */
static int find_word(int argc, char *const argv[], int from, const char *word)
{
    while (from < argc && strcmp(argv[from], word) != 0)
        from++;
    return from;
}

int command_failure_status(int argc, char *const argv[])
{
    int run = find_word(argc, argv, 1, command_run.name);
    return find_word(argc, argv, run, "archive-get") < argc ? EXIT_CANNOT_RUN : EXIT_USAGE;
}
