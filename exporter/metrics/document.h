/*
 * document - the reference of all metrics, in Markdown, from the descriptors themselves.
 *
 * So what people read cannot lag behind what the program exports.
 */
#ifndef EXPORTER_METRICS_DOCUMENT_H
#define EXPORTER_METRICS_DOCUMENT_H

#include <stddef.h>

#include "exporter/base/strbuf.h"
#include "exporter/metrics/desc.h"

/* The metrics of one collector, or any others that belong together. */
struct metric_section {
    const char *title;
    const char *help;          /* one sentence */
    const char *const *labels; /* NULL-terminated: carried by every target; NULL for none */
    const struct metric_desc *descs;
    size_t count;
};

/*
 * Write the whole of docs/metrics.md: one table a section, in the order given. A section without
 * metrics is left out. A failure (no memory) shows in out->failed.
 */
void metric_document(struct strbuf *out, const struct metric_section *sections, size_t count);

#endif
