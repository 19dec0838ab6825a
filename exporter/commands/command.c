#include "exporter/commands/command.h"

#include <string.h>

const struct command *const command_list[] = {&command_serve, &command_check_config, &command_run,
                                              NULL};

const struct command *command_find(const char *name)
{
    for (const struct command *const *command = command_list; *command; command++) {
        if (strcmp((*command)->name, name) == 0)
            return *command;
    }
    return NULL;
}
