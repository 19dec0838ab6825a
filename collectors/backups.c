/*
 * backups - what `pgbackrest info` says of each repository: its status and its backups.
 *
 * One child per stanza and repository, so that a dead or wrongly configured repository never hides
 * another. What is in the catalogue is not yet known to restore.
 */
#include "collectors/backups.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collectors/backup_summary.h"
#include "collectors/backups_each.h"
#include "collectors/backups_metrics.h"
#include "collectors/backups_report.h"
#include "collectors/model/reason.h"
#include "collectors/pgbackrest.h"
#include "collectors/repository_mount.h"
#include "collectors/repository_target.h"
#include "exporter/schedule/collector.h"

/* Listing an object store costs money and, with many files, time. */
#define OBJECT_STORE_INTERVAL_S 300

/* Reading a catalogue takes ten times its size for a moment; the heap would keep that. */
#define LARGE_OUTPUT_BYTES ((size_t)1024 * 1024)

/* One target. */
struct backups {
    struct proc_pool *pool;
    const char *program;                        /* of the settings */
    const struct stanza_repository *repository; /* of the settings */
    bool per_backup;
    char *key;
    struct mount_finder finder; /* without a path for a repository elsewhere */
    char *version;              /* of the program as it was at version_of; NULL: not known */
    struct stat version_of;
    struct info *catalogue; /* as it was last read */
    double catalogue_at;
    double asked_at; /* s since 1970: when the look under way began */
};

/* How one collection ended, before it is published. */
struct finding {
    enum err_code reason;
    int64_t code;
    const struct info_stanza *stanza; /* what pgbackrest answered; NULL when it did not */
};

const struct info_stanza *backups_observation_stanza(const struct backups_observation *observation)
{
    return observation->info ? info_find_stanza(observation->info, observation->stanza) : NULL;
}

void backups_observation_free(void *opaque)
{
    struct backups_observation *observation = opaque;
    if (!observation)
        return;
    info_unref(observation->info);
    free(observation->version);
    free(observation->stanza);
    free(observation);
}

static bool is_object_store(const char *storage)
{
    return strcmp(storage, "s3") == 0 || strcmp(storage, "gcs") == 0 ||
           strcmp(storage, "azure") == 0;
}

static bool add_target(const struct settings *settings, const struct stanza_repository *repository,
                       struct target_list *list, struct err *err)
{
    struct target *target = repository_target_add(list, settings, repository);
    if (!target)
        return err_memory(err);
    target->interval_s = is_object_store(repository->storage) ? OBJECT_STORE_INTERVAL_S : 0;
    return true;
}

static bool add_targets(const struct settings *settings, const struct stanza *stanza,
                        struct target_list *list, struct err *err)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        if (!add_target(settings, &stanza->repositories[i], list, err))
            return false;
    }
    return true;
}

static bool backups_targets(const struct settings *settings, struct target_list *ret,
                            struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        if (!add_targets(settings, &settings->stanzas[i], &list, err))
            return false;
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

static void backups_close(void *opaque)
{
    struct backups *state = opaque;
    if (!state)
        return;
    info_unref(state->catalogue);
    mount_finder_done(&state->finder);
    free(state->version);
    free(state->key);
    free(state);
}

static bool backups_open(const struct environment *environment, const struct target *target,
                         void **ret, struct err *err)
{
    struct backups *state = calloc(1, sizeof *state);
    if (!state)
        return err_memory(err);
    state->pool = environment->pool;
    state->program = environment->settings->pgbackrest.command;
    state->per_backup = environment->settings->per_backup;
    state->repository = target->spec;
    mount_finder_init(&state->finder, state->repository);
    state->key = strdup(target->name);
    if (!state->key) {
        backups_close(state);
        return err_memory(err);
    }
    *ret = state;
    return true;
}

/* A missing observation is only missed by collectors that would combine it: not worth failing. */
static void observe(const struct backups *state, struct run *run, const struct finding *finding)
{
    struct backups_observation *seen = calloc(1, sizeof *seen);
    char *stanza = strdup(state->repository->stanza->name);
    if (!seen || !stanza) {
        free(seen);
        free(stanza);
        return;
    }
    *seen = (struct backups_observation){
        .stanza = stanza,
        .repo_key = state->repository->key,
        .readable = finding->reason == ERR_NONE || finding->reason == ERR_NO_BACKUP,
        .reason = finding->reason,
        .code = finding->code,
        .lock_known = finding->stanza != NULL,
        .version = state->version ? strdup(state->version) : NULL,
        .info = info_ref(state->catalogue),
        .catalogue_at = state->catalogue_at,
    };
    if (finding->stanza)
        seen->lock = finding->stanza->lock;
    run_observe(run, seen, backups_observation_free);
}

static void report_exposed(const struct backups *state, struct run *run, struct report_item *group,
                           const struct repository_env *env)
{
    if (env->world_readable)
        backups_report_exposed(run->report, group, state->repository);
}

/* detail: the whole message, redacted, or NULL when *why holds it. */
static bool says_down(const struct backups *state, struct run *run, const struct finding *finding,
                      const struct err *why, const char *detail)
{
    sink_add(run->sink, BACKUPS_METRIC_REPO_ERROR, 1, LABELS(err_reason(why->code)));
    if (finding->code != BACKUPS_NO_CODE)
        sink_add(run->sink, BACKUPS_METRIC_REPO_STATUS, (double)finding->code, NULL);
    backups_report_down(run->report, state->repository, why, detail);
    observe(state, run, finding);
    return run_says_down(run, BACKUPS_METRIC_REPO_UP, why);
}

/* pgbackrest gave no status: it hung, or it refused its options. */
static bool says_nothing(const struct backups *state, struct run *run, const struct err *why)
{
    struct finding finding = {.reason = why->code, .code = BACKUPS_NO_CODE};
    return says_down(state, run, &finding, why, NULL);
}

/* We failed ourselves; the page still has a line about the repository. */
static bool fails(const struct backups *state, struct run *run, const struct err *err)
{
    if (err->code != ERR_STOPPED)
        backups_report_down(run->report, state->repository, err, NULL);
    return false;
}

/* Look at the version once, and again when the program was replaced. */
static void find_version(struct backups *state, const struct bound *bound)
{
    struct stat now;
    if (stat(state->program, &now) < 0)
        return;
    bool same = now.st_ino == state->version_of.st_ino &&
                now.st_mtim.tv_sec == state->version_of.st_mtim.tv_sec;
    if (same && state->version)
        return;
    struct bound part = bound_after(bound_remaining_ms(bound) / 4, bound->stop_fd);
    free(state->version);
    state->version = pgbackrest_version(state->pool, state->program, &part);
    state->version_of = now;
}

/* The output of `pgbackrest info`. */
static bool ask(const struct backups *state, const struct run *run, struct repository_env *env,
                struct proc_result *result, struct err *err)
{
    static const char *const arguments[] = {"info", "--output=json", NULL};
    struct pgbackrest_call call = {
        .pool = state->pool,
        .program = state->program,
        .repository = state->repository,
        .env = env,
        .arguments = arguments,
        .key = mount_finder_key(&state->finder, state->key),
    };
    return pgbackrest_prepare(env, bound_remaining_ms(&run->bound), err) &&
           pgbackrest_run(&call, &run->bound, result, err);
}

static bool find_repository(const struct backups *state, const struct info *info,
                            const struct info_stanza **ret_stanza,
                            const struct info_repository **ret, struct err *err)
{
    const struct stanza_repository *wanted = state->repository;
    const struct info_stanza *stanza = info_find_stanza(info, wanted->stanza->name);
    if (!stanza)
        return err_set(err, ERR_PROTOCOL, "pgbackrest info does not speak of stanza %s",
                       wanted->stanza->name);
    *ret = info_find_repository(stanza, wanted->key);
    if (!*ret)
        return err_set(err, ERR_PROTOCOL, "pgbackrest info does not speak of repository %" PRId64,
                       wanted->key);
    *ret_stanza = stanza;
    return true;
}

static bool is_encrypted(const struct stanza_repository *repository)
{
    return strcmp(repository->cipher, "none") != 0;
}

/* pgBackRest cannot tell a repository that is not mounted from one that was never made. */
static enum err_code reason_of(const struct backups *state, const struct info_status *status)
{
    enum err_code reason =
        reason_of_status(status->code, status->message, is_encrypted(state->repository));
    bool nothing_there = reason == ERR_MISSING_STANZA_PATH || reason == ERR_MISSING_STANZA_DATA;
    return nothing_there && state->finder.unmounted ? ERR_NOT_MOUNTED : reason;
}

/* The message is redacted; its first line is enough for a log, the page has all of it. */
static bool answers_down(const struct backups *state, struct run *run,
                         const struct repository_env *env, const struct finding *finding,
                         const struct info_status *status)
{
    struct strbuf message CLEANUP(strbuf_done) = {0};
    struct err why;
    repository_redact(env, status->message, &message);
    const char *text = strbuf_text(&message);
    err_set(&why, finding->reason, "repository %" PRId64 " (%s): %.*s", state->repository->key,
            state->repository->name, (int)strcspn(text, "\n"), text);
    if (finding->reason == ERR_NOT_MOUNTED && state->finder.unmounted)
        err_set(&why, ERR_NOT_MOUNTED,
                "repository %" PRId64 " (%s): its file system is not mounted on %s",
                state->repository->key, state->repository->name, mount_finder_name(&state->finder));
    return says_down(state, run, finding, &why, text);
}

static void answers_well(struct backups *state, struct run *run, const struct repository_env *env,
                         const struct finding *finding, const char *messages)
{
    struct strbuf warnings CLEANUP(strbuf_done) = {0};
    struct backup_summary summary = backup_summary(finding->stanza, state->repository->key);
    sink_add(run->sink, BACKUPS_METRIC_REPO_UP, 1, NULL);
    sink_add(run->sink, BACKUPS_METRIC_LAST_UP, state->asked_at, NULL);
    sink_add(run->sink, BACKUPS_METRIC_REPO_STATUS, (double)finding->code, NULL);
    if (finding->reason != ERR_NONE)
        sink_add(run->sink, BACKUPS_METRIC_REPO_ERROR, 1, LABELS(err_reason(finding->reason)));
    backups_metrics_add_summary(run->sink, &summary);
    if (state->per_backup)
        backups_each_add(run->sink, finding->stanza, state->repository->key);
    observe(state, run, finding);
    repository_redact(env, messages, &warnings);
    struct report_item *group =
        backups_report_readable(run->report, state->repository, finding->stanza,
                                strbuf_text(&warnings), clock_wall_seconds());
    report_exposed(state, run, group, env);
}

/* Warnings: on stdout before the JSON since 2.55, on stderr before. */
static void gather_warnings(const struct proc_result *result, struct strbuf *out)
{
    const struct strbuf *output = &result->output;
    strbuf_add(out, output->data, info_message_length(output->data, output->length));
    strbuf_puts(out, strbuf_text(&result->errors));
}

static bool judge(struct backups *state, struct run *run, const struct repository_env *env,
                  const struct proc_result *result, struct err *err)
{
    struct info *info CLEANUP(info_unrefp) = NULL;
    struct strbuf warnings CLEANUP(strbuf_done) = {0};
    const struct info_repository *repository = NULL;
    struct finding finding = {0};
    if (!info_parse(strbuf_text(&result->output), result->output.length, &info, err) ||
        !find_repository(state, info, &finding.stanza, &repository, err))
        return fails(state, run, err);
    finding.code = repository->status.code;
    finding.reason = reason_of(state, &repository->status);
    if (finding.reason != ERR_NONE && finding.reason != ERR_NO_BACKUP)
        return answers_down(state, run, env, &finding, &repository->status);
    info_unref(state->catalogue);
    state->catalogue = info_ref(info);
    state->catalogue_at = clock_wall_seconds();
    gather_warnings(result, &warnings);
    answers_well(state, run, env, &finding, strbuf_text(&warnings));
    return true;
}

/* The last to run of a collection, when all that it needed for itself is freed. */
static void give_back(const size_t *output_bytes)
{
    if (*output_bytes > LARGE_OUTPUT_BYTES)
        malloc_trim(0);
}

static bool backups_collect(void *opaque, struct run *run, struct err *err)
{
    struct backups *state = opaque;
    size_t output_bytes CLEANUP(give_back) = 0;
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct proc_result result CLEANUP(proc_result_done) = {0};

    state->asked_at = clock_wall_seconds();
    mount_finder_glance(&state->finder, state->pool, &run->bound);
    backups_metrics_add_configured(run->sink, state->repository, mount_finder_name(&state->finder));
    int64_t time_ms = bound_remaining_ms(&run->bound);
    if (!repository_env(state->repository, &env, err))
        return err->code == ERR_CONFIG ? says_nothing(state, run, err) : fails(state, run, err);
    find_version(state, &run->bound);
    bool answered = ask(state, run, &env, &result, err);
    output_bytes = result.output.length;
    if (answered)
        return judge(state, run, &env, &result, err);
    if (pgbackrest_failure_is_repository(&result, time_ms, err))
        return says_nothing(state, run, err);
    return fails(state, run, err);
}

const struct collector collector_backups = {
    .name = "backups",
    .help = "Repositories and their backups, as pgbackrest info lists them.",
    .default_enabled = true,
    .interval_s = 60,
    .timeout_s = 60,
    .looks = 2, /* what is missing in a listing before it is missing in one behind it, too */
    .labels = repository_target_labels,
    .metrics = backups_metrics,
    .metric_count = BACKUPS_METRIC_COUNT,
    .targets = backups_targets,
    .open = backups_open,
    .collect = backups_collect,
    .close = backups_close,
};
