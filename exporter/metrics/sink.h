/*
 * sink - takes the samples of one collection and renders the part of each line that stays.
 *
 * A collector adds samples by the number of their descriptor; the sink writes `name{labels}` once,
 * escaped and repaired, so that a scrape only adds the value. It refuses a second sample of equal
 * name and labels and keeps the first.
 */
#ifndef EXPORTER_METRICS_SINK_H
#define EXPORTER_METRICS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/metrics/desc.h"

struct label {
    const char *name;
    const char *value;
};

struct sample {
    const struct metric_desc *desc;
    const char *series; /* name{labels}, as it is printed; owned by its sample_set */
    uint64_t hash;      /* of series */
    double value;
};

/* An immutable list of samples; freed by sample_set_free(). */
struct sample_set {
    struct sample *items;
    size_t count;
    struct text_chunk *texts; /* for sink.c alone: where the series are kept */
};

struct sink; /* used by one thread */

/*
 * A sink for the samples of one target. descs[0..count) and target_labels (ended by a NULL name;
 * may be NULL) must outlive the sink; label values are copied into the series. NULL: no memory.
 */
struct sink *sink_new(const struct metric_desc *descs, size_t count,
                      const struct label *target_labels) MUST_USE;
void sink_free(struct sink *sink); /* takes NULL */

/*
 * Add one sample of descs[metric]. label_values are the values of desc->labels in their order
 * (LABELS("full")), NULL for a metric without labels of its own. A NaN is added like any number.
 * A label with an empty value is left out: to Prometheus the two are the same.
 */
void sink_add(struct sink *sink, size_t metric, double value, const char *const *label_values);

/* A failed collection: forget all samples but those of its OUTCOME and what is CONFIGURED. */
void sink_drop_measured(struct sink *sink);

/*
 * Take the samples out; the sink is empty again. The caller frees *ret with sample_set_free().
 * Returns false with ERR_MEMORY when one could not be stored (nothing is handed over), and true
 * with *refused naming the first series that was refused as a duplicate (ERR_NONE when none was).
 */
bool sink_finish(struct sink *sink, struct sample_set **ret, struct err *refused,
                 struct err *err) MUST_USE;

void sample_set_free(struct sample_set *set); /* takes NULL */

#endif
