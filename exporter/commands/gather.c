#include "exporter/commands/gather.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "exporter/base/clock.h"
#include "exporter/commands/plan.h"
#include "exporter/commands/signals.h"

#define CHILDREN_AT_ONCE     2
#define STUCK_CHILDREN_LIMIT 32
#define LOOK_EVERY_MS        50
#define STOP_MS              1000

static void release_settings(const struct settings *settings)
{
    settings_free((struct settings *)(uintptr_t)settings); /* nobody reads them any more */
}

static bool start(struct gathering *gathering, struct settings *settings, struct err *err)
{
    struct poller_plan *plans = NULL;
    size_t count = 0;
    gathering->pool = proc_pool_new(
        &(struct proc_limits){.at_once = CHILDREN_AT_ONCE, .stuck = STUCK_CHILDREN_LIMIT});
    gathering->poller = gathering->pool ? poller_new(gathering->pool) : NULL;
    if (!gathering->poller || !plan_make(settings, &plans, &count, err)) {
        settings_free(settings);
        return gathering->poller ? false : err_memory(err);
    }
    poller_hurry(gathering->poller);
    bool applied = poller_apply(gathering->poller, plans, count, settings, release_settings, err);
    plan_free(plans, count);
    return applied;
}

/* Until all is settled or the limit is reached. False: a signal came. */
static bool wait_until_settled(struct gathering *gathering, int64_t limit_ms, int signals)
{
    struct bound bound = bound_after(limit_ms, signals);
    while (!gathering->complete && bound_remaining_ms(&bound) > 0) {
        struct pollfd fd = {.fd = signals, .events = POLLIN};
        if (poll(&fd, 1, LOOK_EVERY_MS) > 0)
            return false;
        gathering->complete = poller_settled(gathering->poller);
    }
    return true;
}

bool gather(struct settings *settings, int64_t limit_ms, struct gathering *ret, struct err *err)
{
    *ret = (struct gathering){0};
    int signals = signals_take();
    if (signals < 0) {
        settings_free(settings);
        return err_system(err, errno, "cannot take signals");
    }
    bool done = start(ret, settings, err) &&
                (wait_until_settled(ret, limit_ms, signals) ||
                 err_set(err, ERR_STOPPED, "told to stop before all was looked at"));
    close(signals);
    return done;
}

void gathering_end(struct gathering *gathering)
{
    bool stopped = !gathering->poller || poller_stop(gathering->poller, STOP_MS);
    if (gathering->pool)
        proc_pool_kill(gathering->pool);
    if (!stopped)
        return; /* threads still use what would be freed */
    poller_free(gathering->poller);
    proc_pool_free(gathering->pool);
    *gathering = (struct gathering){0};
}
