/*
 * span - how a length of time is said to people, everywhere the same.
 */
#ifndef EXPORTER_REPORT_SPAN_H
#define EXPORTER_REPORT_SPAN_H

#include "exporter/base/strbuf.h"

/*
 * Append "3 h 12 min", "45 s", "0 s" for less than a second: two units at most, rounded down.
 * Negative seconds, which clocks of two hosts can yield, are said as "0 s".
 */
void span_add(struct strbuf *out, double seconds);

#endif
