#include "exporter/commands/own_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exporter/base/attrs.h"

enum {
    BUILD_INFO,
    SUCCESS,
    DURATION,
    LAST_ATTEMPT,
    LAST_SUCCESS,
    RUNNING,
    FAILURES,
    STUCK_CHILDREN,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    CPU_SECONDS,
    RESIDENT_MEMORY,
    VIRTUAL_MEMORY,
    OPEN_FDS,
    MAX_FDS,
    START_TIME,
    METRIC_COUNT
};

#define PER_TARGET .labels = LABELS("collector", "target")

const struct metric_desc own_metrics[] = {
    [BUILD_INFO] =
        {
            .name = "pgbackup_exporter_build_info",
            .help = "Version and revision of this exporter; always 1.",
            .labels = LABELS("version", "revision"),
        },
    [SUCCESS] =
        {
            .name = "pgbackup_collector_success",
            .help = "Whether the last collection worked: 1 also when it found its target down, 0 "
                    "when the exporter itself failed.",
            PER_TARGET,
        },
    [DURATION] =
        {
            .name = "pgbackup_collector_duration_seconds",
            .help = "How long the last collection took.",
            PER_TARGET,
        },
    [LAST_ATTEMPT] =
        {
            .name = "pgbackup_collector_last_attempt_timestamp_seconds",
            .help = "When the last finished collection began.",
            PER_TARGET,
        },
    [LAST_SUCCESS] =
        {
            .name = "pgbackup_collector_last_success_timestamp_seconds",
            .help = "When the last collection that worked began; absent while none has.",
            PER_TARGET,
        },
    [RUNNING] =
        {
            .name = "pgbackup_collector_running_seconds",
            .help = "How long the present collection has been running; 0 between two.",
            PER_TARGET,
        },
    [FAILURES] =
        {
            .name = "pgbackup_collector_failures_total",
            .help = "Collections that failed on the exporter's own side.",
            .type = METRIC_COUNTER,
            PER_TARGET,
        },
    [STUCK_CHILDREN] =
        {
            .name = "pgbackup_stuck_children",
            .help = "Child processes that could not be killed and still wait in the kernel.",
        },
    [RELOAD_SUCCESSFUL] =
        {
            .name = "pgbackup_config_last_reload_successful",
            .help = "Whether the last attempt to read the configuration worked; 0 while an earlier "
                    "one is kept.",
        },
    [RELOAD_TIME] =
        {
            .name = "pgbackup_config_last_reload_success_timestamp_seconds",
            .help = "When the configuration in force was read.",
        },
    [CPU_SECONDS] =
        {
            .name = "process_cpu_seconds_total",
            .help = "User and system time of the exporter, without its children.",
            .type = METRIC_COUNTER,
        },
    [RESIDENT_MEMORY] =
        {
            .name = "process_resident_memory_bytes",
            .help = "Resident memory of the exporter.",
        },
    [VIRTUAL_MEMORY] =
        {
            .name = "process_virtual_memory_bytes",
            .help = "Virtual memory of the exporter.",
        },
    [OPEN_FDS] =
        {
            .name = "process_open_fds",
            .help = "Open file descriptors.",
        },
    [MAX_FDS] =
        {
            .name = "process_max_fds",
            .help = "Limit of open file descriptors.",
        },
    [START_TIME] =
        {
            .name = "process_start_time_seconds",
            .help = "When the exporter was started.",
        },
};
const size_t own_metric_count = COUNT_OF(own_metrics);

static void add_target(struct sink *sink, const struct poller_status *status)
{
    const char *const *labels = LABELS(status->collector->name, status->target);
    const struct snapshot *snapshot = status->snapshot;
    sink_add(sink, RUNNING, status->running_s, labels);
    sink_add(sink, FAILURES, (double)status->failures, labels);
    if (status->last_success_at > 0)
        sink_add(sink, LAST_SUCCESS, status->last_success_at, labels);
    if (!snapshot)
        return;
    sink_add(sink, SUCCESS, snapshot->outcome != RUN_FAILED, labels);
    sink_add(sink, DURATION, snapshot->duration_s, labels);
    sink_add(sink, LAST_ATTEMPT, snapshot->started_at, labels);
}

static void add_memory(struct sink *sink)
{
    static const size_t columns[] = {VIRTUAL_MEMORY, RESIDENT_MEMORY}; /* proc(5), statm */
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return;
    char line[256]; /* seven numbers */
    const char *at = fgets(line, sizeof line, file);
    fclose(file);
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; at && i < COUNT_OF(columns); i++) {
        char *end = NULL;
        unsigned long long pages = strtoull(at, &end, 10);
        if (end == at)
            return;
        sink_add(sink, columns[i], (double)pages * page_bytes, NULL);
        at = end;
    }
}

static void add_descriptors(struct sink *sink)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory) {
        size_t entries = 0;
        while (readdir(directory))
            entries++;
        closedir(directory);
        sink_add(sink, OPEN_FDS, (double)(entries - 3), NULL); /* ".", ".." and this one */
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        sink_add(sink, MAX_FDS, (double)limit.rlim_cur, NULL);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void add_process(struct sink *sink, const struct own_state *state)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        sink_add(sink, CPU_SECONDS, seconds(usage.ru_utime) + seconds(usage.ru_stime), NULL);
    add_memory(sink);
    add_descriptors(sink);
    sink_add(sink, START_TIME, state->started_at, NULL);
}

struct sample_set *own_metrics_collect(const struct own_state *state,
                                       const struct poller_status *targets, size_t count)
{
    struct sink *sink = sink_new(own_metrics, own_metric_count, NULL);
    if (!sink)
        return NULL;
    sink_add(sink, BUILD_INFO, 1, LABELS(PGBACKUP_VERSION, PGBACKUP_REVISION));
    for (size_t i = 0; i < count; i++)
        add_target(sink, &targets[i]);
    sink_add(sink, STUCK_CHILDREN, (double)state->stuck_children, NULL);
    sink_add(sink, RELOAD_SUCCESSFUL, state->last_reload_worked, NULL);
    sink_add(sink, RELOAD_TIME, state->reloaded_at, NULL);
    add_process(sink, state);
    struct sample_set *samples = NULL;
    struct err refused = {0};
    if (!sink_finish(sink, &samples, &refused, NULL))
        samples = NULL;
    sink_free(sink);
    return samples;
}
