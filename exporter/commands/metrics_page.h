/*
 * metrics_page - all that is known now, as one exposition: what a scrape and `once` get.
 */
#ifndef EXPORTER_COMMANDS_METRICS_PAGE_H
#define EXPORTER_COMMANDS_METRICS_PAGE_H

#include "exporter/base/strbuf.h"
#include "exporter/commands/own_metrics.h"
#include "exporter/metrics/exposition.h"
#include "exporter/schedule/poller.h"

/*
 * Append it in that format. Collects nothing. out->failed when memory is out: no page beats half
 * of one.
 */
void metrics_page(struct poller *poller, const struct own_state *own, enum exposition_format format,
                  struct strbuf *out);

#endif
