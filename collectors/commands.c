/*
 * commands - how the last backup, expire and others of each repository ended, that `run` has made.
 *
 * pgBackRest itself remembers no failure: a backup that fails leaves nothing behind.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "collectors/command_record.h"
#include "collectors/record.h"
#include "collectors/repository_target.h"

enum { EXIT_STATUS, END, METRIC_COUNT };

static const char *const command_labels[] = {"command", NULL};

static const struct metric_desc metrics[METRIC_COUNT] = {
    [EXIT_STATUS] =
        {
            .name = "pgbackrest_command_last_exit_status",
            .help = "Exit status of the last such command that `run` made and that is over: 0 it "
                    "worked, 50 another one held the lock, 128 and a signal's number when that "
                    "ended it, 137 also when `run` was killed or the host went down. Absent while "
                    "there was none.",
            .keeps = FACT,
            .labels = command_labels,
        },
    [END] =
        {
            .name = "pgbackrest_command_last_end_timestamp_seconds",
            .help = "When such a command last came to its end; of one that was killed with `run` "
                    "no end is known.",
            .keeps = FACT,
            .labels = command_labels,
        },
};

/* One target. */
struct commands {
    const struct stanza_repository *repository;
    const char *state_directory;
};

static bool commands_open(const struct environment *environment, const struct target *target,
                          void **ret, struct err *err)
{
    struct commands *commands = malloc(sizeof *commands);
    if (!commands)
        return err_memory(err);
    *commands = (struct commands){.repository = target->spec,
                                  .state_directory = environment->settings->state_directory};
    *ret = commands;
    return true;
}

static void report_failure(struct report *report, struct report_item *group, const char *command,
                           int64_t status)
{
    if (status == COMMAND_RECORD_KILLED)
        report_verdict(report, group, GRADE_WARNING, "The last %s was killed", command);
    else
        report_verdict(report, group, GRADE_WARNING, "The last %s failed with exit status %" PRId64,
                       command, status);
}

static void add_command(struct run *run, struct report_item *group, const char *command,
                        const struct command_record *record, bool running)
{
    int64_t status = command_record_status(record, running);
    if (status >= 0)
        sink_add(run->sink, EXIT_STATUS, (double)status, LABELS(command));
    if (record->ended_at > 0)
        sink_add(run->sink, END, record->ended_at, LABELS(command));
    if (status > 0)
        report_failure(run->report, group, command, status);
    if (record->ended_at > 0)
        report_time(run->report, group, command, record->ended_at);
}

/* One that ended between the two looks is read again, lest it seems killed. */
static bool read_record(const char *path, struct command_record *ret, bool *ret_running,
                        struct err *err)
{
    if (!command_record_read(path, ret, err))
        return false;
    *ret_running = record_is_running(path);
    return *ret_running || command_record_read(path, ret, err);
}

static bool look_at(const struct commands *commands, struct run *run, struct report_item *group,
                    const char *command, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct command_record record;
    bool running = false;
    command_record_path(commands->state_directory, commands->repository->stanza->name,
                        commands->repository->key, command, &path);
    if (path.failed)
        return err_memory(err);
    if (!read_record(strbuf_text(&path), &record, &running, err))
        return false;
    add_command(run, group, command, &record, running);
    return true;
}

static bool commands_collect(void *opaque, struct run *run, struct err *err)
{
    const struct commands *commands = opaque;
    struct report_item *group =
        repository_group(run->report, "Commands by run", commands->repository);
    for (const char *const *name = command_record_names; *name; name++) {
        if (!look_at(commands, run, group, *name, err))
            return false;
    }
    return true;
}

const struct collector collector_commands = {
    .name = "commands",
    .help = "How the commands that run supervises ended.",
    .default_enabled = true,
    .interval_s = 60,
    .timeout_s = 5,
    .labels = repository_target_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = repository_targets,
    .open = commands_open,
    .collect = commands_collect,
    .close = free,
};
