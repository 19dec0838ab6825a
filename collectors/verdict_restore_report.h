/*
 * verdict_restore_report - says in words what could be restored from a repository.
 */
#ifndef COLLECTORS_VERDICT_RESTORE_REPORT_H
#define COLLECTORS_VERDICT_RESTORE_REPORT_H

#include "collectors/restore.h"
#include "collectors/settings.h"
#include "exporter/report/report.h"

/* foreign: timelines that a default restore would follow away from production. */
void verdict_restore_report(struct report *report, const struct stanza_repository *repository,
                            const struct restore_summary *summary, size_t foreign);

/* Not everything that it takes to judge was seen yet. */
void verdict_restore_report_unknown(struct report *report,
                                    const struct stanza_repository *repository);

#endif
