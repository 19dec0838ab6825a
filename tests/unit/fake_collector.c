#include "tests/unit/fake_collector.h"

#include <poll.h>
#include <stdlib.h>

struct fake_control fake_control;

static const struct metric_desc metrics[] = {
    [FAKE_UP] = {.name = "fake_up", .help = "Up.", .keeps = OUTCOME},
    [FAKE_STATE] = {.name = "fake_state", .help = "State.", .keeps = STATE},
    [FAKE_FACT] = {.name = "fake_fact", .help = "Fact.", .keeps = FACT},
};

static bool fake_open(const struct environment *environment UNUSED,
                      const struct target *target UNUSED, void **ret, struct err *err)
{
    if (fake_control.behaviour == FAKE_CANNOT_OPEN)
        return err_set(err, ERR_CONFIG, "cannot be opened");
    fake_control.opened++;
    *ret = &fake_control;
    return true;
}

static bool fake_collect(void *state UNUSED, struct run *run, struct err *err)
{
    fake_control.collected++;
    enum fake_behaviour behaviour = fake_control.behaviour;
    struct err down = {.code = ERR_CONNECT, .text = "refused"};
    struct pollfd stop = {.fd = run->bound.stop_fd, .events = POLLIN};
    int *seen = NULL;
    switch (behaviour) {
    case FAKE_IS_DOWN:
        return run_says_down(run, FAKE_UP, &down);
    case FAKE_FAILS:
        sink_add(run->sink, FAKE_UP, 0, NULL);
        sink_add(run->sink, FAKE_STATE, 99, NULL);
        return err_set(err, ERR_PROTOCOL, "nonsense");
    case FAKE_HANGS:
        poll(&stop, 1, bound_remaining_ms(&run->bound));
        return err_set(err, ERR_TIMEOUT, "hung");
    default:
        sink_add(run->sink, FAKE_UP, 1, NULL);
        sink_add(run->sink, FAKE_STATE, fake_control.value, NULL);
        sink_add(run->sink, FAKE_FACT, fake_control.value, NULL);
        seen = malloc(sizeof *seen);
        *seen = (int)fake_control.value;
        run_observe(run, seen, free);
        return true;
    }
}

static bool fake_combine(void *state UNUSED, struct run *run, struct err *err UNUSED)
{
    double sum = 0;
    for (size_t i = 0; i < run->input_count; i++) {
        const int *seen = run->inputs[i].observation;
        sum += seen && run->inputs[i].current ? *seen : 0;
    }
    sink_add(run->sink, FAKE_STATE, sum, NULL);
    run->again = fake_control.collected < fake_control.wanted;
    return true;
}

static void fake_close(void *state UNUSED)
{
    fake_control.closed++;
}

static bool no_targets(const struct settings *settings UNUSED, struct target_list *ret UNUSED,
                       struct err *err UNUSED)
{
    return true;
}

const struct collector fake_collector = {
    .name = "fake",
    .help = "A fake.",
    .interval_s = 0.05,
    .timeout_s = 0.1,
    .metrics = metrics,
    .metric_count = FAKE_METRIC_COUNT,
    .targets = no_targets,
    .open = fake_open,
    .collect = fake_collect,
    .close = fake_close,
};

const struct collector fake_combining_collector = {
    .name = "combining",
    .help = "Adds up.",
    .interval_s = 60,
    .timeout_s = 1,
    .metrics = metrics,
    .metric_count = FAKE_METRIC_COUNT,
    .targets = no_targets,
    .collect = fake_combine,
    .combines = true,
};

struct target_list fake_targets(const char *name, const char *fingerprint)
{
    struct target_list list = {0};
    static const struct label labels[] = {{"stanza", "main"}, {NULL, NULL}};
    target_add(&list, name, fingerprint, labels);
    return list;
}
