#include "collectors/queue_options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/parse/spool.h"
#include "exporter/base/strbuf.h"

/* pgBackRest's own. */
#define DEFAULT_SPOOL_PATH "/var/spool/pgbackrest"
#define DEFAULT_LOG_PATH   "/var/log/pgbackrest"

static const char *const default_configs[] = {"/etc/pgbackrest/pgbackrest.conf",
                                              "/etc/pgbackrest.conf"};

/* What it reads when nothing tells it to read another file. */
#define THE_DEFAULT "pgBackRest's default configuration"

/* One reading. */
struct reading {
    const struct queue_sources *sources;
    const char *other_config;
};

/* ---- one option ---- */

static const char *flag_in(const struct archive_command *command, const char *option)
{
    for (size_t i = 1; i < command->words.count; i++) {
        const char *word = command->words.items[i];
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, option) == 0)
            return "y";
        if (strncmp(word, "--no-", 5) == 0 && strcmp(word + 5, option) == 0)
            return "n";
    }
    return NULL;
}

/* spool-path is PGBACKREST_SPOOL_PATH. */
static const char *variable_of(const struct server_environment *environment, const char *option)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_puts(&name, "PGBACKREST_");
    for (; *option; option++)
        strbuf_putc(&name, *option == '-' ? '_' : (char)toupper((unsigned char)*option));
    return name.failed ? NULL : server_environment_get(environment, strbuf_text(&name));
}

static const char *given_beside_the_file(const struct queue_sources *sources, const char *option,
                                         bool is_flag)
{
    const struct archive_command *command = sources->command;
    const char *value = command && is_flag ? flag_in(command, option) : NULL;
    if (!value && command)
        value = archive_command_option(command, option);
    if (!value && sources->environment)
        value = variable_of(sources->environment, option);
    return value;
}

static const char *value_of(const struct reading *reading, const char *option, bool is_flag)
{
    const struct queue_sources *sources = reading->sources;
    const char *value = given_beside_the_file(sources, option, is_flag);
    if (value || reading->other_config)
        return value;
    return discover_option(sources->settings, sources->stanza->name, "archive-push", option);
}

static const char *text_or(const char *text, const char *fallback)
{
    return text && *text ? text : fallback;
}

/* ---- which file ---- */

static bool is_default(const char *file)
{
    for (size_t i = 0; file && i < COUNT_OF(default_configs); i++) {
        if (strcmp(file, default_configs[i]) == 0)
            return true;
    }
    return !file;
}

/* NULL: the one that we read, as far as can be known. */
static const char *other_config(const struct queue_sources *sources)
{
    const char *ours = sources->stanza->pgbackrest_config;
    const char *theirs = given_beside_the_file(sources, "config", false);
    if (!theirs && sources->command && sources->environment && !is_default(ours))
        return THE_DEFAULT;
    if (!ours)
        ours = sources->settings->pgbackrest.config;
    return theirs && !(ours && strcmp(theirs, ours) == 0) ? theirs : NULL;
}

/* ---- all of them ---- */

/* "FOLDER BETWEEN STANZA END" without the spaces. */
static bool join(const char *const parts[4], char **ret, struct err *err)
{
    struct strbuf path = {0};
    for (size_t i = 0; i < 4; i++)
        strbuf_puts(&path, parts[i]);
    *ret = strbuf_steal(&path);
    return *ret || err_memory(err);
}

static bool add_paths(const struct reading *reading, struct queue_options *options, struct err *err)
{
    const char *stanza = reading->sources->stanza->name;
    const char *spool = text_or(value_of(reading, "spool-path", false), DEFAULT_SPOOL_PATH);
    const char *log = text_or(value_of(reading, "log-path", false), DEFAULT_LOG_PATH);
    bool drops = options->queue_max > 0;
    return join((const char *const[]){spool, "/archive/", stanza, "/out"}, &options->spool, err) &&
           (!drops || join((const char *const[]){log, "/", stanza, "-archive-push-async.log"},
                           &options->log, err));
}

bool queue_options_read(const struct queue_sources *sources, struct queue_options *ret,
                        struct err *err)
{
    const struct reading reading = {sources, other_config(sources)};
    struct queue_options options CLEANUP(queue_options_done) = {0};
    const char *limit = text_or(value_of(&reading, "archive-push-queue-max", false), "");
    const char *is_async = text_or(value_of(&reading, "archive-async", true), "n");
    if (!spool_parse_size(limit, &options.queue_max))
        options.queue_max = 0;
    if (reading.other_config && !(options.other_config = strdup(reading.other_config)))
        return err_memory(err);
    if (strcmp(is_async, "y") == 0 && !add_paths(&reading, &options, err))
        return false;
    *ret = options;
    options = (struct queue_options){0};
    return true;
}

void queue_options_done(struct queue_options *options)
{
    free(options->other_config);
    free(options->spool);
    free(options->log);
    *options = (struct queue_options){0};
}
