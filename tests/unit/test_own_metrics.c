#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "exporter/commands/own_metrics.h"
#include "tests/unit/fake_collector.h"

static const struct sample *find(const struct sample_set *set, const char *series)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].series, series) == 0)
            return &set->items[i];
    }
    return NULL;
}

static double value(const struct sample_set *set, const char *series)
{
    const struct sample *sample = find(set, series);
    cr_assert(sample, "no %s", series);
    return sample->value;
}

static char name[] = "main/repo1";

Test(own_metrics, a_target_that_has_not_run_yet_says_only_what_is_known)
{
    struct poller_status status = {.collector = &fake_collector, .target = name, .running_s = 2.5};
    struct sample_set *set = own_metrics_collect(&(struct own_state){0}, &status, 1);
    cr_expect_float_eq(value(set, "pgbackup_collector_running_seconds{collector=\"fake\",target="
                                  "\"main/repo1\"}"),
                       2.5, 1e-9);
    cr_expect_null(
        find(set, "pgbackup_collector_success{collector=\"fake\",target=\"main/repo1\"}"));
    cr_expect_null(find(set, "pgbackup_collector_last_success_timestamp_seconds{collector=\"fake\","
                             "target=\"main/repo1\"}"));
    sample_set_free(set);
}

static void expect_success(enum run_outcome outcome, double expected)
{
    struct snapshot snapshot = {.outcome = outcome, .duration_s = 0.25, .started_at = 100};
    struct poller_status status = {.collector = &fake_collector,
                                   .target = name,
                                   .failures = 3,
                                   .last_success_at = 90,
                                   .snapshot = &snapshot};
    struct sample_set *set = own_metrics_collect(&(struct own_state){0}, &status, 1);
    cr_expect_float_eq(
        value(set, "pgbackup_collector_success{collector=\"fake\",target=\"main/repo1\"}"),
        expected, 1e-9);
    cr_expect_float_eq(
        value(set, "pgbackup_collector_failures_total{collector=\"fake\",target=\"main/repo1\"}"),
        3, 1e-9);
    sample_set_free(set);
}

Test(own_metrics, a_target_that_is_down_is_a_success_of_the_collector)
{
    expect_success(RUN_OK, 1);
    expect_success(RUN_DOWN, 1);
    expect_success(RUN_FAILED, 0);
}

Test(own_metrics, the_process_is_measured)
{
    struct own_state state = {.started_at = 12, .stuck_children = 4, .last_reload_worked = true};
    struct sample_set *set = own_metrics_collect(&state, NULL, 0);
    double before = value(set, "process_open_fds");
    cr_expect_gt(value(set, "process_resident_memory_bytes"), 100000.0);
    cr_expect_gt(value(set, "process_virtual_memory_bytes"),
                 value(set, "process_resident_memory_bytes"));
    cr_expect_gt(value(set, "process_max_fds"), 15.0);
    cr_expect_float_eq(value(set, "pgbackup_stuck_children"), 4, 1e-9);
    cr_expect_float_eq(value(set, "process_start_time_seconds"), 12, 1e-9);
    sample_set_free(set);
    int more = dup(0);
    set = own_metrics_collect(&state, NULL, 0);
    cr_expect_float_eq(value(set, "process_open_fds"), before + 1, 1e-9);
    sample_set_free(set);
    close(more);
}
