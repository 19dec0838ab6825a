/*
 * drill_moment - a moment of the past by chance, and where WAL ends in time. Pure but for chance.
 */
#ifndef EXPORTER_COMMANDS_DRILL_MOMENT_H
#define EXPORTER_COMMANDS_DRILL_MOMENT_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

/* A moment from begin on and before end, s since 1970, to the millisecond; begin when there is
 * none. Each is as likely as any other. */
double drill_moment_between(double begin, double end);

/* Append it as recovery_target_time takes it: "2026-11-23 02:13:45.120+00". */
void drill_moment_add(struct strbuf *out, double at);

/*
 * When the transaction ended that a line of `pg_waldump` (in UTC) tells of, committed or not: by
 * these alone recovery knows the time. False for all other lines.
 */
bool drill_moment_of_line(const char *line, double *ret) MUST_USE;

#endif
