/*
 * backups_report - what is found in a repository, in words.
 */
#ifndef COLLECTORS_BACKUPS_REPORT_H
#define COLLECTORS_BACKUPS_REPORT_H

#include "collectors/backup_summary.h"
#include "collectors/parse/info.h"
#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/report/report.h"

/*
 * The repository could be read. It is not claimed that anything in it restores: that is another
 * collector's to say. messages: what pgbackrest warned of, "" for nothing. now: s since 1970, to
 * compare with what was promised. Returns the group.
 */
struct report_item *backups_report_readable(struct report *report,
                                            const struct stanza_repository *repository,
                                            const struct info_stanza *stanza, const char *messages,
                                            double now);

/* It could not; detail is the whole message, redacted, or NULL. Returns the group. */
struct report_item *backups_report_down(struct report *report,
                                        const struct stanza_repository *repository,
                                        const struct err *err, const char *detail);

/* Every user of this host may read its credentials. */
void backups_report_exposed(struct report *report, struct report_item *group,
                            const struct stanza_repository *repository);

#endif
