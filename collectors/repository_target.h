/*
 * repository_target - a target for one repository of one stanza, as every collector that watches
 * repositories has it: name "main/repo2", labels stanza and repo_key.
 */
#ifndef COLLECTORS_REPOSITORY_TARGET_H
#define COLLECTORS_REPOSITORY_TARGET_H

#include "collectors/settings.h"
#include "exporter/report/report.h"
#include "exporter/schedule/collector.h"

/* The labels of such a target, for struct collector. */
extern const char *const repository_target_labels[];

/*
 * Append the target; its spec is the repository. Its fingerprint changes with everything that a
 * look at the repository depends on (options, credentials file, pgbackrest command), and gives no
 * way back to a secret. NULL when out of memory.
 */
struct target *repository_target_add(struct target_list *list, const struct settings *settings,
                                     const struct stanza_repository *repository);

/* A target for every repository of every stanza. ERR_MEMORY. */
bool repository_targets(const struct settings *settings, struct target_list *ret,
                        struct err *err) MUST_USE;

/* Begin a report on such a target: a group "WHAT of repository 2 (r2)". Errors as report_group().
 */
struct report_item *repository_group(struct report *report, const char *what,
                                     const struct stanza_repository *repository);

#endif
