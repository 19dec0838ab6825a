/*
 * fuzz_archive_command - whatever is taken for a plain call leaves nothing that could be a segment.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/archive_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Options that take the next word as their value. */
static bool takes_next(const char *word)
{
    static const char *const options[] = {"stanza",           "config",
                                          "config-path",      "config-include-path",
                                          "log-level-file",   "log-level-console",
                                          "log-level-stderr", "log-path",
                                          "spool-path",       "lock-path",
                                          "pg1-path"};
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(word + 2, options[i]) == 0)
            return true;
    }
    return false;
}

static void check_words(const struct text_list *words)
{
    size_t commands = 0;
    for (size_t i = 1; i < words->count; i++) {
        if (strcmp(words->items[i], "archive-push") == 0) {
            commands++;
            continue;
        }
        require(strncmp(words->items[i], "--", 2) == 0 && words->items[i][2] != '\0');
        i += takes_next(words->items[i]);
    }
    require(commands == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct err err = {0};
    char *text = strndup((const char *)data, size);
    require(text != NULL);
    bool plain = archive_command_parse(text, &command, &err);
    require(plain || (err.code == ERR_CONFIG && command.words.count == 0));
    if (plain) {
        require(strstr(text, "%p") != NULL && strstr(command.words.items[0], "pgbackrest") != NULL);
        check_words(&command.words);
    }
    free(text);
    return 0;
}
