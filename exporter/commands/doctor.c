/*
 * doctor - everything is looked at once, and each trouble gets its cause and its next step.
 *
 * All collectors look once, then the doctor's own checks. It renders what the status page renders.
 * Nothing here changes anything, and nothing touches production unless --active is given.
 */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/pgbackrest.h"
#include "exporter/base/clock.h"
#include "exporter/commands/arguments.h"
#include "exporter/commands/command.h"
#include "exporter/commands/doctor_check.h"
#include "exporter/commands/doctor_runbook.h"
#include "exporter/commands/doctor_text.h"
#include "exporter/commands/gather.h"
#include "exporter/commands/signals.h"
#include "exporter/web/api.h"

/* Of the whole time, what the own checks get, and what it takes to stop. */
#define CHECKS_MS 15000
#define STOP_MS   2000

#define RUNBOOK_MS 5000 /* for each version that is asked */

enum { EXIT_WARNING = 1, EXIT_FAILED = 2 };

struct options {
    bool help;
    bool active;
    char *output;
    double timeout_s;
};

static const char *const outputs[] = {"text", "json", "runbook", NULL};

static const struct option option_rows[] = {
    ARGUMENTS_HELP(struct options, help),
    {
        .key = "active",
        .help = "Also run pgbackrest check where archive_command feeds a repository: it ends a WAL "
                "segment of production and waits until it has arrived, at most 45s for each.",
        .type = OPTION_BOOL,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct options, active),
    },
    {
        .key = "output",
        .help = "For people, as /api/v1/status, or a sheet for restoring without this host.",
        .value = "FORM",
        .fallback = "text",
        .type = OPTION_CHOICE,
        .choices = outputs,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct options, output),
    },
    {
        .key = "timeout",
        .help = "End by then, whatever still hangs.",
        .value = "DURATION",
        .fallback = "1m",
        .type = OPTION_DURATION,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct options, timeout_s),
        .min = 5,
        .max = 3600,
    },
};

static const struct option_table table = {option_rows, COUNT_OF(option_rows),
                                          sizeof(struct options)};

static const char about[] =
    "Looks at everything once and says what is wrong, the cause first, with the next step under\n"
    "each failure. FILE: a script or unit file whose --repoN- flags are compared with the\n"
    "configuration. Exit status 0: all is well, 1: a warning, or something could not be looked\n"
    "at, 2: a failure. Nothing is changed.\n";

/* The own checks, and the collectors among which they stand: causes before what follows. */
static const struct family {
    const char *name;
    doctor_check *check; /* NULL: a collector */
    bool active;         /* touches production */
} families[] = {
    {"rights", doctor_check_rights, false},
    {"credentials", doctor_check_credentials, false},
    {"archive_config", NULL, false},
    {"mount", NULL, false},
    {"s3", NULL, false},
    {"database", doctor_check_database, false},
    {"repository", doctor_check_repository, false},
    {"backups", NULL, false},
    {"archiver", NULL, false},
    {"queue", NULL, false},
    {"archive_command", doctor_check_archive, false},
    {"archive_log", doctor_check_log, false},
    {"check", doctor_check_active, true},
    {"restorability", NULL, false},
    {"wal", NULL, false},
    {"drill", NULL, false},
    {"drill_age", doctor_check_drill, false},
    {"flags", doctor_check_flags, false},
    {"verdict", NULL, false},
    {"commands", NULL, false},
};

static void options_done(struct options *options)
{
    option_free(&table, options);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* ---- examining ---- */

/* What is to be rendered. Begins all-zero; examination_done() ends it. */
struct examination {
    struct gathering seen;
    struct poller_status *statuses;
    size_t status_count;
    struct report *reports[COUNT_OF(families)];
    struct page_target *targets;
    size_t target_count;
};

static void examination_done(struct examination *examination)
{
    for (size_t i = 0; i < COUNT_OF(families); i++)
        report_free(examination->reports[i]);
    free(examination->targets);
    poller_status_free(examination->statuses, examination->status_count);
    gathering_end(&examination->seen);
}

static bool run_checks(struct examination *examination, const struct doctor *doctor, bool active,
                       struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        if (!families[i].check || (families[i].active && !active))
            continue;
        examination->reports[i] = report_new();
        if (!examination->reports[i])
            return err_memory(err);
        families[i].check(doctor, examination->reports[i]);
        if (examination->reports[i]->failed)
            return err_memory(err);
    }
    return true;
}

static struct page_target own_target(const struct family *family, const struct report *report)
{
    return (struct page_target){
        .group = "",
        .collector = "doctor",
        .target = family->name,
        .has_run = true,
        .current = true,
        .outcome = RUN_OK,
        .started_at = clock_wall_seconds(),
        .report = report,
    };
}

/* The family that a collector's findings belong to; those that no one knows come last. */
static size_t family_of(const struct poller_status *status)
{
    size_t i = 0;
    while (i < COUNT_OF(families) &&
           (families[i].check || strcmp(families[i].name, status->collector->name) != 0))
        i++;
    return i;
}

static void add_collectors(struct examination *examination, size_t family)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < examination->status_count; i++) {
        if (family_of(&examination->statuses[i]) == family)
            examination->targets[examination->target_count++] =
                page_target_of(&examination->statuses[i], "stanza", now_ms);
    }
}

static bool put_in_order(struct examination *examination, struct err *err)
{
    size_t most = examination->status_count + COUNT_OF(families);
    examination->targets = calloc(most, sizeof *examination->targets);
    if (!examination->targets)
        return err_memory(err);
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        if (examination->reports[i])
            examination->targets[examination->target_count++] =
                own_target(&families[i], examination->reports[i]);
        add_collectors(examination, i);
    }
    add_collectors(examination, COUNT_OF(families));
    return true;
}

/* Blocks for at most the timeout, and for --active. *settings: for the collectors, taken over. */
static bool examine(struct examination *examination, const struct options *options,
                    struct doctor *doctor, struct settings *settings, struct err *err)
{
    int64_t all_ms = (int64_t)(1000 * options->timeout_s) - STOP_MS;
    int64_t begun_ms = clock_monotonic_ms();
    int64_t checks_ms = all_ms / 3 < CHECKS_MS ? all_ms / 3 : CHECKS_MS;
    if (!gather(settings, all_ms - checks_ms, &examination->seen, err))
        return false;
    int signals CLEANUP(close_fd) = signals_take();
    examination->statuses = poller_status(examination->seen.poller, &examination->status_count);
    doctor->pool = examination->seen.pool;
    doctor->targets = examination->statuses;
    doctor->target_count = examination->status_count;
    doctor->bound = bound_after(all_ms - (clock_monotonic_ms() - begun_ms), signals);
    return run_checks(examination, doctor, options->active, err) && put_in_order(examination, err);
}

/* ---- telling ---- */

static bool is_coloured(void)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && terminal &&
           strcmp(terminal, "dumb") != 0;
}

static bool print(const struct strbuf *text, struct err *err)
{
    if (text->failed)
        return err_memory(err);
    bool written = fwrite(strbuf_text(text), 1, text->length, stdout) == text->length;
    return (written && fflush(stdout) == 0) ||
           err_set(err, ERR_SYSTEM, "cannot write to the standard output");
}

static int status_of(enum grade worst)
{
    if (worst == GRADE_FAILED)
        return EXIT_FAILED;
    return worst == GRADE_WARNING || worst == GRADE_UNKNOWN ? EXIT_WARNING : EXIT_FINE;
}

static const char *host_name(char *name, size_t size)
{
    return gethostname(name, size) == 0 ? name : "this host";
}

static bool tell(const struct examination *examination, const struct options *options,
                 int *ret_status, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    char host[HOST_NAME_MAX + 1] = "";
    const struct page page = {
        .program = "pgbackup_exporter",
        .version = PGBACKUP_VERSION,
        .host = host_name(host, sizeof host),
        .now = clock_wall_seconds(),
        .targets = examination->targets,
        .target_count = examination->target_count,
    };
    if (strcmp(options->output, "json") == 0)
        api_render(&text, &page);
    else
        doctor_text(&text, &page, is_coloured());
    if (!print(&text, err))
        return false;
    *ret_status = status_of(doctor_worst(&page));
    return true;
}

static bool look_and_tell(const struct command_line *line, const struct options *options,
                          struct doctor *doctor, int *ret_status, struct err *err)
{
    struct examination examination CLEANUP(examination_done) = {0};
    struct settings *settings = NULL; /* the collectors' own: they may outlive ours */
    int rest = 0;
    return settings_load(line->argc, line->argv, &settings, &rest, err) &&
           examine(&examination, options, doctor, settings, err) &&
           tell(&examination, options, ret_status, err);
}

/* ---- the sheet ---- */

static char *ask_postgres(struct proc_pool *pool, const struct stanza *stanza)
{
    struct pg *pg CLEANUP(pg_closep) = NULL;
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct err ignored; /* the sheet says that it is not known */
    struct bound bound = bound_after(RUNBOOK_MS, -1);
    pg = stanza->conninfo ? pg_open(pool, stanza->conninfo, &ignored) : NULL;
    if (!pg || !pg_query(pg, "SHOW server_version", &bound, &rows, &ignored) ||
        pg_rows_count(rows) != 1)
        return NULL;
    return strdup(pg_rows_text(rows, 0, 0));
}

static bool write_sheet(const struct settings *settings, struct proc_pool *pool, char **versions,
                        struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct bound bound = bound_after(RUNBOOK_MS, -1);
    char host[HOST_NAME_MAX + 1] = "";
    char *version = pgbackrest_version(pool, settings->pgbackrest.command, &bound);
    for (size_t i = 0; i < settings->stanza_count; i++)
        versions[i] = ask_postgres(pool, &settings->stanzas[i]);
    doctor_runbook(settings,
                   &(struct runbook_facts){
                       .host = host_name(host, sizeof host),
                       .pgbackrest_version = version,
                       .postgres_versions = (const char *const *)versions,
                       .now = clock_wall_seconds(),
                   },
                   &text);
    free(version);
    for (size_t i = 0; i < settings->stanza_count; i++)
        free(versions[i]);
    return print(&text, err);
}

static bool sheet(struct settings *settings, int *ret_status, struct err *err)
{
    if (!settings_use_command(settings, "restore", err))
        return false;
    struct proc_pool *pool = proc_pool_new(&(struct proc_limits){.at_once = 1, .stuck = 1});
    char **versions = calloc(settings->stanza_count + 1, sizeof *versions);
    bool written = pool && versions ? write_sheet(settings, pool, versions, err) : err_memory(err);
    free(versions);
    proc_pool_free(pool);
    *ret_status = EXIT_FINE;
    return written;
}

/* ---- the command ---- */

static int help(void)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    arguments_help(&command_doctor, about, &table, &text);
    return fputs(strbuf_text(&text), stdout) >= 0 ? EXIT_FINE : EXIT_FAILED;
}

static int run(const struct command_line *line, struct settings *settings, int argc,
               char *const argv[])
{
    struct options options CLEANUP(options_done) = {0};
    struct err err = {0};
    int rest = argc, status = EXIT_FAILED;
    bool done = arguments_read(&table, &options, argc, argv, &rest, &err);
    if (done && options.help)
        return help();
    struct doctor doctor = {
        .settings = settings, .files = argv + rest, .file_count = (size_t)(argc - rest)};
    if (done && strcmp(options.output, "runbook") == 0)
        done = sheet(settings, &status, &err);
    else if (done)
        done = look_and_tell(line, &options, &doctor, &status, &err);
    if (!done)
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    return status;
}

static int doctor_run(const struct command_line *line, struct settings *settings, int argc,
                      char *const argv[])
{
    int status = run(line, settings, argc, argv);
    settings_free(settings);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "[--active] [--output text|json|runbook] [--timeout DURATION] [FILE...]",
    .help = "Look at everything once, and say what is wrong and what to do next.",
    .run = doctor_run,
};
