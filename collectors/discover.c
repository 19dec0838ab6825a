#include "collectors/discover.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collectors/settings_options.h"
#include "exporter/base/strbuf.h"
#include "exporter/config/file.h"

#define REPOSITORY_KEY_MAX 256

/* Which files there are. */

static bool add_file(struct settings *settings, struct pgbackrest_conf *conf, const char *path,
                     bool *missing, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    return text_list_add(&settings->files, path, err) &&
           config_file_read(path, &text, missing, err) &&
           pgbackrest_conf_parse(conf, path, strbuf_text(&text), text.length, err);
}

static int is_conf(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return end && strcmp(end, ".conf") == 0;
}

static int by_bytes(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

/* The entries of a folder; none when it is not there. */
struct listing {
    struct dirent **entries;
    int count;
};

static void listing_done(struct listing *listing)
{
    for (int i = 0; i < listing->count; i++)
        free(listing->entries[i]);
    free(listing->entries);
}

static bool read_folder(struct settings *settings, struct pgbackrest_conf *conf, const char *folder,
                        struct err *err)
{
    struct listing listing CLEANUP(listing_done) = {0};
    if (!text_list_add(&settings->files, folder, err))
        return false;
    listing.count = scandir(folder, &listing.entries, is_conf, by_bytes);
    if (listing.count < 0 && errno != ENOENT && errno != ENOTDIR)
        return err_system(err, errno, "cannot read %s", folder);
    for (int i = 0; i < listing.count; i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        strbuf_printf(&path, "%s/%s", folder, listing.entries[i]->d_name);
        bool gone = false; /* between the listing and now */
        if (path.failed)
            return err_memory(err);
        if (!add_file(settings, conf, strbuf_text(&path), &gone, err))
            return false;
    }
    return true;
}

/* ETC/pgbackrest/pgbackrest.conf, else the older ETC/pgbackrest.conf; the first when none is. */
static bool read_default(struct settings *settings, const char *etc, struct pgbackrest_conf *conf,
                         struct err *err)
{
    static const char *const names[] = {"pgbackrest/pgbackrest.conf", "pgbackrest.conf"};
    bool missing = true;
    for (size_t i = 0; i < COUNT_OF(names) && missing; i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        strbuf_printf(&path, "%s/%s", etc, names[i]);
        missing = false;
        if (path.failed)
            return err_memory(err);
        if (!add_file(settings, conf, strbuf_text(&path), &missing, err))
            return false;
        if (missing && settings->pgbackrest.config)
            continue;
        free(settings->pgbackrest.config);
        settings->pgbackrest.config = strbuf_steal(&path);
        if (!settings->pgbackrest.config)
            return err_memory(err);
    }
    return true;
}

/* The folder conf.d that goes with a file; both defaults share ETC/pgbackrest/conf.d. */
static void add_folder_path(const char *etc, const char *file, struct strbuf *out)
{
    const char *slash = strrchr(file, '/');
    size_t folder = slash ? (size_t)(slash - file) : 0;
    bool old_default = strlen(etc) == folder && strncmp(etc, file, folder) == 0 &&
                       strcmp(file + folder, "/pgbackrest.conf") == 0;
    strbuf_add(out, file, folder);
    strbuf_puts(out, old_default ? "/pgbackrest/conf.d" : "/conf.d");
}

bool discover_read(struct settings *settings, const char *etc, struct pgbackrest_conf *conf,
                   struct err *err)
{
    const char *named = settings->pgbackrest.config;
    bool sound =
        named ? add_file(settings, conf, named, NULL, err) : read_default(settings, etc, conf, err);
    if (!sound || !settings->pgbackrest.config)
        return false;
    struct strbuf folder CLEANUP(strbuf_done) = {0};
    add_folder_path(etc, settings->pgbackrest.config, &folder);
    return folder.failed ? err_memory(err) : read_folder(settings, conf, strbuf_text(&folder), err);
}

/* Whose an option is. */

/*
 * "repo2-path" is option "path" of key 2. "repo-path", of times when there was only one, is key 1.
 * NULL when the name is no repository option.
 */
static const char *repository_option(const char *name, int64_t *ret_key)
{
    if (strncmp(name, "repo", 4) != 0)
        return NULL;
    if (name[4] == '-') {
        *ret_key = 1;
        return name + 5;
    }
    char *end = NULL;
    if (name[4] < '0' || name[4] > '9')
        return NULL;
    errno = 0;
    long key = strtol(name + 4, &end, 10);
    if (errno || key < 1 || key > REPOSITORY_KEY_MAX || *end != '-')
        return NULL;
    *ret_key = key;
    return end + 1;
}

/*
 * A repository exists for `info` when one of these is set (seen with 2.45); repo3-retention-full or
 * repo3-s3-bucket alone make none.
 */
static bool makes_repository(const char *option)
{
    static const char *const makers[] = {"path", "type", "cipher-type", "host", "host-type"};
    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        if (strcmp(option, makers[i]) == 0)
            return true;
    }
    return false;
}

/* The sections that count for a stanza, the weakest first. */
#define SECTION_COUNT 4
struct stanza_sections {
    const struct pair_list *lists[SECTION_COUNT]; /* NULL where there is none */
    bool named; /* the configuration has a section of the stanza itself */
};

static bool belongs_to(const char *section, const char *stanza)
{
    size_t length = strcspn(section, ":");
    return strlen(stanza) == length && strncmp(section, stanza, length) == 0;
}

/* pgBackRest's configuration, as one of its commands reads it. */
struct view {
    const struct pgbackrest_conf *conf;
    const char *command;
};

static bool find_sections(const struct view *view, const char *stanza, struct stanza_sections *ret,
                          struct err *err)
{
    struct strbuf global CLEANUP(strbuf_done) = {0};
    struct strbuf own CLEANUP(strbuf_done) = {0};
    strbuf_printf(&global, "global:%s", view->command);
    strbuf_printf(&own, "%s:%s", stanza, view->command);
    *ret = (struct stanza_sections){.lists = {
                                        pgbackrest_conf_section(view->conf, "global"),
                                        pgbackrest_conf_section(view->conf, strbuf_text(&global)),
                                        pgbackrest_conf_section(view->conf, stanza),
                                        pgbackrest_conf_section(view->conf, strbuf_text(&own)),
                                    }};
    for (size_t i = 0; i < view->conf->count; i++)
        ret->named = ret->named || belongs_to(view->conf->sections[i].name, stanza);
    return !(global.failed || own.failed) || err_memory(err);
}

/* The name that an option has in the list for `key`; NULL when it does not belong there.
 * Key 0 is the stanza itself. */
static const char *name_for(const char *name, int64_t key)
{
    int64_t of = 0;
    const char *option = repository_option(name, &of);
    if (of != key)
        return NULL;
    return option ? option : name;
}

/* Put a section's options over those that are there: a list replaces a list. */
static bool merge(struct pair_list *into, const struct pair_list *section, int64_t key,
                  struct err *err)
{
    for (size_t i = 0; section && i < section->count; i++) {
        const char *name = name_for(section->items[i].name, key);
        if (name)
            pair_list_remove(into, name);
    }
    for (size_t i = 0; section && i < section->count; i++) {
        const char *name = name_for(section->items[i].name, key);
        if (name && !pair_list_add(into, name, section->items[i].value, err))
            return false;
    }
    return true;
}

static bool merge_all(struct pair_list *into, const struct stanza_sections *sections, int64_t key,
                      struct err *err)
{
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (!merge(into, sections->lists[i], key, err))
            return false;
    }
    return true;
}

const char *discover_option(const struct settings *settings, const char *stanza,
                            const char *command, const char *option)
{
    const struct view view = {.conf = &settings->conf, .command = command};
    struct stanza_sections sections;
    struct err no_memory;
    const char *value = NULL;
    if (!find_sections(&view, stanza, &sections, &no_memory))
        return NULL;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const char *said = sections.lists[i] ? pair_list_get(sections.lists[i], option) : NULL;
        value = said ? said : value;
    }
    return value;
}

/* Repositories. */

/* Which keys pgBackRest's configuration has, and which the settings have. */
struct keys {
    bool in_conf[REPOSITORY_KEY_MAX + 1];
    const struct repository_settings *settings[REPOSITORY_KEY_MAX + 1];
};

static void mark_section_keys(struct keys *keys, const struct pair_list *section)
{
    for (size_t i = 0; section && i < section->count; i++) {
        int64_t key = 0;
        const char *option = repository_option(section->items[i].name, &key);
        if (option && makes_repository(option))
            keys->in_conf[key] = true;
    }
}

static size_t count_keys(const struct keys *keys)
{
    size_t count = 0;
    for (size_t key = 1; key <= REPOSITORY_KEY_MAX; key++)
        count += keys->in_conf[key] || keys->settings[key];
    return count;
}

/* Without any repository in its configuration pgBackRest has repo1, at its default path. */
static void find_keys(struct keys *keys, const struct settings *settings,
                      const struct stanza_sections *sections)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        mark_section_keys(keys, sections->lists[i]);
    if (count_keys(keys) == 0 && (sections->named || settings->repository_count == 0))
        keys->in_conf[1] = true;
    for (size_t i = 0; i < settings->repository_count; i++)
        keys->settings[settings->repositories[i].key] = &settings->repositories[i];
}

/* The settings' own options are written without a prefix: to merge() they are those of no key. */
static bool fill_options(struct stanza_repository *repository,
                         const struct stanza_sections *sections, struct err *err)
{
    struct pair_list *options = &repository->options;
    if (!merge_all(options, sections, repository->key, err))
        return false;
    if (repository->settings && !merge(options, &repository->settings->options, 0, err))
        return false;
    /* A repository host knows the path itself; one that we give would go before it. */
    return pair_list_get(options, "path") || pair_list_get(options, "host") ||
           pair_list_add(options, "path", DISCOVER_REPOSITORY_PATH, err);
}

static bool fill_name(struct stanza_repository *repository, struct err *err)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    if (repository->settings && repository->settings->name)
        strbuf_puts(&name, repository->settings->name);
    else
        strbuf_printf(&name, "repo%d", (int)repository->key);
    repository->name = strbuf_steal(&name);
    return repository->name || err_memory(err);
}

static bool fill_repository(struct stanza_repository *repository,
                            const struct stanza_sections *sections, struct err *err)
{
    if (!fill_name(repository, err) || !fill_options(repository, sections, err))
        return false;
    const char *type = pair_list_get(&repository->options, "type");
    const char *cipher = pair_list_get(&repository->options, "cipher-type");
    /* What a repository host does not tell us may well be configured there. */
    bool remote = pair_list_get(&repository->options, "host");
    const char *untold_type = remote ? "remote" : "posix";
    const char *untold_cipher = remote ? "unknown" : "none";
    repository->storage = type ? type : untold_type;
    repository->cipher = cipher ? cipher : untold_cipher;
    return true;
}

static bool fill_repositories(struct stanza *stanza, const struct settings *settings,
                              const struct stanza_sections *sections, struct err *err)
{
    struct keys keys = {0};
    find_keys(&keys, settings, sections);
    stanza->repositories = calloc(count_keys(&keys) + 1, sizeof *stanza->repositories);
    if (!stanza->repositories)
        return err_memory(err);
    for (int64_t key = 1; key <= REPOSITORY_KEY_MAX; key++) {
        if (!keys.in_conf[key] && !keys.settings[key])
            continue;
        struct stanza_repository *repository = &stanza->repositories[stanza->repository_count++];
        repository->stanza = stanza;
        repository->key = key;
        repository->settings = keys.settings[key];
        repository->in_pgbackrest_conf = keys.in_conf[key];
        if (!fill_repository(repository, sections, err))
            return false;
    }
    return true;
}

/* PostgreSQL. */

static void add_parameter(struct strbuf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    strbuf_printf(out, "%s%s='", out->length ? " " : "", name);
    for (const char *c = value; *c; c++) {
        if (*c == '\'' || *c == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *c);
    }
    strbuf_putc(out, '\'');
}

/* The local cluster of pg1-*; none when it is on another host, or when there is no pg1-path. */
static bool local_conninfo(const struct pair_list *options, char **ret, struct err *err)
{
    if (pair_list_get(options, "pg1-host") || !pair_list_get(options, "pg1-path"))
        return true;
    const char *database = pair_list_get(options, "pg1-database");
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    add_parameter(&conninfo, "host", pair_list_get(options, "pg1-socket-path"));
    add_parameter(&conninfo, "port", pair_list_get(options, "pg1-port"));
    add_parameter(&conninfo, "user", pair_list_get(options, "pg1-user"));
    add_parameter(&conninfo, "dbname", database && *database ? database : "postgres");
    *ret = strbuf_steal(&conninfo);
    return *ret || err_memory(err);
}

static bool fill_conninfo(struct stanza *stanza, const struct settings *settings, struct err *err)
{
    for (size_t i = 0; i < settings->postgres_count; i++) {
        if (strcmp(settings->postgres[i].stanza, stanza->name) != 0)
            continue;
        stanza->postgres = &settings->postgres[i];
        stanza->conninfo = strdup(settings->postgres[i].conninfo);
        return stanza->conninfo || err_memory(err);
    }
    bool none_wanted = settings->postgres && settings->postgres_count == 0;
    return none_wanted || local_conninfo(&stanza->options, &stanza->conninfo, err);
}

/* Stanzas. */

/* pgBackRest finds its configuration by itself at two places. */
static const char *config_elsewhere(const char *config)
{
    bool found = !config || strcmp(config, "/etc/pgbackrest/pgbackrest.conf") == 0 ||
                 strcmp(config, "/etc/pgbackrest.conf") == 0;
    return found ? NULL : config;
}

static bool fill_stanza(struct stanza *stanza, const char *name, const struct settings *settings,
                        const struct view *view, struct err *err)
{
    struct stanza_sections sections;
    stanza->name = strdup(name);
    if (!stanza->name)
        return err_memory(err);
    if (settings->config_file && strcmp(settings->config_file, SETTINGS_DEFAULT_FILE) != 0)
        stanza->config_file = settings->config_file;
    stanza->pgbackrest_config = config_elsewhere(settings->pgbackrest.config);
    return find_sections(view, name, &sections, err) &&
           merge_all(&stanza->options, &sections, 0, err) &&
           fill_repositories(stanza, settings, &sections, err) &&
           fill_conninfo(stanza, settings, err);
}

/* The stanzas that the sections of pgBackRest's configuration speak of. */
static bool list_stanzas(const struct pgbackrest_conf *conf, struct text_list *ret, struct err *err)
{
    for (size_t i = 0; i < conf->count; i++) {
        const char *section = conf->sections[i].name;
        char *name CLEANUP(secret_freep) = strndup(section, strcspn(section, ":"));
        if (!name)
            return err_memory(err);
        if (*name == '\0' || strcmp(name, "global") == 0 || text_list_has(ret, name))
            continue;
        if (!text_list_add(ret, name, err))
            return false;
    }
    return true;
}

static bool fill_stanzas(struct settings *settings, const struct text_list *names,
                         const struct view *view, struct err *err)
{
    settings->stanzas = calloc(names->count + 1, sizeof *settings->stanzas);
    if (!settings->stanzas)
        return err_memory(err);
    for (size_t i = 0; i < names->count; i++) {
        struct stanza *stanza = &settings->stanzas[settings->stanza_count++];
        if (!fill_stanza(stanza, names->items[i], settings, view, err))
            return false;
    }
    return true;
}

bool discover_stanzas(struct settings *settings, const struct pgbackrest_conf *conf,
                      const char *command, struct err *err)
{
    struct view view = {.conf = conf, .command = command};
    struct text_list found CLEANUP(text_list_done) = {0};
    if (settings->pgbackrest.stanzas.count > 0)
        return fill_stanzas(settings, &settings->pgbackrest.stanzas, &view, err);
    return list_stanzas(conf, &found, err) && fill_stanzas(settings, &found, &view, err);
}

static void stanza_done(struct stanza *stanza)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        free(stanza->repositories[i].name);
        pair_list_done(&stanza->repositories[i].options);
    }
    free(stanza->repositories);
    pair_list_done(&stanza->options);
    secret_free(stanza->conninfo);
    free(stanza->name);
}

void discover_stanzas_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->stanza_count; i++)
        stanza_done(&settings->stanzas[i]);
    free(settings->stanzas);
    settings->stanzas = NULL;
    settings->stanza_count = 0;
}
