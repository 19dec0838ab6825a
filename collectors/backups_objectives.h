/*
 * backups_objectives - whether a repository's backups are as recent as was promised, in words.
 *
 * Pure. full: time since the last full backup; diff: since the last differential or full one;
 * incr: since the last backup of any type. Beyond the objective is a warning, beyond twice of it a
 * failure. What is said names moments, for it may be read long after it was judged.
 */
#ifndef COLLECTORS_BACKUPS_OBJECTIVES_H
#define COLLECTORS_BACKUPS_OBJECTIVES_H

#include "collectors/backup_summary.h"
#include "collectors/settings.h"
#include "exporter/report/report.h"

/*
 * Add a verdict for each objective that is missed at `now` (s since 1970), and what to do; another
 * when the newest backup ends later than now, since none can be seen to be missed then. Backups
 * that are not there at all are not judged: that is said elsewhere.
 */
void backups_objectives_judge(struct report *report, struct report_item *group,
                              const struct stanza_repository *repository,
                              const struct backup_summary *summary, double now);

/* Add what is promised of the repository as a fact; nothing when nothing is. */
void backups_objectives_tell(struct report *report, struct report_item *group,
                             const struct stanza_repository *repository);

#endif
