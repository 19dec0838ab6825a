/*
 * doctor_log_line - the last failure that a log of pgBackRest tells, if nothing went well since.
 *
 * Pure. A line is "2026-11-22 19:26:01.123 P00  ERROR: [037]: ..."; what follows without a time
 * belongs to it. Times are of the host's zone.
 */
#ifndef EXPORTER_COMMANDS_DOCTOR_LOG_LINE_H
#define EXPORTER_COMMANDS_DOCTOR_LOG_LINE_H

#include <stdbool.h>

#include "exporter/base/strbuf.h"

/*
 * Find the last line that tells of a failure (an ERROR, a push that is tried again) unless a
 * segment was pushed or a command went well since. Its text from "ERROR" or "WARN" on goes to *ret
 * and its time, as it is written, to *ret_time; both must be empty. False: there is none. A failure
 * of memory shows in them.
 */
bool doctor_log_last_error(const char *text, struct strbuf *ret, struct strbuf *ret_time);

#endif
