/*
 * wal_report - says in words what lies in a repository.
 */
#ifndef COLLECTORS_WAL_REPORT_H
#define COLLECTORS_WAL_REPORT_H

#include <stdbool.h>

#include "collectors/settings.h"
#include "collectors/stored_wal.h"
#include "exporter/report/report.h"

/* Says how far it is while folders were not looked into yet. */
void wal_report_listed(struct report *report, const struct stanza_repository *repository,
                       const struct wal_archive *archive);
void wal_report_down(struct report *report, const struct stanza_repository *repository,
                     const struct err *why);

#endif
