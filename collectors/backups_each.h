/*
 * backups_each - one set of series for every backup, under the names, labels and meaning that
 * pgbackrest_exporter gave them, for those who come from there.
 *
 * Their labels change with each backup, so they are off by default. Only backups of the current
 * database are told, and a size that pgBackRest does not say is left out instead of 0.
 */
#ifndef COLLECTORS_BACKUPS_EACH_H
#define COLLECTORS_BACKUPS_EACH_H

#include "collectors/parse/info.h"
#include "exporter/metrics/sink.h"

/* The sink is one of backups_metrics. */
void backups_each_add(struct sink *sink, const struct info_stanza *stanza, int64_t repo_key);

#endif
