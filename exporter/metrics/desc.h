/*
 * desc - what a metric is: a row in a table, not code.
 */
#ifndef EXPORTER_METRICS_DESC_H
#define EXPORTER_METRICS_DESC_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"

/* Most label names of one series, the target's own included. */
#define METRIC_LABEL_MAX 13

enum metric_type { METRIC_GAUGE, METRIC_COUNTER };

/* What happens to a sample when the next collection does not repeat it (the contract of collect()).
 */
enum metric_keeps {
    STATE,      /* true only now: withheld as soon as its target failed or the sample is old */
    FACT,       /* stays true: kept through failures of its target, replaced by the next success */
    OUTCOME,    /* says how the collection went (up, error): kept by a failed one too, withheld when
                   old */
    CONFIGURED, /* known without asking: kept by a failed one too, never withheld */
};

struct metric_desc {
    const char *name;
    const char *help; /* one sentence, no final newline */
    enum metric_type type;
    enum metric_keeps keeps;
    bool age;                  /* the sample is a time (s since 1970); the page says now minus it */
    const char *const *labels; /* NULL-terminated names beyond the target's own; NULL for none */
    const char *const *omits; /* NULL-terminated: labels of the target this metric does not carry */
};

/* A label list for a descriptor or a call: LABELS("backup_type"). */
#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * Lint one descriptor as the exposition formats and our own rules want it: a valid name, base
 * units, help that is a sentence, valid label names. ERR_CONFIG names the metric and the rule.
 */
bool metric_desc_check(const struct metric_desc *desc, struct err *err) MUST_USE;

/*
 * Lint a descriptor against the labels that its targets carry (NULL-terminated; NULL for none):
 * it repeats none of them, omits none that is not there, and METRIC_LABEL_MAX holds all.
 */
bool metric_desc_check_target(const struct metric_desc *desc, const char *const *target_labels,
                              struct err *err) MUST_USE;

/* Whether a target's label of this name is left out of the metric's series. */
bool metric_desc_omits(const struct metric_desc *desc, const char *label);

/* The suffix that marks a counter. */
#define METRIC_TOTAL "_total"
bool metric_desc_is_total(const struct metric_desc *desc); /* whether its name ends so */

const char *metric_type_name(enum metric_type type);    /* "gauge", "counter" */
const char *metric_keeps_name(enum metric_keeps keeps); /* "state", "fact" ... */

#endif
