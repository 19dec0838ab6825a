/*
 * archive_config - whether archive_command's configuration is complete, before any WAL fails.
 *
 * A repository that is put into pgbackrest.conf without its keys makes every archive-push fail,
 * also to the others; on an idle database nobody notices until the next segment. So archive-push is
 * run with archive_command's own options and the server's own PGBACKREST_* variables, but without a
 * segment. It reads its whole configuration, then misses the segment (status 43) and ends: no
 * repository is asked and nothing is written. It also sees pg1-host (72: not the PostgreSQL host).
 * It does not see `pgbackrest stop` (a real push ends with 62), a wrong stanza, or a pg1-path or
 * spool-path that is not there; archive-async changes nothing (measured with 2.45).
 *
 * What cannot be tried without a guess has no sample: a wrapper script, an archive_library, a
 * server whose environment is not known. A script that is itself called pgbackrest is tried, for
 * most pass everything on; only the words of pgbackrest count, not an end that it finds alone.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/archive_config_report.h"
#include "collectors/model/reason.h"
#include "collectors/parse/archive_command.h"
#include "collectors/server_environment.h"
#include "collectors/settings.h"
#include "exporter/base/log.h"
#include "exporter/schedule/collector.h"
#include "exporter/sources/pg.h"

enum { VALID, ERROR, METRIC_COUNT };

static const struct metric_desc metrics[METRIC_COUNT] = {
    [VALID] =
        {
            .name = "pgbackrest_archive_config_valid",
            .help = "Whether archive-push accepts the configuration that archive_command and the "
                    "server's environment give it (1); absent when that cannot be tried.",
            .keeps = STATE,
        },
    [ERROR] =
        {
            .name = "pgbackrest_archive_config_error",
            .help = "Why archive-push refuses that configuration; only there with a reason.",
            .keeps = OUTCOME,
            .labels = LABELS("reason"),
        },
};

/* Everybody may read these. A local socket has no addresses. */
enum { ROW_MODE, ROW_COMMAND, ROW_LIBRARY, ROW_IN_RECOVERY, ROW_SAME_HOST, ROW_BACKEND };

static const char query[] =
    "SELECT current_setting('archive_mode'), current_setting('archive_command'),"
    " coalesce(current_setting('archive_library', true), '')," /* since version 15 */
    " pg_is_in_recovery(),"
    " coalesce(host(inet_client_addr()) = host(inet_server_addr()), true),"
    " pg_backend_pid()";

/* pgBackRest's exit statuses: a segment is missing, which it asks for last of all. */
#define STATUS_SOUND 43

/* Statuses that name the configuration here, where nothing else is read. */
static const int config_statuses[] = {
    29, /* FormatError: the file is no configuration */
    55, /* FileMissingError: --config names none */
    72, /* HostInvalidError: pg1-host says that the server is elsewhere */
};

#define PATH_FALLBACK "/usr/bin:/bin"

/* One target. */
struct archive_config {
    struct proc_pool *pool;
    const struct stanza *stanza;
    struct pg *pg;
    enum archive_config_verdict logged; /* the last of VALID and INVALID */
};

/* What the server says of itself, and what can be tried because of it. */
struct attempt {
    struct pg_rows *rows;
    pid_t server;
    struct archive_command command;
    struct server_environment environment;
    struct strbuf program;
};

static void attempt_done(struct attempt *attempt)
{
    pg_rows_free(attempt->rows);
    archive_command_done(&attempt->command);
    server_environment_done(&attempt->environment);
    strbuf_done(&attempt->program);
}

static void view_done(struct archive_config_view *view)
{
    free(view->program);
    free(view->config);
    strbuf_done(&view->messages);
}

static bool ask(struct archive_config *config, const struct bound *bound, struct attempt *attempt,
                struct err *err)
{
    if (!pg_query(config->pg, query, bound, &attempt->rows, err))
        return false;
    if (pg_rows_count(attempt->rows) != 1)
        return err_set(err, ERR_QUERY, "the settings of the archiver have %d rows, expected 1",
                       pg_rows_count(attempt->rows));
    attempt->server = pg_server_process(config->pg);
    return true;
}

static const char *text_of(const struct attempt *attempt, int column)
{
    return pg_rows_text(attempt->rows, 0, column);
}

/* Whether this server archives at all: else PgArchivingDisabled and the archiver's page tell. */
static bool archives(const struct attempt *attempt, struct err *why)
{
    const char *mode = text_of(attempt, ROW_MODE);
    if (strcmp(mode, "off") == 0)
        return err_set(why, ERR_CONFIG, "archive_mode is off");
    if (pg_rows_bool(attempt->rows, 0, ROW_IN_RECOVERY) && strcmp(mode, "always") != 0)
        return err_set(why, ERR_CONFIG, "a standby: its primary archives");
    if (*text_of(attempt, ROW_LIBRARY) == '\0' && *text_of(attempt, ROW_COMMAND) == '\0')
        return err_set(why, ERR_CONFIG, "there is no archive_command");
    return true;
}

/* pgBackRest refuses a secret on its command line; we put none on one. */
static bool names_no_secret(const struct archive_command *command, struct err *why)
{
    for (size_t i = 1; i < command->words.count; i++) {
        const char *word = command->words.items[i];
        struct strbuf option CLEANUP(strbuf_done) = {0};
        word += strspn(word, "-");
        strbuf_add(&option, word, strcspn(word, "="));
        if (option.failed)
            return err_memory(why);
        if (repository_option_is_secret(strbuf_text(&option)))
            return err_set(why, ERR_CONFIG, "archive_command has a secret among its arguments");
    }
    return true;
}

static bool read_command(struct attempt *attempt, struct err *why)
{
    if (*text_of(attempt, ROW_LIBRARY) != '\0')
        return err_set(why, ERR_CONFIG, "an archive_library archives, not archive_command");
    struct err flaw = {0};
    if (!archive_command_parse(text_of(attempt, ROW_COMMAND), &attempt->command, &flaw))
        return flaw.code == ERR_MEMORY ? err_memory(why)
                                       : err_set(why, flaw.code, "archive_command %s", flaw.text);
    return names_no_secret(&attempt->command, why);
}

static const char *environment_file(const struct archive_config *config)
{
    const struct postgres_settings *postgres = config->stanza->postgres;
    return postgres ? postgres->archive_environment : NULL;
}

static bool read_environment(const struct archive_config *config, struct attempt *attempt,
                             struct err *why)
{
    const char *file = environment_file(config);
    if (!pg_rows_bool(attempt->rows, 0, ROW_SAME_HOST))
        return err_set(why, ERR_CONFIG, "the server runs on another host");
    if (file)
        return server_environment_of_file(file, &attempt->environment, why);
    pid_t backend = (pid_t)pg_rows_double(attempt->rows, 0, ROW_BACKEND);
    return server_environment_of_process(attempt->server, backend, &attempt->environment, why);
}

static bool check_environment(const struct archive_config *config, struct attempt *attempt,
                              struct archive_config_view *view)
{
    view->source = environment_file(config);
    if (!view->source)
        view->source = "the running server";
    if (!read_environment(config, attempt, &view->why)) {
        view->lacks_environment = view->why.code != ERR_MEMORY;
        return err_prefix(&view->why, "the environment of the server is not known");
    }
    view->variables = attempt->environment.variables.count;
    const char *file = server_environment_get(&attempt->environment, "PGBACKREST_CONFIG");
    return !file || *file == '/' ||
           err_set(&view->why, ERR_CONFIG,
                   "PGBACKREST_CONFIG is a path from the data directory of the server");
}

static bool can_run(const char *path)
{
    return access(path, X_OK) == 0;
}

/* As execvp() looks for it; folders that are relative to the data directory are passed over. */
static bool search(const char *path, const char *name, struct strbuf *ret)
{
    while (*path) {
        size_t length = strcspn(path, ":");
        strbuf_truncate(ret, 0);
        strbuf_printf(ret, "%.*s/%s", (int)length, path, name);
        if (*path == '/' && !ret->failed && can_run(strbuf_text(ret)))
            return true;
        path += length;
        path += *path == ':';
    }
    return false;
}

static bool find_program(struct attempt *attempt, struct err *why)
{
    const char *name = attempt->command.words.items[0];
    const char *path = attempt->environment.path;
    if (*name != '/')
        return search(path ? path : PATH_FALLBACK, name, &attempt->program) ||
               err_set(why, ERR_CONFIG, "%s is not found in the PATH of the server", name);
    strbuf_puts(&attempt->program, name);
    return can_run(name) || err_set(why, ERR_CONFIG, "%s cannot be run from here", name);
}

/* What the report tells of the attempt. */
static bool describe(const struct attempt *attempt, struct archive_config_view *view)
{
    const char *config = archive_command_option(&attempt->command, "config");
    if (!config)
        config = server_environment_get(&attempt->environment, "PGBACKREST_CONFIG");
    view->program = strdup(strbuf_text(&attempt->program));
    view->config = config ? strdup(config) : NULL;
    return (view->program && (!config || view->config) && !attempt->program.failed) ||
           err_memory(&view->why);
}

static bool can_be_tried(const struct archive_config *config, struct attempt *attempt,
                         struct archive_config_view *view)
{
    if (!archives(attempt, &view->why)) {
        view->verdict = ARCHIVE_CONFIG_NOT_NEEDED;
        return false;
    }
    view->verdict = ARCHIVE_CONFIG_NOT_CHECKED;
    return read_command(attempt, &view->why) && check_environment(config, attempt, view) &&
           find_program(attempt, &view->why) && describe(attempt, view);
}

/* Ours come last and replace the server's own of that name: no log file, errors on stderr. */
static bool build_environment(const struct server_environment *environment, struct text_list *ret,
                              struct err *err)
{
    static const char *const fixed[] = {"LC_ALL=C.UTF-8", "PGBACKREST_LOG_LEVEL_CONSOLE=off",
                                        "PGBACKREST_LOG_LEVEL_FILE=off",
                                        "PGBACKREST_LOG_LEVEL_STDERR=error"};
    static const char level[] = "PGBACKREST_LOG_LEVEL_";
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "PATH=%s", environment->path ? environment->path : PATH_FALLBACK);
    if (path.failed)
        return err_memory(err);
    for (size_t i = 0; i < environment->variables.count; i++) {
        const char *item = environment->variables.items[i];
        if (strncmp(item, level, strlen(level)) != 0 && !text_list_add(ret, item, err))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (!text_list_add(ret, fixed[i], err))
            return false;
    }
    return text_list_add(ret, strbuf_text(&path), err);
}

static void argv_freep(const char ***argv)
{
    free((void *)*argv);
}

/*
 * The words of archive_command with the program as it was found. Without those on logging: a log
 * file would be told of a failure at each look, and messages must be there to be read.
 */
static const char **build_argv(const struct attempt *attempt)
{
    const struct text_list *words = &attempt->command.words;
    const char **argv = calloc(words->count + 1, sizeof *argv);
    size_t count = 0;
    if (!argv)
        return NULL;
    argv[count++] = strbuf_text(&attempt->program);
    for (size_t i = 1; i < words->count; i++) {
        size_t logging = archive_command_logging(&attempt->command, i);
        if (logging == 0)
            argv[count++] = words->items[i];
        else
            i += logging - 1;
    }
    return argv;
}

/* A quarter of our time is kept, so that a child that hangs can still be killed within it. */
static bool run_program(const struct archive_config *config, const struct attempt *attempt,
                        const struct bound *bound, struct proc_result *result, struct err *err)
{
    struct text_list environment CLEANUP(text_list_done) = {0};
    const char **argv CLEANUP(argv_freep) = build_argv(attempt);
    struct strbuf key CLEANUP(strbuf_done) = {0};
    strbuf_printf(&key, "archive-push of %s", config->stanza->name);
    if (!argv || key.failed)
        return err_memory(err);
    if (!build_environment(&attempt->environment, &environment, err))
        return false;
    struct bound child = *bound;
    child.deadline_ms -= bound_remaining_ms(bound) / 4;
    struct proc_spec spec = {
        .argv = argv,
        .envp = (const char *const *)environment.items,
        .key = strbuf_text(&key),
        .queued = true,
    };
    return proc_run(config->pool, &spec, &child, result, err);
}

/*
 * A line of a malformed file is quoted as it stands, "... at line 7: repo2-s3-key-secret ...", and
 * of such a file nobody knows which of its words are secrets: what is behind the number goes.
 */
static void add_without_quoted_lines(struct strbuf *out, const char *text)
{
    static const char place[] = " at line ";
    for (const char *found; (found = strstr(text, place)) != NULL;) {
        found += strlen(place);
        found += strspn(found, "0123456789");
        strbuf_add(out, text, (size_t)(found - text));
        text = *found == ':' ? found + strcspn(found, "\n") : found;
    }
    strbuf_puts(out, text);
}

/* Errors are on stderr, since 2.55 some on stdout. */
static void take_messages(const struct attempt *attempt, const struct proc_result *result,
                          struct strbuf *out)
{
    struct strbuf all CLEANUP(strbuf_done) = {0};
    add_without_quoted_lines(&all, strbuf_text(&result->errors));
    add_without_quoted_lines(&all, strbuf_text(&result->output));
    repository_redact(&attempt->environment.hidden, strbuf_text(&all), out);
    while (out->length > 0 && strchr(" \n", out->data[out->length - 1]))
        strbuf_truncate(out, out->length - 1);
    out->failed = out->failed || all.failed;
}

static enum err_code reason_of(int status, const char *messages)
{
    for (size_t i = 0; i < COUNT_OF(config_statuses); i++) {
        if (config_statuses[i] == status)
            return ERR_CONFIG;
    }
    return reason_of_exit(status, messages);
}

/* Warnings come first; what counts is the error. */
static const char *error_in(const char *messages)
{
    static const char mark[] = "ERROR: ";
    const char *found = strstr(messages, mark);
    return found ? found + strlen(mark) : messages;
}

/* pgbackrest names its status, "ERROR: [037]: ..."; a script that fails before it does not. */
static bool is_pgbackrests(int status, const char *messages)
{
    struct strbuf mark CLEANUP(strbuf_done) = {0};
    strbuf_printf(&mark, "[%03d]: ", status);
    return !mark.failed && strstr(error_in(messages), strbuf_text(&mark)) == error_in(messages);
}

/* With the server's environment from a file we may be another user than the server. */
static bool is_ours_alone(pid_t server, enum err_code reason)
{
    return reason == ERR_PERMISSION && !server_is_our_user(server);
}

static void judge_status(pid_t server, int status, struct archive_config_view *view)
{
    const char *messages = strbuf_text(&view->messages);
    enum err_code reason = reason_of(status, messages);
    if (status == STATUS_SOUND) {
        view->verdict = ARCHIVE_CONFIG_VALID;
        strbuf_truncate(&view->messages, 0);
        return;
    }
    if (!is_pgbackrests(status, messages)) {
        err_set(&view->why, ERR_OTHER, "%s ends with status %d, and not with words of pgbackrest",
                view->program, status);
        return;
    }
    if (is_ours_alone(server, reason)) {
        err_set(&view->why, reason, "we may not read what the server may: %s", error_in(messages));
        return;
    }
    view->verdict = ARCHIVE_CONFIG_INVALID;
    err_set(&view->why, reason, "%s", error_in(messages));
}

/* Only an end that it chose itself tells of its configuration. */
static bool try_command(const struct archive_config *config, const struct attempt *attempt,
                        const struct bound *bound, struct archive_config_view *view,
                        struct err *err)
{
    struct proc_result result CLEANUP(proc_result_done) = {0};
    if (run_program(config, attempt, bound, &result, err)) {
        err_set(&view->why, ERR_OTHER,
                "%s asked for no WAL segment: it is another program than it seems", view->program);
        return true;
    }
    if (err->code != ERR_EXIT || !result.exited)
        return err_prefix(err, "archive-push without a WAL segment");
    take_messages(attempt, &result, &view->messages);
    if (view->messages.failed)
        return err_memory(err);
    judge_status(attempt->server, result.exit_status, view);
    return true;
}

static void add_samples(struct sink *sink, const struct archive_config_view *view)
{
    if (view->verdict != ARCHIVE_CONFIG_VALID && view->verdict != ARCHIVE_CONFIG_INVALID)
        return;
    sink_add(sink, VALID, view->verdict == ARCHIVE_CONFIG_VALID, NULL);
    if (view->verdict == ARCHIVE_CONFIG_INVALID)
        sink_add(sink, ERROR, 1, LABELS(err_reason(view->why.code)));
}

/* One line per change. */
static void log_change(struct archive_config *config, const struct archive_config_view *view)
{
    bool invalid = view->verdict == ARCHIVE_CONFIG_INVALID;
    if (view->verdict == config->logged || (!invalid && view->verdict != ARCHIVE_CONFIG_VALID))
        return;
    config->logged = view->verdict;
    if (invalid)
        log_warn("archive_command cannot archive",
                 FIELDS(TEXT("stanza", view->stanza), TEXT("reason", err_reason(view->why.code)),
                        TEXT("error", view->why.text)));
    else
        log_info("archive_command can archive again", FIELDS(TEXT("stanza", view->stanza)));
}

/* PostgresUnreachable tells of that: here it is only not known. */
static bool cannot_ask(struct run *run, const struct err *failure, struct err *err)
{
    archive_config_report_down(run->report, run->target->name, failure);
    if (!pg_failure_is_outage(failure->code))
        return err_set(err, failure->code, "%s", failure->text);
    return run_is_down(run, failure);
}

static bool archive_config_collect(void *state, struct run *run, struct err *err)
{
    struct archive_config *config = state;
    struct attempt attempt CLEANUP(attempt_done) = {0};
    struct archive_config_view view CLEANUP(view_done) = {.stanza = config->stanza->name};
    struct err failure = {0};
    if (!ask(config, &run->bound, &attempt, &failure))
        return cannot_ask(run, &failure, err);
    bool tried = can_be_tried(config, &attempt, &view);
    if (!tried && view.why.code == ERR_MEMORY)
        return err_memory(err);
    if (tried && !try_command(config, &attempt, &run->bound, &view, err))
        return false;
    add_samples(run->sink, &view);
    archive_config_report(run->report, &view);
    log_change(config, &view);
    return true;
}

static bool add_target(const struct stanza *stanza, struct target_list *list, struct err *err)
{
    struct strbuf fingerprint CLEANUP(strbuf_done) = {0};
    const struct label labels[] = {{"stanza", stanza->name}, {NULL, NULL}};
    const char *file = stanza->postgres ? stanza->postgres->archive_environment : NULL;
    strbuf_printf(&fingerprint, "%s\n%s", stanza->conninfo, file ? file : "");
    struct target *target = fingerprint.failed
                                ? NULL
                                : target_add(list, stanza->name, strbuf_text(&fingerprint), labels);
    if (!target)
        return err_memory(err);
    target->spec = stanza;
    return true;
}

static bool archive_config_targets(const struct settings *settings, struct target_list *ret,
                                   struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        const struct stanza *stanza = &settings->stanzas[i];
        if (stanza->conninfo && !add_target(stanza, &list, err))
            return false;
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

static bool archive_config_open(const struct environment *environment, const struct target *target,
                                void **ret, struct err *err)
{
    const struct stanza *stanza = target->spec;
    struct pg *pg CLEANUP(pg_closep) = pg_open(environment->pool, stanza->conninfo, err);
    if (!pg)
        return err_prefix(err, "stanza %s", stanza->name);
    struct archive_config *config = calloc(1, sizeof *config);
    if (!config)
        return err_memory(err);
    *config = (struct archive_config){
        .pool = environment->pool,
        .stanza = stanza,
        .pg = TAKE(pg),
        .logged = ARCHIVE_CONFIG_VALID,
    };
    *ret = config;
    return true;
}

static void archive_config_close(void *state)
{
    struct archive_config *config = state;
    if (!config)
        return;
    pg_close(config->pg);
    free(config);
}

const struct collector collector_archive_config = {
    .name = "archive_config",
    .help = "Whether archive_command's configuration is complete (archive-push without a segment).",
    .default_enabled = true,
    .interval_s = 60,
    .timeout_s = 10,
    .labels = LABELS("stanza"),
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = archive_config_targets,
    .open = archive_config_open,
    .collect = archive_config_collect,
    .close = archive_config_close,
};
