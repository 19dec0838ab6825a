#include "collectors/backups_each.h"

#include <criterion/criterion.h>
#include <string.h>

#include "collectors/backups_metrics.h"
#include "exporter/base/strbuf.h"

static const struct label target[] = {{"stanza", "main"}, {"repo_key", "1"}, {NULL, NULL}};

static const struct info_database databases[] = {
    {.id = 1, .repo_key = 1, .version = "15"},
    {.id = 2, .repo_key = 1, .version = "17"},
};

/* An incremental backup of which everything is known. */
static const struct info_backup known = {
    .label = "20261122-154723F_20261122-154735I",
    .type = "incr",
    .repo_key = 1,
    .database_id = 2,
    .start = 1795362455,
    .stop = 1795362457,
    .archive_start = "000000010000000000000015",
    .archive_stop = "000000010000000000000016",
    .lsn_start = "0/15000028",
    .lsn_stop = "0/16000050",
    .size_bytes = 30,
    .delta_bytes = 20,
    .repo_size_bytes = 11,
    .repo_delta_bytes = 10,
    .repo_size_map_bytes = INFO_SIZE_UNKNOWN,
    .repo_delta_map_bytes = INFO_SIZE_UNKNOWN,
    .damage = INFO_DAMAGE_NONE,
    .pgbackrest_version = "2.45",
    .annotation_count = 2,
    .prior = "20261122-154723F",
};

/* The series and values for these backups of repository 1, one a line. */
static char *series_of(const struct info_backup *backups, size_t count)
{
    struct info_stanza stanza = {.name = "main",
                                 .databases = databases,
                                 .database_count = COUNT_OF(databases),
                                 .backups = backups,
                                 .backup_count = count};
    struct sink *sink = sink_new(backups_metrics, BACKUPS_METRIC_COUNT, target);
    struct sample_set *samples = NULL;
    struct err refused = {0}, err = {0};
    struct strbuf lines = {0};
    backups_each_add(sink, &stanza, 1);
    cr_assert(sink_finish(sink, &samples, &refused, &err));
    cr_expect_eq(refused.code, ERR_NONE, "%s", refused.text);
    for (size_t i = 0; i < samples->count; i++)
        strbuf_printf(&lines, "%s %.0f\n", samples->items[i].series, samples->items[i].value);
    strbuf_puts(&lines, "");
    char *text = strdup(strbuf_text(&lines));
    strbuf_done(&lines);
    sample_set_free(samples);
    sink_free(sink);
    return text;
}

#define COMMON(block)                                                                              \
    "{stanza=\"main\",repo_key=\"1\",backup_name=\"20261122-154723F_20261122-154735I\","           \
    "backup_type=\"incr\",block_incr=\"" block "\",database_id=\"2\""

Test(backups_each, every_backup_has_the_series_of_pgbackrest_exporter)
{
    char *series = series_of(&known, 1);
    cr_expect_str_eq(
        series,
        "pgbackrest_backup_info" COMMON(
            "n") ",backrest_ver=\"2.45\",lsn_start=\"0/15000028\","
                 "lsn_stop=\"0/16000050\",pg_version=\"17\",prior=\"20261122-154723F\","
                 "wal_start=\"000000010000000000000015\",wal_stop=\"000000010000000000000016\"} 1\n"
                 "pgbackrest_backup_duration_seconds" COMMON(
                     "n") ",start_time=\"2026-11-22 15:47:35\","
                          "stop_time=\"2026-11-22 15:47:37\"} 2\n"
                          "pgbackrest_backup_size_bytes" COMMON(
                              "n") "} 30\n"
                                   "pgbackrest_backup_delta_bytes" COMMON(
                                       "n") "} 20\n"
                                            "pgbackrest_backup_repo_size_bytes" COMMON(
                                                "n") "} 11\n"
                                                     "pgbackrest_backup_repo_size_map_bytes" COMMON(
                                                         "n") "} 0\n"
                                                              "pgbackrest_backup_repo_delta_"
                                                              "bytes" COMMON(
                                                                  "n") "} 10\n"
                                                                       "pgbackrest_backup_repo_"
                                                                       "delta_map_bytes" COMMON(
                                                                           "n") "} 0\n"
                                                                                "pgbackrest_backup_"
                                                                                "error_"
                                                                                "status" COMMON(
                                                                                    "n") "} 0\n"
                                                                                         "pgbackres"
                                                                                         "t_backup_"
                                                                                         "annotatio"
                                                                                         "n"
                                                                                         "s" COMMON(
                                                                                             "n") "} 2\n");
    free(series);
}

Test(backups_each, block_incremental_is_told_by_its_maps_and_has_no_size_to_restore)
{
    struct info_backup backup = known;
    backup.repo_size_bytes = INFO_SIZE_UNKNOWN;
    backup.repo_size_map_bytes = 5;
    backup.repo_delta_map_bytes = 4;
    char *series = series_of(&backup, 1);
    cr_expect(strstr(series, "pgbackrest_backup_repo_size_map_bytes" COMMON("y") "} 5\n"));
    cr_expect(strstr(series, "pgbackrest_backup_repo_delta_map_bytes" COMMON("y") "} 4\n"));
    cr_expect_null(strstr(series, "pgbackrest_backup_repo_size_bytes{"));
    free(series);
}

Test(backups_each, an_old_offline_backup_has_only_the_labels_that_are_known)
{
    struct info_backup backup = {.label = "20261122-154723F",
                                 .type = "full",
                                 .repo_key = 1,
                                 .database_id = 2,
                                 .size_bytes = INFO_SIZE_UNKNOWN,
                                 .delta_bytes = INFO_SIZE_UNKNOWN,
                                 .repo_size_bytes = INFO_SIZE_UNKNOWN,
                                 .repo_delta_bytes = INFO_SIZE_UNKNOWN,
                                 .repo_size_map_bytes = INFO_SIZE_UNKNOWN,
                                 .repo_delta_map_bytes = INFO_SIZE_UNKNOWN};
    char *series = series_of(&backup, 1);
    cr_expect(strstr(series, "pgbackrest_backup_info{stanza=\"main\",repo_key=\"1\","
                             "backup_name=\"20261122-154723F\",backup_type=\"full\","
                             "block_incr=\"n\",database_id=\"2\",pg_version=\"17\"} 1\n"),
              "%s", series);
    cr_expect_null(strstr(series, "pgbackrest_backup_error_status"));
    cr_expect_null(strstr(series, "pgbackrest_backup_size_bytes"));
    free(series);
}

Test(backups_each, only_backups_of_this_repository_and_the_current_database_are_told)
{
    struct info_backup others[] = {known, known};
    others[0].repo_key = 2;
    others[1].database_id = 1;
    char *series = series_of(others, COUNT_OF(others));
    cr_expect_str_eq(series, "");
    free(series);
}
