/*
 * exposition - the text that Prometheus reads: the one writer of metric lines.
 *
 * Samples come from any number of targets; here they are merged into families, sorted by metric
 * name, and of two equal series only the first is written.
 */
#ifndef EXPORTER_METRICS_EXPOSITION_H
#define EXPORTER_METRICS_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/strbuf.h"
#include "exporter/metrics/sink.h"

enum exposition_format {
    EXPOSITION_TEXT,       /* text/plain; version=0.0.4 */
    EXPOSITION_OPENMETRICS /* application/openmetrics-text; version=1.0.0 */
};

struct exposition;

/* now: seconds since 1970, from which ages are reckoned. NULL: no memory. */
struct exposition *exposition_new(double now) MUST_USE;
void exposition_free(struct exposition *exposition); /* takes NULL */

/* Which samples of a set to write. */
#define WRITE_STATES     (1u << STATE)
#define WRITE_FACTS      (1u << FACT)
#define WRITE_OUTCOMES   (1u << OUTCOME)
#define WRITE_CONFIGURED (1u << CONFIGURED)

/* Add those samples of a set; the set must live until exposition_write() has returned. */
void exposition_add(struct exposition *exposition, const struct sample_set *set, unsigned which);

/*
 * Write all families. Returns how many series were left out because an equal one came before.
 * A failure (no memory) shows in out->failed.
 */
size_t exposition_write(struct exposition *exposition, enum exposition_format format,
                        struct strbuf *out);

/* The shortest decimal text that reads back as exactly this double; NaN, +Inf, -Inf. */
void exposition_add_number(struct strbuf *out, double value);

/* The Content-Type of a format; static. */
const char *exposition_content_type(enum exposition_format format);

#endif
