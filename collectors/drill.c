/*
 * drill - what the last restore drill of each repository came to.
 *
 * Only a restore proves that a repository can be restored. The command makes it and leaves a
 * record; here it is read. A drill that was killed, or whose host went down, has failed.
 */
#include "collectors/drill.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/drill_record.h"
#include "collectors/repository.h"
#include "collectors/repository_target.h"

enum { STATUS, DURATION, LAST_ATTEMPT, LAST_SUCCESS, RECOVERED, METRIC_COUNT };

static const struct metric_desc metrics[METRIC_COUNT] = {
    [STATUS] =
        {
            .name = "pgbackrest_restore_drill_status",
            .help = "Whether the last drill proved a restore (1) or failed, was killed or left "
                    "something out (0). Absent while there was none.",
            .keeps = FACT,
        },
    [DURATION] =
        {
            .name = "pgbackrest_restore_drill_duration_seconds",
            .help = "How long the last drill that succeeded took until the restored server "
                    "answered: what a restore takes.",
            .keeps = FACT,
        },
    [LAST_ATTEMPT] =
        {
            .name = "pgbackrest_restore_drill_last_attempt_timestamp_seconds",
            .help = "When the last drill began.",
            .keeps = FACT,
        },
    [LAST_SUCCESS] =
        {
            .name = "pgbackrest_restore_drill_last_success_timestamp_seconds",
            .help = "When the last drill that succeeded ended.",
            .keeps = FACT,
        },
    [RECOVERED] =
        {
            .name = "pgbackrest_restore_drill_recovered_timestamp_seconds",
            .help = "The moment that the data of the last drill that succeeded had reached.",
            .keeps = FACT,
        },
};

/* One target. */
struct drill {
    const struct stanza_repository *repository;
    char *path;
};

static void drill_close(void *opaque)
{
    struct drill *drill = opaque;
    if (!drill)
        return;
    free(drill->path);
    free(drill);
}

static bool drill_open(const struct environment *environment, const struct target *target,
                       void **ret, struct err *err)
{
    struct strbuf path = {0};
    struct drill *drill = calloc(1, sizeof *drill);
    if (!drill)
        return err_memory(err);
    drill->repository = target->spec;
    drill_record_path(environment->settings->state_directory, drill->repository->stanza->name,
                      drill->repository->key, &path);
    drill->path = strbuf_steal(&path);
    if (!drill->path) {
        drill_close(drill);
        return err_memory(err);
    }
    *ret = drill;
    return true;
}

enum drill_state drill_state_of(const struct drill_record *record, bool running)
{
    if (record->ended_at > 0)
        return record->succeeded ? DRILL_SUCCEEDED : DRILL_FAILED;
    if (!running)
        return record->started_at > 0 ? DRILL_FAILED : DRILL_NEVER;
    if (record->failed_before)
        return DRILL_FAILED;
    return record->success_ended_at > 0 ? DRILL_SUCCEEDED : DRILL_NEVER;
}

static void add_samples(struct sink *sink, const struct drill_record *record,
                        enum drill_state state)
{
    if (state != DRILL_NEVER)
        sink_add(sink, STATUS, state == DRILL_SUCCEEDED, NULL);
    if (record->started_at > 0)
        sink_add(sink, LAST_ATTEMPT, record->started_at, NULL);
    if (record->success_ended_at <= 0)
        return;
    sink_add(sink, DURATION, record->success_ready_at - record->success_started_at, NULL);
    sink_add(sink, LAST_SUCCESS, record->success_ended_at, NULL);
    if (record->success_recovered_at > 0)
        sink_add(sink, RECOVERED, record->success_recovered_at, NULL);
}

static void add_step(struct report *report, struct report_item *group,
                     const struct stanza_repository *repository, const char *sentence)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    repository_add_own_command(repository, "drill", &command);
    report_step(report, group, sentence, strbuf_text(&command));
}

static void report_failure(struct report *report, struct report_item *group,
                           const struct drill_record *record)
{
    const char *stage = record->stage ? record->stage : "its start";
    if (record->error)
        report_verdict(report, group, GRADE_FAILED, "The last restore drill failed at %s: %s",
                       stage, record->error);
    else
        report_verdict(report, group, GRADE_FAILED, "The last restore drill was killed at %s",
                       stage);
}

static void add_report(struct report *report, const struct drill *drill,
                       const struct drill_record *record, enum drill_state state)
{
    struct report_item *group = repository_group(report, "Restore drill", drill->repository);
    if (state == DRILL_FAILED)
        report_failure(report, group, record);
    if (state == DRILL_NEVER)
        report_verdict(report, group, GRADE_NONE, "No restore drill was ever made");
    if (state != DRILL_SUCCEEDED)
        add_step(report, group, drill->repository, "Prove that a restore works:");
    if (record->success_ended_at > 0)
        report_time(report, group, "last success", record->success_ended_at);
    if (record->success_recovered_at > 0)
        report_time(report, group, "recovered to", record->success_recovered_at);
}

void drill_observation_free(void *observation)
{
    free(observation);
}

static bool observe(struct run *run, const struct drill_record *record, enum drill_state state,
                    struct err *err)
{
    struct drill_observation *seen = malloc(sizeof *seen);
    if (!seen)
        return err_memory(err);
    *seen = (struct drill_observation){
        .state = state,
        .success_ended_at = record->success_ended_at,
        .success_duration_s = record->success_ready_at - record->success_started_at,
        .success_recovered_at = record->success_recovered_at,
    };
    run_observe(run, seen, drill_observation_free);
    return true;
}

static bool drill_collect(void *opaque, struct run *run, struct err *err)
{
    const struct drill *drill = opaque;
    struct drill_record record CLEANUP(drill_record_done) = {0};
    if (!drill_record_read(drill->path, &record, err))
        return false;
    enum drill_state state = drill_state_of(&record, drill_record_is_running(drill->path));
    add_samples(run->sink, &record, state);
    add_report(run->report, drill, &record, state);
    return observe(run, &record, state, err);
}

const struct collector collector_drill = {
    .name = "drill",
    .help = "What the last restore drill of each repository came to.",
    .default_enabled = true,
    .interval_s = 60,
    .timeout_s = 5,
    .labels = repository_target_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = repository_targets,
    .open = drill_open,
    .collect = drill_collect,
    .close = drill_close,
};
