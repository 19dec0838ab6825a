#include "exporter/commands/run_backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/commands/complete.h"

/* Whether one of the words is the option, with or without a value. */
static bool says(const struct run_line *line, const char *option)
{
    size_t length = strlen(option);
    for (int i = 1; i < line->argument_count; i++) {
        const char *word = line->arguments[i];
        if (strncmp(word, option, length) == 0 && (word[length] == '\0' || word[length] == '='))
            return true;
    }
    return false;
}

const struct stanza_repository *run_backup_target(const struct run_line *line,
                                                  const struct stanza *stanza)
{
    struct err err;
    bool is_backup = line->argument_count > 0 && strcmp(line->arguments[0], "backup") == 0;
    const struct stanza_repository *repository =
        is_backup ? run_line_first_repository(line, stanza) : NULL;
    if (!repository || repository_has_continuous_wal(repository) || says(line, "--archive-check") ||
        !complete_is_possible(stanza, &err))
        return NULL;
    return repository;
}

bool run_backup_prepare(struct repository_env *env, struct err *err)
{
    return repository_env_set(env, "archive-check", "n", err);
}

/* pgBackRest refuses --no-archive-check beside --no-online, which implies it. */
void run_backup_print_option(const struct run_line *line, struct strbuf *out)
{
    if (!says(line, "--no-archive-check") && !says(line, "--no-online"))
        strbuf_puts(out, " --no-archive-check");
}

void run_backup_print_completing(const struct stanza_repository *repository, struct strbuf *out)
{
    const struct stanza *stanza = repository->stanza;
    strbuf_puts(out, "pgbackup_exporter");
    if (stanza->config_file) {
        strbuf_puts(out, " --config.file=");
        strbuf_shell_word(out, stanza->config_file);
    }
    strbuf_puts(out, " complete-wal --stanza=");
    strbuf_shell_word(out, stanza->name);
    strbuf_printf(out, " --repo=%" PRId64 "\n", repository->key);
}

static bool complete_again(struct settings *settings, const struct run_line *line, int signals,
                           bool *ret_complete, struct err *err)
{
    const struct stanza *stanza = NULL;
    if (!settings_use_command(settings, "archive-push", err) ||
        !run_line_stanza(line, settings, &stanza, err) ||
        !run_line_check_repository(line, stanza, err))
        return false;
    const struct complete_request request = {
        .settings = settings,
        .repository = run_line_first_repository(line, stanza),
        .bound = bound_after(COMPLETE_TIMEOUT_MS, signals),
    };
    return complete(&request, ret_complete, err);
}

bool run_backup_complete(struct settings *settings, const struct stanza_repository *repository,
                         int signals)
{
    struct err err = {0};
    bool is_complete = false;
    struct strbuf stanza CLEANUP(strbuf_done) = {0};
    strbuf_puts(&stanza, repository->stanza->name);
    int64_t key = repository->key;
    const struct run_line line = {.stanza = strbuf_text(&stanza), .repo_key = key};
    if (!complete_again(settings, &line, signals, &is_complete, &err))
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    if (!is_complete)
        fprintf(stderr,
                "pgbackup_exporter: the backup was made, but repository %" PRId64
                " lacks WAL that it needs: run complete-wal --repo %" PRId64 "\n",
                key, key);
    return is_complete;
}
