/*
 * run - pgBackRest's own commands with the one definition of each repository.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/repository.h"
#include "exporter/commands/command.h"
#include "exporter/commands/run_backup.h"
#include "exporter/commands/run_child.h"
#include "exporter/commands/run_line.h"
#include "exporter/commands/run_print.h"
#include "exporter/commands/signals.h"

/* What a person's own environment says to pgbackrest and to libpq in it. */
static const char *const passed[] = {"HOME",       "USER",         "LOGNAME",       "TZ",
                                     "PGPASSFILE", "PGSSLMODE",    "PGSSLROOTCERT", "PGSSLCERT",
                                     "PGSSLKEY",   "PGSERVICEFILE"};

static bool make_environment(const struct run_line *line, const struct stanza *stanza,
                             struct repository_env *env, struct err *err)
{
    if (!repository_env_begin(stanza, env, err))
        return false;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (!run_line_wants(line, repository) || repository_env_add(env, repository, err))
            continue;
        bool others = line->repo_key == 0 && stanza->repository_count > 1;
        return err_prefix(err, "repository %d (%s)%s", (int)repository->key, repository->name,
                          others ? " (with --repo the others go without it)" : "");
    }
    for (size_t i = 0; i < COUNT_OF(passed); i++) {
        if (!repository_env_pass(env, passed[i], err))
            return false;
    }
    return true;
}

/* program, what run gives, then what was asked for. --repo too is in the environment: it holds no
 * other repository. */
static char **build_argv(const struct run_line *line, const char *program, const char *stanza)
{
    size_t count = (size_t)line->argument_count;
    char **argv = calloc(count + 4, sizeof(char *));
    if (!argv)
        return NULL;
    size_t at = 0;
    argv[at++] = (char *)(uintptr_t)program;
    if (line->takes_stanza) {
        argv[at++] = (char *)(uintptr_t) "--no-config";
        argv[at++] = (char *)(uintptr_t)stanza;
    }
    memcpy(argv + at, line->arguments, count * sizeof(char *));
    return argv;
}

/* pgbackrest as it is called. */
struct call {
    char **argv;
    struct strbuf stanza_option;
    struct repository_env env;
};

static void call_done(struct call *call)
{
    free((void *)call->argv);
    strbuf_done(&call->stanza_option);
    repository_env_done(&call->env);
}

static bool make_call(const struct run_line *line, const struct settings *settings,
                      const struct stanza *stanza, struct call *call, struct err *err)
{
    strbuf_printf(&call->stanza_option, "--stanza=%s", stanza->name);
    call->argv = build_argv(line, settings->pgbackrest.command, strbuf_text(&call->stanza_option));
    if (!call->argv || call->stanza_option.failed)
        return err_memory(err);
    return make_environment(line, stanza, &call->env, err);
}

/* Returns only when it could not. */
static bool become_pgbackrest(const struct call *call, struct err *err)
{
    signal(SIGPIPE, SIG_DFL); /* ignored by us, and inherited */
    execve(call->argv[0], call->argv, call->env.items);
    return err_system(err, errno, "cannot run %s (pgbackrest.command)", call->argv[0]);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Stay with it, for what comes after it. *ret_status is pgbackrest's own unless it ended well. */
static bool supervise(struct call *call, struct settings *settings,
                      const struct stanza_repository *repository, int *ret_status, struct err *err)
{
    int status = 0;
    int signals CLEANUP(close_fd) = signals_take();
    if (!run_backup_prepare(&call->env, err) ||
        !run_child(call->argv, call->env.items, signals, &status, err))
        return false;
    if (status == EXIT_FINE && !run_backup_complete(settings, repository, signals))
        status = EXIT_WRONG;
    *ret_status = status;
    return true;
}

/* *ret_status is written when pgbackrest has run; what it becomes does not come back. */
static bool act(const struct run_line *line, struct settings *settings, const struct stanza *stanza,
                int *ret_status, struct err *err)
{
    struct call call CLEANUP(call_done) = {0};
    const struct stanza_repository *incomplete = run_backup_target(line, stanza);
    if (!make_call(line, settings, stanza, &call, err))
        return false;
    return incomplete ? supervise(&call, settings, incomplete, ret_status, err)
                      : become_pgbackrest(&call, err);
}

/* Whether pgbackrest.conf gives the plain line repositories that were not asked for. */
static bool goes_to_others(const struct run_line *line, const struct stanza *stanza)
{
    bool others = false;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        others = others || (repository->in_pgbackrest_conf && !run_line_wants(line, repository));
    }
    return others && !line->takes_repo;
}

static bool print(const struct run_line *line, const struct settings *settings,
                  const struct stanza *stanza, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    bool incomplete = false;
    run_print(line, settings, stanza, &text, &incomplete);
    if (text.failed)
        return err_memory(err);
    if (goes_to_others(line, stanza))
        fprintf(stderr,
                "pgbackup_exporter: pgbackrest's own %s takes no --repo: as a plain line it goes "
                "to every repository\n",
                line->arguments[0]);
    if (incomplete)
        fprintf(stderr, "pgbackup_exporter: put the value in place of each <...>: %s holds it\n",
                settings->config_file);
    return (fputs(strbuf_text(&text), stdout) >= 0 && fflush(stdout) == 0) ||
           err_system(err, errno, "cannot write");
}

/* The exit status, or false with *err. */
static bool run(const struct run_line *line, struct settings *settings, int *ret_status,
                struct err *err)
{
    static char no_name[] = "";
    static const struct stanza none = {.name = no_name};
    const struct stanza *stanza = &none;
    if (line->takes_stanza && (!settings_use_command(settings, line->arguments[0], err) ||
                               !run_line_stanza(line, settings, &stanza, err) ||
                               !run_line_check_repository(line, stanza, err)))
        return false;
    if (!line->print)
        return act(line, settings, stanza, ret_status, err);
    if (!print(line, settings, stanza, err))
        return false;
    *ret_status = EXIT_FINE;
    return true;
}

static int run_run(const struct command_line *command_line, struct settings *settings, int argc,
                   char *const argv[])
{
    struct err err = {0};
    struct run_line line = {0};
    int status = command_failure_status(command_line->argc + argc, command_line->argv);
    bool sound = run_line_read(argc, argv, &line, &err);
    if (sound && line.help)
        status = fputs(run_line_usage, stdout) >= 0 ? EXIT_FINE : EXIT_WRONG;
    else if (!sound || !run(&line, settings, &status, &err))
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    settings_free(settings);
    return status;
}

const struct command command_run = {
    .name = "run",
    .arguments = "[--stanza STANZA] [--repo KEY] [--print] [--] COMMAND ...",
    .help = "Run a pgBackRest command with the repositories as configured here.",
    .run = run_run,
};
