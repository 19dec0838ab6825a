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

bool command_help_is_wanted(int argc, char *const argv[])
{
    if (argc != 2 || (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0))
        return false;
    const struct command *command = command_find(argv[0]);
    return command && *command->arguments; /* the others have none of their own */
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
