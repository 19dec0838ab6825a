#include "exporter/commands/metrics_page.h"

#include "exporter/base/clock.h"
#include "exporter/schedule/snapshot.h"

static void expose(struct exposition *page, const struct poller_status *targets, size_t count)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < count; i++) {
        if (targets[i].snapshot)
            snapshot_expose(targets[i].snapshot, now_ms, page);
    }
}

void metrics_page(struct poller *poller, const struct own_state *own, enum exposition_format format,
                  struct strbuf *out)
{
    size_t count = 0;
    struct poller_status *targets = poller_status(poller, &count);
    struct sample_set *own_samples = own_metrics_collect(own, targets, count);
    struct exposition *page = exposition_new(clock_wall_seconds());
    if (targets && own_samples && page) {
        expose(page, targets, count);
        exposition_add(page, own_samples, WRITE_STATES | WRITE_FACTS | WRITE_OUTCOMES);
        exposition_write(page, format, out);
    } else {
        out->failed = true;
    }
    exposition_free(page);
    sample_set_free(own_samples);
    poller_status_free(targets, count);
}
