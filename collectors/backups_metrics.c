#include "collectors/backups_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/repository.h"

static const char *const type_labels[] = {"backup_type", NULL};
static const char *const info_labels[] = {"name",  "storage",        "cipher",
                                          "mount", "continuous_wal", NULL};
/* The labels of pgbackrest_exporter, but for those that the target has: stanza and repo_key. */
static const char *const each_labels[] = {"backup_name", "backup_type", "block_incr", "database_id",
                                          NULL};
static const char *const each_time_labels[] = {
    "backup_name", "backup_type", "block_incr", "database_id", "start_time", "stop_time", NULL};
static const char *const each_info_labels[] = {
    "backup_name", "backup_type", "block_incr", "database_id", "backrest_ver", "lsn_start",
    "lsn_stop",    "pg_version",  "prior",      "wal_start",   "wal_stop",     NULL};
static const char *const reason_labels[] = {"reason", NULL};

const struct metric_desc backups_metrics[BACKUPS_METRIC_COUNT] = {
    [BACKUPS_METRIC_REPO_INFO] =
        {
            .name = "pgbackrest_repo_info",
            .help =
                "A configured repository: its name, storage type, cipher and mount, and whether "
                "archive_command feeds it (true, false); always 1.",
            .keeps = CONFIGURED,
            .labels = info_labels,
        },
    [BACKUPS_METRIC_REPO_STATUS] =
        {
            .name = "pgbackrest_repo_status",
            .help = "Status code in pgbackrest info: 0 ok, 1 missing stanza path, 2 no valid "
                    "backups, 3 missing stanza data, 6 requested backup not found, 99 other.",
            .keeps = STATE,
        },
    [BACKUPS_METRIC_REPO_UP] =
        {
            .name = "pgbackrest_repo_up",
            .help = "Whether the repository could be read (1), also when it holds no backup.",
            .keeps = OUTCOME,
        },
    [BACKUPS_METRIC_REPO_ERROR] =
        {
            .name = "pgbackrest_repo_error",
            .help = "Why the repository cannot be read or restored from; only there with a reason.",
            .keeps = OUTCOME,
            .labels = reason_labels,
        },
    [BACKUPS_METRIC_REPO_RETENTION_FULL] =
        {
            .name = "pgbackrest_repo_retention_full",
            .help =
                "Configured repo-retention-full: how many full backups. Absent when it is a number "
                "of days.",
            .keeps = CONFIGURED,
        },
    [BACKUPS_METRIC_REPO_STORED] =
        {
            .name = "pgbackrest_repo_stored_bytes",
            .help = "Bytes that all backups listed occupy in the repository, without WAL.",
            .keeps = FACT,
        },
    [BACKUPS_METRIC_BACKUPS] =
        {
            .name = "pgbackrest_backups",
            .help = "Backups of the current database.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_WITH_ERRORS] =
        {
            .name = "pgbackrest_backups_with_errors",
            .help = "Backups of the current database with page checksum errors.",
            .keeps = FACT,
        },
    [BACKUPS_METRIC_OLDEST_COMPLETION] =
        {
            .name = "pgbackrest_backup_oldest_completion_timestamp_seconds",
            .help = "When the oldest backup of the current database ended.",
            .keeps = FACT,
        },
    [BACKUPS_METRIC_LAST_COMPLETION] =
        {
            .name = "pgbackrest_backup_last_completion_timestamp_seconds",
            .help = "When the newest backup of this type of the current database ended.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_AGE] =
        {
            .name = "pgbackrest_backup_age_seconds",
            .help = "Time since the newest backup of this type ended, at the scrape.",
            .keeps = FACT,
            .age = true,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_LAST_DURATION] =
        {
            .name = "pgbackrest_backup_last_duration_seconds",
            .help = "How long the newest backup of this type took.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_LAST_SIZE] =
        {
            .name = "pgbackrest_backup_last_size_bytes",
            .help = "Size of the cluster in the newest backup of this type.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_LAST_DELTA] =
        {
            .name = "pgbackrest_backup_last_delta_bytes",
            .help = "Bytes of the cluster that the newest backup of this type copied.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_LAST_REPO_SIZE] =
        {
            .name = "pgbackrest_backup_last_repo_size_bytes",
            .help = "Stored bytes that a restore of the newest backup of this type reads; not said "
                    "by pgBackRest with block incremental.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_LAST_REPO_DELTA] =
        {
            .name = "pgbackrest_backup_last_repo_delta_bytes",
            .help = "Bytes that the newest backup of this type added to the repository.",
            .keeps = FACT,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_LAST_UP] =
        {
            .name = "pgbackrest_repo_last_up_timestamp_seconds",
            .help = "When the repository could last be read: the start of that look. It stays "
                    "while the repository is down.",
            .keeps = FACT,
        },
    [BACKUPS_METRIC_BACKUP_OBJECTIVE] =
        {
            .name = "pgbackrest_backup_objective_seconds",
            .help = "Promised: the longest time since the last full backup (full), differential or "
                    "full one (diff), backup of any type (incr). Only there when configured.",
            .keeps = CONFIGURED,
            .labels = type_labels,
        },
    [BACKUPS_METRIC_RECOVERY_POINT_OBJECTIVE] =
        {
            .name = "pgbackrest_recovery_point_objective_seconds",
            .help = "Promised: the longest time back to the latest moment that can be restored. "
                    "Only there when configured.",
            .keeps = CONFIGURED,
        },
    [BACKUPS_METRIC_DRILL_OBJECTIVE] =
        {
            .name = "pgbackrest_restore_drill_objective_seconds",
            .help = "Promised: the longest time since a drill last proved a restore. Only there "
                    "when configured.",
            .keeps = CONFIGURED,
        },
    [BACKUPS_METRIC_RESTORE_TIME_OBJECTIVE] =
        {
            .name = "pgbackrest_restore_time_objective_seconds",
            .help = "Promised: the longest time that a restore may take. Only there when "
                    "configured.",
            .keeps = CONFIGURED,
        },
    [BACKUPS_METRIC_EACH_INFO] =
        {
            .name = "pgbackrest_backup_info",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: what is "
                    "known of one backup, always 1. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_info_labels,
        },
    [BACKUPS_METRIC_EACH_DURATION] =
        {
            .name = "pgbackrest_backup_duration_seconds",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: how long "
                    "one backup took; its times are UTC. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_time_labels,
        },
    [BACKUPS_METRIC_EACH_SIZE] =
        {
            .name = "pgbackrest_backup_size_bytes",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: size of "
                    "the cluster in one backup. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_DELTA] =
        {
            .name = "pgbackrest_backup_delta_bytes",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: bytes of "
                    "the cluster that one backup copied. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_REPO_SIZE] =
        {
            .name = "pgbackrest_backup_repo_size_bytes",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: stored "
                    "bytes that a restore of one backup reads. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_REPO_SIZE_MAP] =
        {
            .name = "pgbackrest_backup_repo_size_map_bytes",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: stored "
                    "bytes of its block maps, 0 without block incremental. The labels change with "
                    "each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_REPO_DELTA] =
        {
            .name = "pgbackrest_backup_repo_delta_bytes",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: bytes "
                    "that one backup added to the repository. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_REPO_DELTA_MAP] =
        {
            .name = "pgbackrest_backup_repo_delta_map_bytes",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: bytes of "
                    "block maps that one backup added, 0 without block incremental. The labels "
                    "change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_ERROR] =
        {
            .name = "pgbackrest_backup_error_status",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: whether "
                    "one backup has page checksum errors (1). The labels change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
    [BACKUPS_METRIC_EACH_ANNOTATIONS] =
        {
            .name = "pgbackrest_backup_annotations",
            .help = "With --collector.backups.per-backup, as pgbackrest_exporter has it: how many "
                    "annotations one backup has. The labels change with each backup.",
            .keeps = FACT,
            .labels = each_labels,
        },
};

static void add_objective(struct sink *sink, size_t metric, double seconds,
                          const char *const *label_values)
{
    if (seconds > 0)
        sink_add(sink, metric, seconds, label_values);
}

static void add_objectives(struct sink *sink, const struct objectives *promised)
{
    add_objective(sink, BACKUPS_METRIC_BACKUP_OBJECTIVE, promised->full, LABELS("full"));
    add_objective(sink, BACKUPS_METRIC_BACKUP_OBJECTIVE, promised->diff, LABELS("diff"));
    add_objective(sink, BACKUPS_METRIC_BACKUP_OBJECTIVE, promised->incr, LABELS("incr"));
    add_objective(sink, BACKUPS_METRIC_RECOVERY_POINT_OBJECTIVE, promised->recovery_point, NULL);
    add_objective(sink, BACKUPS_METRIC_DRILL_OBJECTIVE, promised->drill, NULL);
    add_objective(sink, BACKUPS_METRIC_RESTORE_TIME_OBJECTIVE, promised->restore_time, NULL);
}

/* A number of days says nothing of how many backups there should be. */
static void add_retention(struct sink *sink, const struct stanza_repository *repository)
{
    const char *retention = pair_list_get(&repository->options, "retention-full");
    const char *type = pair_list_get(&repository->options, "retention-full-type");
    char *end = NULL;
    unsigned long full = retention ? strtoul(retention, &end, 10) : 0;
    if (full > 0 && *end == '\0' && !(type && strcmp(type, "time") == 0))
        sink_add(sink, BACKUPS_METRIC_REPO_RETENTION_FULL, (double)full, NULL);
}

void backups_metrics_add_configured(struct sink *sink, const struct stanza_repository *repository,
                                    const char *mount)
{
    const struct repository_settings *own = repository->settings;
    sink_add(sink, BACKUPS_METRIC_REPO_INFO, 1,
             LABELS(repository->name, repository->storage, repository->cipher, mount,
                    repository_has_continuous_wal(repository) ? "true" : "false"));
    add_retention(sink, repository);
    if (own)
        add_objectives(sink, &own->objectives);
}

static void add_size(struct sink *sink, size_t metric, int64_t bytes, const char *const *type)
{
    if (bytes != INFO_SIZE_UNKNOWN)
        sink_add(sink, metric, (double)bytes, type);
}

static void add_newest(struct sink *sink, const struct info_backup *backup, const char *const *type)
{
    sink_add(sink, BACKUPS_METRIC_LAST_COMPLETION, (double)backup->stop, type);
    sink_add(sink, BACKUPS_METRIC_AGE, (double)backup->stop, type);
    sink_add(sink, BACKUPS_METRIC_LAST_DURATION, (double)(backup->stop - backup->start), type);
    add_size(sink, BACKUPS_METRIC_LAST_SIZE, backup->size_bytes, type);
    add_size(sink, BACKUPS_METRIC_LAST_DELTA, backup->delta_bytes, type);
    add_size(sink, BACKUPS_METRIC_LAST_REPO_SIZE, backup->repo_size_bytes, type);
    add_size(sink, BACKUPS_METRIC_LAST_REPO_DELTA, backup->repo_delta_bytes, type);
}

void backups_metrics_add_summary(struct sink *sink, const struct backup_summary *summary)
{
    for (enum backup_type type = 0; type < BACKUP_TYPE_COUNT; type++) {
        const char *const *label = LABELS(backup_type_name(type));
        sink_add(sink, BACKUPS_METRIC_BACKUPS, (double)summary->count[type], label);
        if (summary->newest[type])
            add_newest(sink, summary->newest[type], label);
    }
    if (summary->damage_known)
        sink_add(sink, BACKUPS_METRIC_WITH_ERRORS, (double)summary->damaged, NULL);
    if (summary->oldest)
        sink_add(sink, BACKUPS_METRIC_OLDEST_COMPLETION, (double)summary->oldest->stop, NULL);
    add_size(sink, BACKUPS_METRIC_REPO_STORED, summary->stored_bytes, NULL);
}
