/*
 * verdict_restore_report - says in words what could be restored from a repository: the verdict, the
 * moment that a restore reaches, what would be lost, the command, and the time line.
 */
#ifndef COLLECTORS_VERDICT_RESTORE_REPORT_H
#define COLLECTORS_VERDICT_RESTORE_REPORT_H

#include "collectors/archiver.h"
#include "collectors/drill.h"
#include "collectors/restore.h"
#include "collectors/settings.h"
#include "exporter/report/report.h"

/* What there is to tell of one repository. Nothing is owned. */
struct restore_story {
    const struct stanza_repository *repository;
    const struct restore_input *input; /* that it was judged by */
    const struct restore_summary *summary;
    size_t foreign; /* timelines that a default restore would follow away from production */
    uint32_t lost;  /* production's timeline, whose history file is missing; 0: none. It is one of
                     * missing_since. */
    const struct drill_observation *drill;       /* NULL: not known yet */
    const struct archiver_observation *archiver; /* PostgreSQL as it is now; NULL: not known */
    double unknown_since; /* when it could last be looked into, s since 1970; 0: it can be now */
    double now;
};

void verdict_restore_report(struct report *report, const struct restore_story *story);

/* Not everything that it takes to judge was seen yet. */
void verdict_restore_report_unknown(struct report *report,
                                    const struct stanza_repository *repository);

#endif
