#include "exporter/commands/plan.h"

#include <stdlib.h>

#include "collectors/registry.h"

/* What the configuration says of a collector goes over what it chose for a target itself. */
static void fill_times(struct target_list *targets, const struct collector_settings *times)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (times->interval_s > 0)
            targets->items[i].interval_s = times->interval_s;
        if (times->timeout_s > 0)
            targets->items[i].timeout_s = times->timeout_s;
    }
}

bool plan_make(const struct settings *settings, struct poller_plan **ret, size_t *ret_count,
               struct err *err)
{
    struct poller_plan *plans = calloc(collector_count() + 1, sizeof *plans);
    if (!plans)
        return err_memory(err);
    size_t count = 0;
    for (const struct collector *const *item = collector_registry; *item; item++) {
        const struct collector_settings *chosen = settings_collector(settings, (*item)->name);
        if (!chosen->enabled)
            continue;
        plans[count].collector = *item;
        if (!(*item)->targets(settings, &plans[count].targets, err)) {
            plan_free(plans, count + 1);
            return err_prefix(err, "collector %s", (*item)->name);
        }
        fill_times(&plans[count].targets, chosen);
        count++;
    }
    *ret = plans;
    *ret_count = count;
    return true;
}

void plan_free(struct poller_plan *plans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        target_list_done(&plans[i].targets);
    free(plans);
}
