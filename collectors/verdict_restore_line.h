/*
 * verdict_restore_line - the time line of a repository: its backups, windows, gaps and drills.
 */
#ifndef COLLECTORS_VERDICT_RESTORE_LINE_H
#define COLLECTORS_VERDICT_RESTORE_LINE_H

#include <stdbool.h>

#include "collectors/verdict_restore_report.h"

/*
 * Add the events: each backup of the current database as it was judged, the recovery window, the
 * gaps, the last drill that worked. Their kinds are those that exporter/web/timeline_svg.h draws.
 */
void verdict_restore_line(struct report *report, struct report_item *group,
                          const struct restore_story *story);

/* Whether that backup is one of the current database and can be restored from. */
bool verdict_restore_line_can(const struct restore_input *input, const struct info_backup *backup);

#endif
