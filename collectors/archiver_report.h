/*
 * archiver_report - says in words how WAL archiving stands, and what to do about it.
 */
#ifndef COLLECTORS_ARCHIVER_REPORT_H
#define COLLECTORS_ARCHIVER_REPORT_H

#include "collectors/archiver.h"
#include "exporter/base/err.h"
#include "exporter/report/report.h"

/*
 * PostgreSQL answered. hidden: why its position could not be read, ERR_NONE
 * when it could.
 */
void archiver_report(struct report *report, const char *stanza,
                     const struct archiver_observation *seen, const struct err *hidden);

/* PostgreSQL could not be asked. */
void archiver_report_down(struct report *report, const char *stanza, const struct err *err);

#endif
