/*
 * run - pgBackRest's own commands with the one definition of each repository.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "collectors/command_record.h"
#include "collectors/repository.h"
#include "exporter/commands/command.h"
#include "exporter/commands/run_backup.h"
#include "exporter/commands/run_child.h"
#include "exporter/commands/run_line.h"
#include "exporter/commands/run_print.h"
#include "exporter/commands/run_record.h"
#include "exporter/commands/run_restore.h"
#include "exporter/commands/run_wait.h"
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

/* pgbackrest as it is called. */
struct call {
    char **argv;
    struct strbuf stanza_option;
    struct text_list options; /* behind those that were given */
    struct repository_env env;
};

static void call_done(struct call *call)
{
    free((void *)call->argv);
    strbuf_done(&call->stanza_option);
    text_list_done(&call->options);
    repository_env_done(&call->env);
}

/* program, what run gives, what was asked for, what run adds. --repo too is in the environment: it
 * holds no other repository. */
static char **build_argv(const struct run_line *line, const char *program, const struct call *call)
{
    size_t count = (size_t)line->argument_count;
    char **argv = calloc(count + call->options.count + 4, sizeof(char *));
    if (!argv)
        return NULL;
    size_t at = 0;
    argv[at++] = (char *)(uintptr_t)program;
    if (line->takes_stanza) {
        argv[at++] = (char *)(uintptr_t) "--no-config";
        argv[at++] = (char *)(uintptr_t)strbuf_text(&call->stanza_option);
    }
    memcpy(argv + at, line->arguments, count * sizeof(char *));
    if (call->options.count > 0)
        memcpy(argv + at + count, call->options.items, call->options.count * sizeof(char *));
    return argv;
}

static bool make_call(const struct run_line *line, const struct settings *settings,
                      const struct stanza *stanza, struct call *call, struct err *err)
{
    strbuf_printf(&call->stanza_option, "--stanza=%s", stanza->name);
    if (!run_restore_add_options(line, stanza, &call->options, err))
        return false;
    call->argv = build_argv(line, settings->pgbackrest.command, call);
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

/* The status of a command that a signal kept from beginning. */
static int stopped_status(int signals)
{
    struct signalfd_siginfo signal = {0};
    if (read(signals, &signal, sizeof signal) != (ssize_t)sizeof signal)
        return EXIT_WRONG;
    fprintf(stderr, "pgbackup_exporter: told to stop while waiting\n");
    return RUN_CHILD_SIGNAL_STATUS + (int)signal.ssi_signo;
}

static bool run_in_turn(const struct call *call, struct run_wait *wait, struct run_record *record,
                        int *ret_status, struct err *err)
{
    int signals = wait->bound.stop_fd;
    int status = 0;
    for (;;) {
        run_record_begin(record);
        enum run_wait_turn turn = run_wait_turn(wait, status == RUN_WAIT_LOCKED);
        if (turn == RUN_WAIT_STOPPED)
            status = stopped_status(signals);
        if (turn != RUN_WAIT_GO)
            break;
        if (!run_child(call->argv, call->env.items, signals, &status, err))
            return false;
        if (status != RUN_WAIT_LOCKED)
            break;
    }
    *ret_status = status;
    return true;
}

/* What was asked for. */
struct job {
    const struct run_line *line;
    struct settings *settings;
    const struct stanza *stanza;
};

/* Stay with it, for what comes after it. *ret_status is pgbackrest's own unless it ended well. */
static bool supervise(const struct job *job, struct run_record *record, int *ret_status,
                      struct err *err)
{
    int status = 0;
    int signals CLEANUP(close_fd) = signals_take();
    struct call call CLEANUP(call_done) = {0};
    const struct stanza_repository *incomplete = run_backup_target(job->line, job->stanza);
    if (!make_call(job->line, job->settings, job->stanza, &call, err) ||
        (incomplete && !run_backup_prepare(&call.env, err)))
        return false;
    const char *lock_path = repository_env_get(&call.env, "lock-path");
    struct run_wait wait = {
        .lock_path = lock_path ? lock_path : RUN_WAIT_LOCK_PATH,
        .command = job->line->arguments[0],
        .stanza = job->stanza->name,
        .repo_key = job->line->repo_key,
        .bound = bound_after(job->line->lock_wait_ms, signals),
    };
    if (!run_in_turn(&call, &wait, record, &status, err))
        return false;
    if (status == EXIT_FINE && incomplete &&
        !run_backup_complete(job->settings, incomplete, signals))
        status = EXIT_WRONG;
    *ret_status = status;
    return true;
}

static bool record_it(const struct job *job, int *ret_status, struct err *err)
{
    struct run_record record CLEANUP(run_record_done) = {0};
    run_record_open(&record, job->line, job->settings, job->stanza);
    run_record_begin(&record);
    bool ran = supervise(job, &record, ret_status, err);
    run_record_end(&record, ran ? *ret_status : EXIT_USAGE);
    return ran;
}

/* PostgreSQL runs a restore_command in its data directory. */
static bool is_standby(void)
{
    return access("standby.signal", F_OK) == 0;
}

static bool get_wal(const struct job *job, int *ret_status, struct err *err)
{
    int status = 0;
    int signals CLEANUP(close_fd) = signals_take();
    struct call call CLEANUP(call_done) = {0};
    if (!make_call(job->line, job->settings, job->stanza, &call, err) ||
        !run_child(call.argv, call.env.items, signals, &status, err))
        return false;
    *ret_status = run_restore_wal_status(status, is_standby());
    if (*ret_status == EXIT_CANNOT_RUN)
        fprintf(stderr,
                "pgbackup_exporter: archive-get ended with status %d: that is no word on "
                "whether there is such a file\n",
                status);
    return true;
}

/* *ret_status is written when pgbackrest has run; what it becomes does not come back. */
static bool act(const struct job *job, int *ret_status, struct err *err)
{
    struct call call CLEANUP(call_done) = {0};
    if (job->line->lock_wait_ms > 0 || command_record_is_kept(job->line->arguments[0]))
        return record_it(job, ret_status, err);
    if (strcmp(job->line->arguments[0], "archive-get") == 0)
        return get_wal(job, ret_status, err);
    return make_call(job->line, job->settings, job->stanza, &call, err) &&
           become_pgbackrest(&call, err);
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
        return act(&(struct job){line, settings, stanza}, ret_status, err);
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
    .arguments = "[--stanza STANZA] [--repo KEY] [--lock-wait DURATION] [--print] [--] COMMAND ...",
    .help = "Run a pgBackRest command with the repositories as configured here.",
    .run = run_run,
};
