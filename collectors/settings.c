#include "collectors/settings.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/registry.h"
#include "collectors/settings_options.h"
#include "exporter/base/strbuf.h"
#include "exporter/config/file.h"
#include "exporter/config/flags.h"
#include "exporter/config/manual.h"
#include "exporter/config/yaml.h"

/* What one load works with. */
struct load {
    struct settings *settings;
    struct flags flags;
    char *file_name; /* settings->config_file is set anew while problems still name the file */
    struct yaml_file file;
    struct problem_list problems;
};

static void load_done(struct load *load)
{
    settings_free(load->settings);
    flags_done(&load->flags);
    yaml_file_done(&load->file);
    free(load->file_name);
    problem_list_done(&load->problems);
}

static struct settings *settings_new(void)
{
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return NULL;
    settings->collectors = calloc(collector_count() + 1, sizeof *settings->collectors);
    if (!settings->collectors) {
        free(settings);
        return NULL;
    }
    settings->collector_count = collector_count();
    for (size_t i = 0; i < settings->collector_count; i++)
        settings->collectors[i].name = collector_registry[i]->name;
    return settings;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    discover_stanzas_free(settings); /* first: they point into the rest */
    option_free(&settings_table, settings);
    pgbackrest_conf_done(&settings->conf);
    text_list_done(&settings->files);
    free(settings->collectors);
    free(settings);
}

/* Checks that no table can express. */

/* A pgBackRest option as it is written in a file: lower case, digits and dashes. */
static bool is_option_name(const char *name)
{
    return *name >= 'a' && *name <= 'z' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static void check_option_names(const struct load *load, size_t index, const char *section,
                               const struct pair_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        const char *name = list->items[i].name;
        strbuf_printf(&path, "repositories[%zu].%s.%s", index, section, name);
        if (!is_option_name(name))
            yaml_problem(&load->file, strbuf_text(&path),
                         "is no pgBackRest option (lower-case letters, digits and dashes)");
        else if (strncmp(name, "repo", 4) == 0)
            yaml_problem(&load->file, strbuf_text(&path),
                         "write the option without repoN-, like s3-bucket");
    }
}

static void check_credentials(const struct load *load, size_t index)
{
    const struct repository_settings *repository = &load->settings->repositories[index];
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "repositories[%zu].credentials", index);
    if (repository->credentials_file && repository->credentials_map.count == 0)
        yaml_problem(&load->file, strbuf_text(&path),
                     "a file needs a map too, like {s3-key: AWS_ACCESS_KEY_ID}");
    if (!repository->credentials_file && repository->credentials_map.count > 0)
        yaml_problem(&load->file, strbuf_text(&path), "a map needs a file too");
    check_option_names(load, index, "credentials.map", &repository->credentials_map);
}

static void check_unique_repository(const struct load *load, size_t index)
{
    const struct repository_settings *all = load->settings->repositories;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "repositories[%zu]", index);
    size_t length = path.length;
    for (size_t other = 0; other < index; other++) {
        strbuf_truncate(&path, length);
        strbuf_puts(&path, ".key");
        if (all[other].key == all[index].key && all[index].key != 0)
            yaml_problem(&load->file, strbuf_text(&path),
                         "%d is already the key of repositories[%zu]", (int)all[index].key, other);
        strbuf_truncate(&path, length);
        strbuf_puts(&path, ".name");
        if (all[other].name && all[index].name && strcmp(all[other].name, all[index].name) == 0)
            yaml_problem(&load->file, strbuf_text(&path),
                         "\"%s\" is already the name of repositories[%zu]", all[index].name, other);
    }
}

static void check_unique_postgres(const struct load *load, size_t index)
{
    const struct postgres_settings *all = load->settings->postgres;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "postgres[%zu].stanza", index);
    for (size_t other = 0; other < index; other++) {
        if (all[index].stanza && all[other].stanza &&
            strcmp(all[other].stanza, all[index].stanza) == 0)
            yaml_problem(&load->file, strbuf_text(&path),
                         "\"%s\" is already the stanza of postgres[%zu]", all[index].stanza, other);
    }
}

static void check_unique_stanza(const struct load *load, size_t index)
{
    const struct text_list *stanzas = &load->settings->pgbackrest.stanzas;
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "pgbackrest.stanzas[%zu]", index);
    for (size_t other = 0; other < index; other++) {
        if (strcmp(stanzas->items[other], stanzas->items[index]) == 0)
            yaml_problem(&load->file, strbuf_text(&path), "\"%s\" is listed twice",
                         stanzas->items[index]);
    }
}

static void check_file(const struct load *load)
{
    const struct settings *settings = load->settings;
    for (size_t i = 0; i < settings->repository_count; i++) {
        check_unique_repository(load, i);
        check_option_names(load, i, "options", &settings->repositories[i].options);
        check_credentials(load, i);
    }
    for (size_t i = 0; i < settings->postgres_count; i++)
        check_unique_postgres(load, i);
    for (size_t i = 0; i < settings->pgbackrest.stanzas.count; i++)
        check_unique_stanza(load, i);
}

const struct stanza *settings_stanza(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->stanza_count; i++) {
        if (strcmp(settings->stanzas[i].name, name) == 0)
            return &settings->stanzas[i];
    }
    return NULL;
}

/* A misspelt stanza would leave its cluster unwatched without a word. */
static void check_postgres_stanzas(const struct load *load)
{
    const struct settings *settings = load->settings;
    for (size_t i = 0; settings->stanza_count > 0 && i < settings->postgres_count; i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        struct strbuf known CLEANUP(strbuf_done) = {0};
        for (size_t j = 0; j < settings->stanza_count; j++)
            strbuf_printf(&known, "%s%s", j ? ", " : "", settings->stanzas[j].name);
        strbuf_printf(&path, "postgres[%zu].stanza", i);
        if (!settings_stanza(settings, settings->postgres[i].stanza))
            yaml_problem(&load->file, strbuf_text(&path),
                         "\"%s\" is not one of the stanzas here: %s", settings->postgres[i].stanza,
                         strbuf_text(&known));
    }
}

/* Loading. */

static bool name_repositories(struct settings *settings, struct err *err)
{
    for (size_t i = 0; i < settings->repository_count; i++) {
        struct repository_settings *repository = &settings->repositories[i];
        struct strbuf name CLEANUP(strbuf_done) = {0};
        if (repository->name)
            continue;
        strbuf_printf(&name, "repo%d", (int)repository->key);
        repository->name = strbuf_steal(&name);
        if (!repository->name)
            return err_memory(err);
    }
    return true;
}

static bool read_flags(struct load *load, int argc, char *const argv[], int *ret_rest,
                       struct err *err)
{
    load->flags = (struct flags){
        .table = &settings_table,
        .base = load->settings,
        .prefix = SETTINGS_VARIABLE_PREFIX,
        .problems = &load->problems,
    };
    return option_defaults(&settings_table, load->settings, err) &&
           flags_read_environment(&load->flags, err) &&
           flags_read_arguments(&load->flags, argc, argv, ret_rest, err) &&
           flags_apply(&load->flags, err) && problem_none(&load->problems, err);
}

static bool load_text(struct load *load, const struct strbuf *text, struct err *err)
{
    load->file_name = strdup(load->settings->config_file);
    if (!load->file_name)
        return err_memory(err);
    load->file = (struct yaml_file){
        .name = load->file_name,
        .text = strbuf_text(text),
        .length = text->length,
        .problems = &load->problems,
    };
    bool sound = yaml_load(&load->file, &settings_table, load->settings, err);
    load->file.text = NULL; /* the caller's */
    if (!sound)
        return false;
    check_file(load);
    return problem_none(&load->problems, err);
}

/* A file that was named must be there; the default one need not be. */
static bool read_file(struct load *load, struct err *err)
{
    struct settings *settings = load->settings;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    bool missing = false;
    const char *name = settings->config_file ? settings->config_file : SETTINGS_DEFAULT_FILE;
    if (!text_list_add(&settings->files, name, err) ||
        !config_file_read(name, &text, settings->config_file ? NULL : &missing, err))
        return false;
    if (missing)
        return true;
    if (!settings->config_file)
        settings->config_file = strdup(name);
    return settings->config_file ? load_text(load, &text, err) : err_memory(err);
}

/* Of a request's path as it is sent (RFC 3986), but for escapes, which are not taken out. */
static const char path_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    "-._~!$&'()*+,;=:@/";

static bool is_below(const char *path, const char *folder)
{
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* What is wrong with a path for the metrics; NULL when nothing is. */
static const char *wrong_with(const char *path)
{
    if (strcmp(path, "/") == 0)
        return "is where the status page is";
    if (is_below(path, "/-/") || is_below(path, "/api/"))
        return "is the program's own: choose a path outside /-/ and /api/";
    return path[strspn(path, path_characters)] ? "holds a character that a client cannot ask for"
                                               : NULL;
}

/* Flags and file are both applied: which of them said it does not matter any more. */
static bool check_paths(struct load *load, struct err *err)
{
    const char *path = load->settings->web.telemetry_path;
    const char *wrong = wrong_with(path);
    if (wrong)
        problem_add(&load->problems, "web.telemetry-path: \"%s\" %s", path, wrong);
    return problem_none(&load->problems, err);
}

static bool complete(struct load *load, struct err *err)
{
    if (!discover_read(load->settings, "/etc", &load->settings->conf, err) ||
        !discover_stanzas(load->settings, &load->settings->conf, "info", err))
        return false;
    check_postgres_stanzas(load);
    return problem_none(&load->problems, err);
}

static bool wants_text_only(const struct settings *settings)
{
    return settings->show_help || settings->show_version || settings->dump_docs;
}

bool settings_load(int argc, char *const argv[], struct settings **ret, int *ret_rest,
                   struct err *err)
{
    struct load load CLEANUP(load_done) = {.settings = settings_new()};
    int rest = argc;
    if (!load.settings)
        return err_memory(err);
    if (!read_flags(&load, argc, argv, &rest, err))
        return false;
    if (!wants_text_only(load.settings)) {
        bool sound = read_file(&load, err) && flags_apply(&load.flags, err) &&
                     check_paths(&load, err) && name_repositories(load.settings, err) &&
                     complete(&load, err);
        if (!sound)
            return false;
    }
    *ret_rest = rest;
    *ret = TAKE(load.settings);
    return true;
}

bool settings_use_command(struct settings *settings, const char *command, struct err *err)
{
    discover_stanzas_free(settings);
    return discover_stanzas(settings, &settings->conf, command, err);
}

double settings_wal_verify_s(const struct settings *settings)
{
    double configured = settings->collectors[settings->collector_count].interval_s;
    return configured > 0 ? configured : SETTINGS_WAL_VERIFY_S;
}

const struct collector_settings *settings_collector(const struct settings *settings,
                                                    const char *name)
{
    for (size_t i = 0; i < settings->collector_count; i++) {
        if (strcmp(settings->collectors[i].name, name) == 0)
            return &settings->collectors[i];
    }
    return NULL;
}

void settings_help(struct strbuf *out)
{
    strbuf_puts(out, "usage: pgbackup_exporter [FLAGS] [COMMAND [ARGUMENTS]]\n\n"
                     "Watches PostgreSQL's WAL archiving and pgBackRest's repositories, and says "
                     "whether they could be\nrestored. Without a command it serves the metrics and "
                     "a status page.\n\nFlags, each with its environment variable:\n");
    manual_flags(&settings_table, SETTINGS_VARIABLE_PREFIX, out);
}

void settings_document(struct strbuf *out)
{
    strbuf_puts(
        out,
        "# Configuration\n\n"
        "<!-- Written by `pgbackup_exporter --dump-docs=configuration` from the option tables; do "
        "not edit. -->\n\n"
        "No configuration is needed: without one, stanzas, repositories and the local PostgreSQL "
        "come from pgBackRest's own\nconfiguration. A flag goes before an environment variable, "
        "that before the file, that before the default. All mistakes\nof a file are told at once, "
        "with line and column, and nothing is started.\n\n"
        "## Flags\n\n");
    manual_flag_table(&settings_table, SETTINGS_VARIABLE_PREFIX, out);
    strbuf_puts(out,
                "\nThe variable of a flag that can be repeated takes a list with commas.\n\n"
                "## The file\n\n"
                "YAML. A duration is a number with `ms`, `s`, `m`, `h` or `d`, like `90s` or "
                "`27h`; a bare number is refused,\nbecause it could mean any of them. Paths are "
                "absolute. A key without a value is as if it were not there.\n\n```yaml\n");
    strbuf_puts(out, settings_example);
    strbuf_puts(out, "```\n");
    manual_file_tables(&settings_table, out);
}
