/*
 * backups_metrics - the metrics of the collector backups, and how a repository's summary fills
 * them.
 */
#ifndef COLLECTORS_BACKUPS_METRICS_H
#define COLLECTORS_BACKUPS_METRICS_H

#include "collectors/backup_summary.h"
#include "collectors/settings.h"
#include "exporter/metrics/sink.h"

enum backups_metric {
    BACKUPS_METRIC_REPO_INFO,
    BACKUPS_METRIC_REPO_STATUS,
    BACKUPS_METRIC_REPO_UP,
    BACKUPS_METRIC_REPO_ERROR,
    BACKUPS_METRIC_REPO_RETENTION_FULL,
    BACKUPS_METRIC_REPO_STORED,
    BACKUPS_METRIC_BACKUPS,
    BACKUPS_METRIC_WITH_ERRORS,
    BACKUPS_METRIC_OLDEST_COMPLETION,
    BACKUPS_METRIC_LAST_COMPLETION,
    BACKUPS_METRIC_AGE,
    BACKUPS_METRIC_LAST_DURATION,
    BACKUPS_METRIC_LAST_SIZE,
    BACKUPS_METRIC_LAST_DELTA,
    BACKUPS_METRIC_LAST_REPO_SIZE,
    BACKUPS_METRIC_LAST_REPO_DELTA,
    BACKUPS_METRIC_LAST_UP,
    BACKUPS_METRIC_BACKUP_OBJECTIVE,
    BACKUPS_METRIC_RECOVERY_POINT_OBJECTIVE,
    BACKUPS_METRIC_DRILL_OBJECTIVE,
    BACKUPS_METRIC_RESTORE_TIME_OBJECTIVE,
    BACKUPS_METRIC_EACH_INFO, /* from here on: one series for each backup, see backups_each.h */
    BACKUPS_METRIC_EACH_DURATION,
    BACKUPS_METRIC_EACH_SIZE,
    BACKUPS_METRIC_EACH_DELTA,
    BACKUPS_METRIC_EACH_REPO_SIZE,
    BACKUPS_METRIC_EACH_REPO_SIZE_MAP,
    BACKUPS_METRIC_EACH_REPO_DELTA,
    BACKUPS_METRIC_EACH_REPO_DELTA_MAP,
    BACKUPS_METRIC_EACH_ERROR,
    BACKUPS_METRIC_EACH_ANNOTATIONS,
    BACKUPS_METRIC_COUNT
};

extern const struct metric_desc backups_metrics[BACKUPS_METRIC_COUNT];

/*
 * What is known of a repository without asking: its name, its kind, its mount ("" for none), what
 * is promised of it.
 */
void backups_metrics_add_configured(struct sink *sink, const struct stanza_repository *repository,
                                    const char *mount);

/* What a repository that could be read holds; what is not known is left out. */
void backups_metrics_add_summary(struct sink *sink, const struct backup_summary *summary);

#endif
