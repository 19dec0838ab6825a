#include "exporter/commands/run_print.h"

#include <inttypes.h>
#include <string.h>

#include "collectors/repository.h"
#include "exporter/commands/restore_command.h"
#include "exporter/commands/run_backup.h"
#include "exporter/commands/run_restore.h"

static void add_variable(struct strbuf *out, const struct stanza_repository *repository,
                         const char *option)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, "repo%" PRId64 "-%s", repository->key, option);
    repository_variable_name(out, strbuf_text(&name));
    strbuf_putc(out, '=');
}

static void add_options(struct strbuf *out, const struct stanza_repository *repository,
                        bool *ret_incomplete)
{
    const struct pair_list *options = &repository->settings->options;
    for (size_t i = 0; i < options->count; i++) {
        const struct text_pair *option = &options->items[i];
        add_variable(out, repository, option->name);
        if (repository_option_is_secret(option->name)) {
            strbuf_printf(out, "'<%s>' ", option->name);
            *ret_incomplete = true;
            continue;
        }
        strbuf_shell_word(out, option->value);
        strbuf_putc(out, ' ');
    }
}

/* systemd's folder is known where its variable is. */
static void add_file(struct strbuf *out, const char *file)
{
    size_t variable = *file == '$' ? strcspn(file, "/") : 0;
    strbuf_puts(out, ". ");
    if (variable > 0)
        strbuf_printf(out, "\"%.*s\"", (int)variable, file);
    strbuf_shell_word(out, file + variable);
    strbuf_puts(out, "; ");
}

/* Two files may use the same names: what one says is taken before the next is read. */
static void add_credentials(struct strbuf *out, const struct stanza_repository *repository)
{
    const struct pair_list *map = &repository->settings->credentials_map;
    add_file(out, repository->settings->credentials_file);
    for (size_t i = 0; i < map->count; i++) {
        strbuf_puts(out, "export ");
        add_variable(out, repository, map->items[i].name);
        strbuf_printf(out, "\"$%s\"; ", map->items[i].value);
    }
}

static void add_command(const struct run_line *line, const struct settings *settings,
                        const struct stanza *stanza, struct strbuf *out)
{
    strbuf_shell_word(out, settings->pgbackrest.command);
    if (line->takes_stanza) {
        repository_add_stanza(stanza, out);
    }
    if (line->takes_repo && line->repo_key > 0)
        strbuf_printf(out, " --repo=%" PRId64, line->repo_key);
    for (int i = 0; i < line->argument_count; i++) {
        strbuf_putc(out, ' ');
        strbuf_shell_word(out, line->arguments[i]);
    }
    if (run_backup_target(line, stanza))
        run_backup_print_option(line, out);
}

static bool is_ours(const struct run_line *line, const struct stanza_repository *repository)
{
    return run_line_wants(line, repository) && repository->settings;
}

/* All but what stands behind the command. Whether " )" must follow that. */
static bool begin_line(const struct run_line *line, const struct settings *settings,
                       const struct stanza *stanza, struct strbuf *out, bool *ret_incomplete)
{
    struct strbuf credentials CLEANUP(strbuf_done) = {0};
    struct strbuf variables CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (!is_ours(line, repository))
            continue;
        add_options(&variables, repository, ret_incomplete);
        if (repository->settings->credentials_file)
            add_credentials(&credentials, repository);
    }
    strbuf_printf(out, "%s%s%s", credentials.length > 0 ? "( " : "", strbuf_text(&credentials),
                  strbuf_text(&variables));
    add_command(line, settings, stanza, out);
    return credentials.length > 0;
}

/* Whether pgbackrest.conf alone does not say all of the repositories: then the restored server must
 * be told how to get WAL. */
static bool is_more_than_conf(const struct run_line *line, const struct stanza *stanza)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (is_ours(line, repository) &&
            (repository->settings->options.count > 0 || repository->settings->credentials_file))
            return true;
    }
    return false;
}

/* Its line for archive-get, once more inside the restore's own. */
static void add_restore_command(const struct run_line *line, const struct settings *settings,
                                const struct stanza *stanza, struct strbuf *out,
                                bool *ret_incomplete)
{
    static char archive_get[] = "archive-get";
    char *const words[] = {archive_get};
    struct strbuf get CLEANUP(strbuf_done) = {0};
    struct strbuf value CLEANUP(strbuf_done) = {0};
    const struct run_line get_line = {.repo_key = line->repo_key,
                                      .arguments = words,
                                      .argument_count = COUNT_OF(words),
                                      .takes_stanza = true,
                                      .takes_repo = true};
    bool closes = begin_line(&get_line, settings, stanza, &get, ret_incomplete);
    run_restore_add_place(line, stanza, &get);
    strbuf_puts(&value, "--recovery-option=restore_command=");
    restore_command_add_part(strbuf_text(&get), &value);
    strbuf_printf(&value, " %%f \"%%p\"%s", closes ? " )" : "");
    strbuf_putc(out, ' ');
    strbuf_shell_word(out, strbuf_text(&value));
    out->failed = out->failed || get.failed || value.failed;
}

void run_print(const struct run_line *line, const struct settings *settings,
               const struct stanza *stanza, struct strbuf *out, bool *ret_incomplete)
{
    const struct stanza_repository *incomplete = run_backup_target(line, stanza);
    *ret_incomplete = false;
    bool closes = begin_line(line, settings, stanza, out, ret_incomplete);
    if (run_restore_wants_command(line, stanza) && is_more_than_conf(line, stanza))
        add_restore_command(line, settings, stanza, out, ret_incomplete);
    strbuf_puts(out, closes ? " )" : "");
    strbuf_puts(out, incomplete ? " &&\n" : "\n");
    if (incomplete)
        run_backup_print_completing(incomplete, out);
}
