/*
 * drill - restores a backup on this host, starts it, looks into it and deletes it again.
 *
 * It proves the data of a repository, not that this host can start production's configuration, and
 * it cannot touch production: the scratch folder is new each time, no option of a restore is
 * inherited, and the server in it listens to nobody else.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/drill_record.h"
#include "collectors/parse/mountinfo.h"
#include "exporter/base/clock.h"
#include "exporter/commands/arguments.h"
#include "exporter/commands/command.h"
#include "exporter/commands/drill_check.h"
#include "exporter/commands/drill_moment.h"
#include "exporter/commands/drill_programs.h"
#include "exporter/commands/drill_restore.h"
#include "exporter/commands/drill_room.h"
#include "exporter/commands/drill_server.h"
#include "exporter/commands/drill_window.h"
#include "exporter/commands/run_line.h"
#include "exporter/commands/signals.h"
#include "exporter/config/lists.h"
#include "exporter/report/when.h"

#define CHILDREN_AT_ONCE     2
#define STUCK_CHILDREN_LIMIT 8

struct drill_options {
    bool help, amcheck, allow_same_filesystem;
    char *stanza;
    int64_t repo;
    char *set, *scratch, *target, *postgres_bin, *user, *sql;
    struct text_list databases;
    double timeout_s;
};

#define ROW(row_key, row_type, member, row_help, ...)                                              \
    {                                                                                              \
        .key = (row_key), .type = (row_type), .help = (row_help), .sources = OPTION_IN_FLAG,       \
        .offset = offsetof(struct drill_options, member), __VA_ARGS__                              \
    }

static const struct option rows[] = {
    ARGUMENTS_HELP(struct drill_options, help),
    ROW("stanza", OPTION_TEXT, stanza, "Can be left out where there is only one.",
        .value = "STANZA"),
    ROW("repo", OPTION_INTEGER, repo, "The key of the repository to restore from.", .value = "KEY",
        .min = 1, .max = 256),
    ROW("set", OPTION_TEXT, set, "The backup to restore.", .value = "LABEL",
        .shown = "the newest of the current database"),
    ROW("target", OPTION_TEXT, target,
        "How far recovery goes: latest (all WAL there is, as a restore does), backup (to its end) "
        "or a time such as 2026-11-23 02:00:00+00; random: one by chance, with the backup before "
        "it, of all that WAL leads on from.",
        .value = "TARGET", .shown = "latest with continuous WAL, else backup"),
    ROW("db-include", OPTION_TEXTS, databases,
        "Restore only this database; can be repeated. Such a drill proves nothing of the rest and "
        "is never recorded as a success.",
        .value = "NAME"),
    ROW("scratch", OPTION_PATH, scratch,
        "The folder to restore in; a new one is made in it and deleted.", .value = "DIRECTORY",
        .shown = "scratch in the state directory"),
    ROW("allow-same-filesystem", OPTION_BOOL, allow_same_filesystem,
        "Restore beside PGDATA, its WAL or a repository, and keep 20 % of their file system free.",
        .value = NULL),
    ROW("postgres-bin", OPTION_PATH, postgres_bin,
        "The folder of postgres of the backup's major version.", .value = "DIRECTORY",
        .shown = "where Debian, PGDG and Nix put it"),
    ROW("user", OPTION_TEXT, user, "A superuser of the cluster.", .value = "ROLE",
        .fallback = "postgres"),
    ROW("sql", OPTION_PATH, sql,
        "A file for psql, run in the database postgres; an error in it fails the drill.",
        .value = "FILE"),
    ROW("amcheck", OPTION_BOOL, amcheck,
        "Check tables and indexes with pg_amcheck, installing the extension in the copy.",
        .value = NULL),
    ROW("timeout", OPTION_DURATION, timeout_s, "Give up after that.", .value = "DURATION",
        .fallback = "12h", .min = 10, .max = 7 * 86400.0),
};

static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct drill_options)};

static const char about[] =
    "Restores a backup into a new folder, starts PostgreSQL on it where nobody else can reach it,\n"
    "waits for the end of recovery, reads every catalogue, verifies checksums, and deletes it "
    "all.\n"
    "What came of it is recorded for the exporter and its alerts. Exit status 0: proven; 1: it\n"
    "failed, standard error says at what; 2: it could not begin.\n";

/* One drill. */
struct drill {
    const struct drill_options *options;
    const struct settings *settings;
    const struct stanza_repository *repository;
    struct proc_pool *pool;
    struct strbuf record_path;
    struct drill_record record;
    struct run_wait real_restore;
    struct drill_scratch scratch;
    struct drill_guard guard;
    struct drill_restore restore;
    struct drill_backup backup;
    char *programs;
    struct drill_window window; /* with a random target */
    struct strbuf moment;       /* its time, in words for recovery */
    struct drill_server server;
    struct drill_findings findings;
    struct repository_env secrets; /* what no message may show */
};

/* ---- the record ---- */

static bool replace_text(char **place, const char *text, struct err *err)
{
    char *copy = strdup(text);
    if (!copy)
        return err_memory(err);
    free(*place);
    *place = copy;
    return true;
}

static bool save(struct drill *drill, struct err *err)
{
    return drill_record_write(strbuf_text(&drill->record_path), &drill->record, err);
}

/* What is being done now is written before it is done: whoever kills us leaves that behind. */
static bool enter_stage(struct drill *drill, const char *stage, struct err *err)
{
    bool entered = replace_text(&drill->record.stage, stage, err) && save(drill, err);
    printf("%s\n", stage);
    fflush(stdout);
    return entered;
}

static bool begin_record(struct drill *drill, struct err *err)
{
    struct drill_record before CLEANUP(drill_record_done) = {0};
    struct err unreadable = {0};
    if (!drill_record_read(strbuf_text(&drill->record_path), &before, &unreadable))
        fprintf(stderr, "pgbackup_exporter: the record before is given up: %s\n", unreadable.text);
    drill->record = (struct drill_record){
        .started_at = clock_wall_seconds(),
        .partial = drill->options->databases.count > 0,
        .failed_before = before.started_at > 0 && !before.succeeded,
        .success_started_at = before.success_started_at,
        .success_ready_at = before.success_ready_at,
        .success_ended_at = before.success_ended_at,
        .success_recovered_at = before.success_recovered_at,
    };
    return enter_stage(drill, "looking for a backup", err);
}

/* A server's log echoes what its restore_command said. */
static void hide_secrets(const struct drill *drill, struct err *err)
{
    struct strbuf sound CLEANUP(strbuf_done) = {0};
    repository_redact(&drill->secrets, err->text, &sound);
    err_set(err, err->code, "%s", sound.failed ? "out of memory" : strbuf_text(&sound));
}

static bool end_record(struct drill *drill, bool proven, struct err *failure, struct err *err)
{
    struct drill_record *record = &drill->record;
    record->ended_at = clock_wall_seconds();
    record->succeeded = proven && !record->partial;
    if (!proven && !replace_text(&record->error, failure->text, err))
        return false;
    if (record->succeeded) {
        record->success_started_at = record->started_at;
        record->success_ready_at = record->ready_at;
        record->success_ended_at = record->ended_at;
        record->success_recovered_at = record->recovered_at;
    }
    return save(drill, err);
}

/* ---- the stages ---- */

static bool find_programs(struct drill *drill, struct err *err)
{
    const struct passwd *account = getpwuid(geteuid());
    const struct drill_host host = {
        .pool = drill->pool,
        .root = "",
        .user = account ? account->pw_name : "postgres",
        .home = account ? account->pw_dir : "/var/lib/postgresql",
    };
    return drill_programs_find(&host, drill->backup.version, drill->options->postgres_bin,
                               &drill->guard.bound, &drill->programs, err);
}

static bool choose(struct drill *drill, struct err *err)
{
    const char *set = drill->options->set;
    if (!repository_env(drill->repository, &drill->secrets, err))
        return false;
    bool chosen =
        drill->restore.target == DRILL_RANDOM
            ? drill_window_choose(&drill->restore, set, &drill->window, &drill->backup, err)
            : drill_restore_choose(&drill->restore, set, &drill->backup, err);
    return chosen && replace_text(&drill->record.label, drill->backup.label, err) &&
           find_programs(drill, err);
}

static bool make_folder(struct drill *drill, const char *base, const char *prefix, struct err *err)
{
    return enter_stage(drill, "making room", err) && drill_scratch_clear(base, prefix, err) &&
           drill_scratch_make(base, prefix, &drill->scratch, err);
}

static bool make_scratch(struct drill *drill, struct err *err)
{
    struct strbuf base CLEANUP(strbuf_done) = {0};
    if (drill->options->scratch)
        strbuf_puts(&base, drill->options->scratch);
    else
        strbuf_printf(&base, "%s/scratch", drill->settings->state_directory);
    char *prefix = drill_scratch_prefix(drill->repository->stanza->name, drill->repository->key);
    bool made = prefix && !base.failed ? make_folder(drill, strbuf_text(&base), prefix, err)
                                       : err_memory(err);
    free(prefix);
    return made &&
           drill_room_check(&drill->scratch, drill->repository, drill->backup.size_bytes,
                            drill->options->allow_same_filesystem, &drill->guard.keep_free, err);
}

static bool restore(struct drill *drill, struct err *err)
{
    return enter_stage(drill, "restoring", err) &&
           drill_restore_run(&drill->restore, &drill->backup, err);
}

/* The moment is told before it is tried, so that a failure can be tried again. */
static bool settle_moment(struct drill *drill, struct err *err)
{
    if (drill->restore.target != DRILL_RANDOM)
        return true;
    if (!drill_window_settle(&drill->restore, drill->programs, &drill->window, err))
        return false;
    if (drill->window.moment <= 0) {
        puts("no transaction of late behind the backup: recovering to the end of the WAL");
        drill->restore.target = DRILL_LATEST;
        return true;
    }
    drill_moment_add(&drill->moment, drill->window.moment);
    printf("a moment by chance: --set %s --target \"%s\"\n", drill->backup.label,
           strbuf_text(&drill->moment));
    return !drill->moment.failed || err_memory(err);
}

static bool recover(struct drill *drill, struct err *err)
{
    if (!enter_stage(drill, "recovering", err) || !settle_moment(drill, err))
        return false;
    drill->server = (struct drill_server){
        .scratch = &drill->scratch,
        .guard = &drill->guard,
        .pool = drill->pool,
        .programs = drill->programs,
        .version = drill->backup.version,
        .user = drill->options->user,
        .until = drill->moment.length > 0 ? strbuf_text(&drill->moment) : NULL,
    };
    if (!drill_server_start(&drill->server, err) || !drill_server_wait(&drill->server, err))
        return false;
    drill->record.ready_at = clock_wall_seconds();
    return true;
}

static bool run_sql(struct drill *drill, struct err *err)
{
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    if (!drill->options->sql)
        return true;
    drill_server_conninfo(&drill->server, "postgres", &conninfo);
    const char *const arguments[] = {"-X", "-q",
                                     "-v", "ON_ERROR_STOP=1",
                                     "-f", drill->options->sql,
                                     "-d", strbuf_text(&conninfo),
                                     NULL};
    return enter_stage(drill, "running the SQL given", err) &&
           drill_server_run(&drill->server, "psql", arguments, err);
}

static bool run_amcheck(struct drill *drill, struct err *err)
{
    if (!drill->options->amcheck)
        return true;
    const char *const arguments[] = {"--all",
                                     "--install-missing",
                                     "--no-password",
                                     "-h",
                                     drill->scratch.socket,
                                     "-U",
                                     drill->options->user,
                                     NULL};
    return enter_stage(drill, "checking tables and indexes", err) &&
           drill_server_run(&drill->server, "pg_amcheck", arguments, err);
}

static bool look_into(struct drill *drill, struct err *err)
{
    enum drill_target target = drill->restore.target;
    const struct drill_goal goal = {
        .backup = &drill->backup,
        .all_wal = target == DRILL_LATEST,
        .one_moment = target == DRILL_TIME || target == DRILL_RANDOM,
    };
    if (!enter_stage(drill, "reading every catalogue", err) ||
        !drill_check_databases(&drill->server, &goal, &drill->findings, err))
        return false;
    drill->record.recovered_at = drill->findings.recovered_at;
    return run_sql(drill, err) && run_amcheck(drill, err);
}

static bool verify_pages(struct drill *drill, struct err *err)
{
    if (!enter_stage(drill, "stopping it", err) || !drill_server_stop(&drill->server, err))
        return false;
    if (!drill->findings.has_checksums)
        return true;
    return enter_stage(drill, "verifying page checksums", err) &&
           drill_check_pages(&drill->server, err);
}

static bool prove(struct drill *drill, struct err *err)
{
    return drill_guard_allows(&drill->guard, err) && restore(drill, err) && recover(drill, err) &&
           look_into(drill, err) && verify_pages(drill, err);
}

/* Whatever came of it, nothing is left. */
static void clean_up(struct drill *drill)
{
    struct err late = {0};
    if (!drill_server_stop(&drill->server, &late))
        companion_end(&drill->server.process, SIGKILL, 0);
    drill_scratch_remove(&drill->scratch);
}

/* ---- words for people ---- */

static void tell_success(const struct drill *drill)
{
    const struct drill_record *record = &drill->record;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&text, "%s: backup %s of repository %" PRId64 " (%s) was restored in ",
                  record->partial ? "PARTIAL, proves nothing of the rest" : "PROVEN",
                  drill->backup.label, drill->repository->key, drill->repository->name);
    when_add_span(&text, record->ready_at - record->started_at);
    strbuf_puts(&text, " to ");
    when_add_utc(&text, record->recovered_at);
    strbuf_printf(&text, "; %d databases were read", drill->findings.databases);
    puts(strbuf_text(&text));
    if (drill->findings.stopped.length > 0)
        printf("recovery stopped %s\n", strbuf_text(&drill->findings.stopped));
    if (!drill->findings.has_checksums)
        puts("note: the cluster has no page checksums, so tables were not verified page by page "
             "(--amcheck does)");
    if (drill->findings.collation_mismatches > 0)
        printf("warning: %d databases have collations of another version on this host: after a "
               "restore here, REINDEX what is sorted by text\n",
               drill->findings.collation_mismatches);
    double promised =
        drill->repository->settings ? drill->repository->settings->objectives.restore_time : 0;
    if (promised > 0 && record->ready_at - record->started_at > promised)
        puts("warning: that took longer than the restore-time objective");
}

/* ---- the whole ---- */

static bool name_target(struct drill *drill, struct err *err)
{
    const char *target = drill->options->target;
    if (!target)
        drill->restore.target =
            repository_has_continuous_wal(drill->repository) ? DRILL_LATEST : DRILL_BACKUP;
    else if (strcmp(target, "latest") == 0)
        drill->restore.target = DRILL_LATEST;
    else if (strcmp(target, "backup") == 0)
        drill->restore.target = DRILL_BACKUP;
    else if (strcmp(target, "random") == 0)
        drill->restore.target = DRILL_RANDOM;
    else if (target[0] >= '0' && target[0] <= '9')
        drill->restore.target = DRILL_TIME;
    else
        return err_set(err, ERR_CONFIG, "--target takes latest, backup, random or a time, not %s",
                       target);
    drill->restore.time = target;
    return true;
}

static bool prepare(struct drill *drill, int signals, struct err *err)
{
    const struct stanza *stanza = drill->repository->stanza;
    const char *lock_path = pair_list_get(&stanza->options, "lock-path");
    drill->real_restore = (struct run_wait){.lock_path = lock_path ? lock_path : RUN_WAIT_LOCK_PATH,
                                            .command = "restore",
                                            .stanza = stanza->name};
    drill_record_path(drill->settings->state_directory, stanza->name, drill->repository->key,
                      &drill->record_path);
    drill->pool = proc_pool_new(
        &(struct proc_limits){.at_once = CHILDREN_AT_ONCE, .stuck = STUCK_CHILDREN_LIMIT});
    if (!drill->pool || drill->record_path.failed)
        return err_memory(err);
    drill->guard = (struct drill_guard){
        .bound = bound_after((int64_t)(1000 * drill->options->timeout_s), signals),
        .scratch = &drill->scratch,
        .restore = &drill->real_restore,
    };
    drill->restore = (struct drill_restore){
        .pool = drill->pool,
        .program = drill->settings->pgbackrest.command,
        .repository = drill->repository,
        .config_file = drill->settings->config_file,
        .databases = drill->options->databases.count > 0
                         ? (const char *const *)drill->options->databases.items
                         : NULL,
        .scratch = &drill->scratch,
        .guard = &drill->guard,
    };
    return name_target(drill, err);
}

static void drill_done(struct drill *drill)
{
    proc_pool_free(drill->pool);
    repository_env_done(&drill->secrets);
    drill_record_done(&drill->record);
    drill_backup_done(&drill->backup);
    drill_window_done(&drill->window);
    drill_findings_done(&drill->findings);
    strbuf_done(&drill->moment);
    strbuf_done(&drill->record_path);
    free(drill->programs);
}

static int conduct(struct drill *drill, struct err *err)
{
    int lock = -1;
    struct err unsaved = {0};
    if (!drill_record_lock(strbuf_text(&drill->record_path), &lock, err))
        return EXIT_USAGE;
    bool proven = begin_record(drill, err) && choose(drill, err) && make_scratch(drill, err) &&
                  prove(drill, err);
    clean_up(drill);
    hide_secrets(drill, err);
    bool saved = end_record(drill, proven, err, &unsaved);
    close(lock);
    if (!saved)
        fprintf(stderr, "pgbackup_exporter: not recorded: %s\n", unsaved.text);
    if (!proven)
        err_prefix(err, "FAILED at %s", drill->record.stage ? drill->record.stage : "its start");
    else
        tell_success(drill);
    return proven && saved ? EXIT_FINE : EXIT_WRONG;
}

static int run(const struct drill_options *options, struct settings *settings,
               const struct stanza_repository *repository, struct err *err)
{
    struct drill drill CLEANUP(drill_done) = {
        .options = options, .settings = settings, .repository = repository};
    int signals = signals_take();
    int status = EXIT_USAGE;
    if (signals < 0)
        err_system(err, errno, "cannot take signals");
    else if (prepare(&drill, signals, err))
        status = conduct(&drill, err);
    if (signals >= 0)
        close(signals);
    return status;
}

static const struct stanza_repository *find_repository(const struct drill_options *options,
                                                       const struct settings *settings,
                                                       struct err *err)
{
    const struct run_line line = {.stanza = options->stanza, .repo_key = options->repo};
    const struct stanza *stanza = NULL;
    if (options->repo == 0) {
        err_set(err, ERR_CONFIG, "drill: --repo says which repository to restore from");
        return NULL;
    }
    if (!run_line_stanza(&line, settings, &stanza, err) ||
        !run_line_check_repository(&line, stanza, err))
        return NULL;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        if (run_line_wants(&line, &stanza->repositories[i]))
            return &stanza->repositories[i];
    }
    return NULL;
}

static void options_done(struct drill_options *options)
{
    option_free(&table, options);
}

static int drill_run(const struct command_line *line UNUSED, struct settings *settings, int argc,
                     char *const argv[])
{
    struct drill_options options CLEANUP(options_done) = {0};
    struct strbuf help CLEANUP(strbuf_done) = {0};
    struct err err = {0};
    int status = EXIT_USAGE;
    bool understood = arguments_read(&table, &options, argc, argv, NULL, &err);
    if (understood && options.help) {
        arguments_help(&command_drill, about, &table, &help);
        status = fputs(strbuf_text(&help), stdout) >= 0 ? EXIT_FINE : EXIT_WRONG;
    } else if (understood) {
        const struct stanza_repository *repository = find_repository(&options, settings, &err);
        status = repository ? run(&options, settings, repository, &err) : EXIT_USAGE;
    }
    if (status != EXIT_FINE)
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    settings_free(settings);
    return status;
}

const struct command command_drill = {
    .name = "drill",
    .arguments = "--repo KEY [--stanza STANZA] [OPTIONS]",
    .help = "Prove that a repository can be restored: restore it here, look into it, delete it.",
    .run = drill_run,
};
