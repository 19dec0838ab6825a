/*
 * when - how times and lengths of time are said to people, everywhere the same.
 *
 * A finding may be read long after it was made. So its texts name a moment, never how long ago it
 * was: the age is added by who shows it.
 */
#ifndef EXPORTER_REPORT_WHEN_H
#define EXPORTER_REPORT_WHEN_H

#include <stdbool.h>

#include "exporter/base/strbuf.h"

/*
 * Append "3 h 12 min", "45 s", "0 s" for less than a second: two units at most, rounded down.
 * Negative seconds, which clocks of two hosts can yield, are said as "0 s".
 */
void when_add_span(struct strbuf *out, double seconds);

/*
 * Append "2026-11-22 19:26 UTC" for seconds since 1970; "never" for 0 and for what is no time in
 * the years 1970 to 9999.
 */
void when_add_utc(struct strbuf *out, double time);

/* Whether it is a time in those years; false for 0 and NaN. */
bool when_is_time(double time);

#endif
