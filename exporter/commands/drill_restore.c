#include "exporter/commands/drill_restore.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/pgbackrest_info.h"
#include "exporter/commands/drill_server.h"
#include "exporter/commands/restore_command.h"

#define INFO_MS 60000
#define END_MS  10000

void drill_backup_done(struct drill_backup *backup)
{
    free(backup->label);
    free(backup->version);
    free(backup->lsn_stop);
    free(backup->newest_wal);
    *backup = (struct drill_backup){0};
}

/* ---- choosing ---- */

bool drill_restore_catalogue(const struct drill_restore *restore, struct info **ret,
                             struct err *err)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct bound bound = bound_after(INFO_MS, restore->guard->bound.stop_fd);
    if (!repository_env(restore->repository, &env, err) || !pgbackrest_prepare(&env, INFO_MS, err))
        return false;
    return pgbackrest_info(&(struct pgbackrest_call){.pool = restore->pool,
                                                     .program = restore->program,
                                                     .repository = restore->repository,
                                                     .env = &env},
                           &bound, ret, err);
}

static const struct info_backup *find_backup(const struct info_stanza *stanza, int64_t repo_key,
                                             const char *label)
{
    const struct info_database *now = info_current_database(stanza, repo_key);
    const struct info_backup *newest = NULL;
    for (size_t i = 0; i < stanza->backup_count; i++) {
        const struct info_backup *backup = &stanza->backups[i];
        if (backup->repo_key != repo_key)
            continue;
        if (label ? strcmp(backup->label, label) == 0
                  : now && backup->database_id == now->id &&
                        (!newest || backup->stop >= newest->stop))
            newest = backup;
    }
    return newest;
}

static const char *version_of(const struct info_stanza *stanza, const struct info_backup *backup)
{
    for (size_t i = 0; i < stanza->database_count; i++) {
        const struct info_database *database = &stanza->databases[i];
        if (database->repo_key == backup->repo_key && database->id == backup->database_id)
            return database->version;
    }
    return "";
}

static const char *newest_wal_of(const struct info_stanza *stanza, const struct info_backup *backup)
{
    for (size_t i = 0; i < stanza->archive_count; i++) {
        const struct info_archive *archive = &stanza->archives[i];
        if (archive->repo_key == backup->repo_key && archive->database_id == backup->database_id)
            return archive->max;
    }
    return NULL;
}

/* A copy, or NULL for NULL. */
static bool copy_text(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

bool drill_backup_copy(const struct info_stanza *stanza, const struct info_backup *found,
                       struct drill_backup *ret, struct err *err)
{
    struct drill_backup backup = {
        .stop = (double)found->stop,
        .size_bytes = found->size_bytes,
        .offline = !found->archive_start,
    };
    if (!copy_text(found->label, &backup.label) ||
        !copy_text(version_of(stanza, found), &backup.version) ||
        !copy_text(found->lsn_stop, &backup.lsn_stop) ||
        !copy_text(newest_wal_of(stanza, found), &backup.newest_wal)) {
        drill_backup_done(&backup);
        return err_memory(err);
    }
    *ret = backup;
    return true;
}

/* An info status that is not good says why there may be no backup. */
static bool says_none(const struct drill_restore *restore, const struct info_stanza *stanza,
                      const char *label, struct err *err)
{
    const struct info_repository *repository =
        stanza ? info_find_repository(stanza, restore->repository->key) : NULL;
    const char *why = repository && repository->status.code != INFO_OK
                          ? repository->status.message
                          : "it lists none of the current database";
    return err_set(err, ERR_NO_BACKUP, "repository %" PRId64 " (%s): no backup %s: %s",
                   restore->repository->key, restore->repository->name,
                   label ? label : "to restore", label && repository ? "it is not listed" : why);
}

bool drill_restore_choose(const struct drill_restore *restore, const char *label,
                          struct drill_backup *ret, struct err *err)
{
    struct info *info CLEANUP(info_unrefp) = NULL;
    if (!drill_restore_catalogue(restore, &info, err))
        return false;
    const struct info_stanza *stanza = info_find_stanza(info, restore->repository->stanza->name);
    const struct info_backup *found =
        stanza ? find_backup(stanza, restore->repository->key, label) : NULL;
    return found ? drill_backup_copy(stanza, found, ret, err)
                 : says_none(restore, stanza, label, err);
}

/* ---- restoring ---- */

static void add_restore_command(struct strbuf *out, const struct drill_restore *restore,
                                const char *self)
{
    struct strbuf options CLEANUP(strbuf_done) = {0};
    strbuf_puts(&options, " --no-archive-async --log-level-file=off --pg1-path=");
    strbuf_shell_word(&options, restore->scratch->data);
    strbuf_puts(&options, " --lock-path=");
    strbuf_shell_word(&options, restore->scratch->lock);
    restore_command_add(&(struct restore_command){.program = self,
                                                  .config_file = restore->config_file,
                                                  .stanza = restore->repository->stanza->name,
                                                  .repo_key = restore->repository->key,
                                                  .options = strbuf_text(&options)},
                        out);
    out->failed = out->failed || options.failed;
}

/* "pg2-host": of another host or cluster of the stanza; the first path is set anew. */
static bool is_of_server(const char *option)
{
    if (strncmp(option, "pg", 2) != 0 || !isdigit((unsigned char)option[2]))
        return false;
    return strcmp(option, "pg1-path") != 0;
}

/* Of the restore command alone: what production's next restore shall do is not what we do. */
static bool is_of_restore(const char *option)
{
    static const char *const options[] = {
        "archive-mode",  "db-exclude",       "db-include",         "delta",
        "force",         "link-all",         "link-map",           "recovery-option",
        "set",           "tablespace-map",   "tablespace-map-all", "target",
        "target-action", "target-exclusive", "target-timeline",    "type",
    };
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(option, options[i]) == 0)
            return true;
    }
    return false;
}

static void drop_options(const struct drill_restore *restore, struct repository_env *env)
{
    const struct pair_list *options = &restore->repository->stanza->options;
    for (size_t i = 0; i < options->count; i++) {
        const char *option = options->items[i].name;
        if (is_of_server(option) || is_of_restore(option))
            repository_env_unset(env, option);
    }
}

static bool make_environment(const struct drill_restore *restore, struct repository_env *env,
                             struct err *err)
{
    const struct drill_scratch *scratch = restore->scratch;
    if (!repository_env(restore->repository, env, err))
        return false;
    drop_options(restore, env);
    return repository_env_set(env, "pg1-path", scratch->data, err) &&
           repository_env_set(env, "lock-path", scratch->lock, err) &&
           repository_env_set(env, "spool-path", scratch->spool, err) &&
           repository_env_set(env, "tablespace-map-all", scratch->tablespaces, err) &&
           repository_env_set(env, "process-max", "1", err) &&
           repository_env_set(env, "log-level-console", "off", err) &&
           repository_env_set(env, "log-level-file", "off", err) &&
           repository_env_set(env, "log-level-stderr", "warn", err);
}

/* The words of the command line; owned texts are freed by words_done(). */
struct words {
    char *items[48];
    size_t count;
    bool failed;
};

static void words_done(struct words *words)
{
    while (words->count > 0)
        free(words->items[--words->count]);
}

static void add_word(struct words *words, const char *option, const char *value)
{
    struct strbuf word = {0};
    strbuf_printf(&word, "%s%s%s", option, value ? "=" : "", value ? value : "");
    char *text = words->count + 1 < COUNT_OF(words->items) ? strbuf_steal(&word) : NULL;
    strbuf_done(&word);
    if (text)
        words->items[words->count++] = text;
    else
        words->failed = true;
}

static void add_target(struct words *words, const struct drill_restore *restore,
                       const struct drill_backup *backup)
{
    if (backup->offline) { /* there is no WAL that could be replayed to its end */
        add_word(words, "--type", "none");
        return;
    }
    static const char *const types[] = {[DRILL_LATEST] = "default",
                                        [DRILL_BACKUP] = "immediate",
                                        [DRILL_TIME] = "time",
                                        [DRILL_RANDOM] = "default"};
    add_word(words, "--type", types[restore->target]);
    if (restore->target == DRILL_TIME)
        add_word(words, "--target", restore->time);
    if (restore->target == DRILL_TIME || restore->target == DRILL_BACKUP)
        add_word(words, "--target-action", "promote");
}

/* What every command of pgbackrest begins with. */
static void add_command(struct words *words, const struct drill_restore *restore,
                        const char *command)
{
    struct strbuf repo CLEANUP(strbuf_done) = {0};
    strbuf_printf(&repo, "%" PRId64, restore->repository->key);
    add_word(words, restore->program, NULL);
    add_word(words, command, NULL);
    add_word(words, "--no-config", NULL);
    add_word(words, "--stanza", restore->repository->stanza->name);
    add_word(words, "--repo", strbuf_text(&repo));
    words->failed = words->failed || repo.failed;
}

static void add_words(struct words *words, const struct drill_restore *restore,
                      const struct drill_backup *backup, const char *self)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    strbuf_puts(&command, "restore_command=");
    add_restore_command(&command, restore, self);
    add_command(words, restore, "restore");
    add_word(words, "--set", backup->label);
    add_word(words, "--no-delta", NULL);
    add_word(words, "--no-link-all", NULL);
    add_target(words, restore, backup);
    if (!backup->offline)
        add_word(words, "--recovery-option", strbuf_text(&command));
    for (const char *const *name = restore->databases; name && *name; name++)
        add_word(words, "--db-include", *name);
    words->failed = words->failed || command.failed;
}

static bool says_failed(const struct drill_restore *restore, const char *command,
                        const struct repository_env *env, struct err *err)
{
    struct strbuf words CLEANUP(strbuf_done) = {0};
    struct strbuf sound CLEANUP(strbuf_done) = {0};
    drill_server_last_words(restore->scratch->log, &words);
    repository_redact(env, strbuf_text(&words), &sound);
    return err_set(err, ERR_EXIT, "pgbackrest %s: %s", command, strbuf_text(&sound));
}

static bool run(const struct drill_restore *restore, const struct words *words,
                const struct repository_env *env, struct err *err)
{
    struct companion child = {0};
    const struct companion_spec spec = {
        .argv = (const char *const *)words->items,
        .envp = (const char *const *)env->items,
        .log = restore->scratch->log,
        .end_signal = SIGKILL,
    };
    if (!companion_start(&spec, &child, err))
        return false;
    bool ended = drill_guard_wait(restore->guard, &child, err);
    companion_end(&child, SIGTERM, END_MS);
    return ended &&
           (companion_succeeded(&child) || says_failed(restore, words->items[1], env, err));
}

bool drill_restore_run(const struct drill_restore *restore, const struct drill_backup *backup,
                       struct err *err)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct words words CLEANUP(words_done) = {0};
    struct strbuf self CLEANUP(strbuf_done) = {0};
    if (!restore_command_find_self(&self, err) || !make_environment(restore, &env, err))
        return false;
    add_words(&words, restore, backup, strbuf_text(&self));
    if (words.failed)
        return err_memory(err);
    return run(restore, &words, &env, err);
}

bool drill_restore_get_wal(const struct drill_restore *restore, const char *segment,
                           const char *file, struct err *err)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct words words CLEANUP(words_done) = {0};
    if (!make_environment(restore, &env, err))
        return false;
    add_command(&words, restore, "archive-get");
    add_word(&words, "--no-archive-async", NULL);
    add_word(&words, segment, NULL);
    add_word(&words, file, NULL);
    if (words.failed)
        return err_memory(err);
    return run(restore, &words, &env, err);
}
