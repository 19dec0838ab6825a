/*
 * complete_wal - the command that makes the backups of a repository restorable which
 * archive_command does not feed.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "exporter/commands/arguments.h"
#include "exporter/commands/command.h"
#include "exporter/commands/complete.h"
#include "exporter/commands/run_line.h"
#include "exporter/commands/signals.h"

struct complete_wal {
    bool help;
    char *stanza;
    int64_t repo_key;
    bool dry_run;
    double timeout_s;
};

static const struct option rows[] = {
    ARGUMENTS_HELP(struct complete_wal, help),
    {
        .key = "stanza",
        .help = "Can be left out where there is only one.",
        .value = "STANZA",
        .type = OPTION_TEXT,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct complete_wal, stanza),
    },
    {
        .key = "repo",
        .help = "The repository to complete.",
        .value = "KEY",
        .type = OPTION_INTEGER,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct complete_wal, repo_key),
        .min = 1,
        .max = 256,
    },
    {
        .key = "dry-run",
        .help = "Only say what would be copied, and from where.",
        .type = OPTION_BOOL,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct complete_wal, dry_run),
    },
    {
        .key = "timeout",
        .help = "For all of it; what was copied by then stays.",
        .value = "DURATION",
        .fallback = COMPLETE_TIMEOUT,
        .type = OPTION_DURATION,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct complete_wal, timeout_s),
        .min = 1,
        .max = 7 * 24 * 3600,
    },
};

static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct complete_wal)};

static const char about[] =
    "Copies into a repository exactly the WAL that its backups cannot be restored without, and "
    "the\n"
    "timelines' history files: from pg_wal, else from another repository. For a repository that\n"
    "archive_command does not feed; run -- backup does it there by itself. Runs on the PostgreSQL\n"
    "host. What was done is looked at in the repository, and it can be broken off and run again "
    "at\n"
    "any moment. Exit status 1: a backup still lacks WAL, which standard error names.\n";

static void options_done(struct complete_wal *options)
{
    option_free(&table, options);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static const struct stanza_repository *find(const struct run_line *line,
                                            const struct settings *settings, struct err *err)
{
    const struct stanza *stanza = NULL;
    if (!run_line_stanza(line, settings, &stanza, err) ||
        !run_line_check_repository(line, stanza, err))
        return NULL;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        if (run_line_wants(line, &stanza->repositories[i]))
            return &stanza->repositories[i];
    }
    return NULL;
}

static int work(const struct complete_wal *options, const struct settings *settings,
                const struct stanza_repository *repository)
{
    struct err err = {0};
    bool is_complete = false;
    int signals CLEANUP(close_fd) = signals_take();
    const struct complete_request request = {
        .settings = settings,
        .repository = repository,
        .dry_run = options->dry_run,
        .bound = bound_after((int64_t)(1000 * options->timeout_s), signals),
    };
    if (complete(&request, &is_complete, &err))
        return is_complete ? EXIT_FINE : EXIT_WRONG;
    fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    return err.code == ERR_CONFIG ? EXIT_USAGE : EXIT_WRONG;
}

static int help(void)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    arguments_help(&command_complete_wal, about, &table, &text);
    return fputs(strbuf_text(&text), stdout) >= 0 ? EXIT_FINE : EXIT_WRONG;
}

static int run(struct settings *settings, int argc, char *const argv[])
{
    struct complete_wal options CLEANUP(options_done) = {0};
    struct err err = {0};
    bool read = arguments_read(&table, &options, argc, argv, NULL, &err);
    if (read && options.help)
        return help();
    const struct run_line line = {.stanza = options.stanza, .repo_key = options.repo_key};
    const struct stanza_repository *repository = NULL;
    if (read && line.repo_key == 0)
        read = err_set(&err, ERR_CONFIG, "complete-wal needs the key of a repository: --repo KEY");
    if (read && settings_use_command(settings, "archive-push", &err))
        repository = find(&line, settings, &err);
    if (repository)
        return work(&options, settings, repository);
    fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    return EXIT_USAGE;
}

static int complete_wal_run(const struct command_line *line UNUSED, struct settings *settings,
                            int argc, char *const argv[])
{
    int status = run(settings, argc, argv);
    settings_free(settings);
    return status;
}

const struct command command_complete_wal = {
    .name = "complete-wal",
    .arguments = "[--stanza STANZA] --repo KEY [--dry-run] [--timeout DURATION]",
    .help = "Copy into a repository the WAL that its backups need.",
    .run = complete_wal_run,
};
