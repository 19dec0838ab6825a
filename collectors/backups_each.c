#include "collectors/backups_each.h"

#include <inttypes.h>
#include <time.h>

#include "collectors/backup_summary.h"
#include "collectors/backups_metrics.h"
#include "exporter/base/strbuf.h"

/* The labels that all series of one backup carry, in the order of the descriptors. */
struct each {
    const struct info_backup *backup;
    const char *block_incremental; /* "y", "n" */
    const char *database_id;
};

#define COMMON_LABELS(each)                                                                        \
    (each)->backup->label, (each)->backup->type, (each)->block_incremental, (each)->database_id

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* "2026-11-22 15:47:23", in UTC. */
static void add_time(struct strbuf *out, int64_t seconds)
{
    char text[32];
    struct tm utc;
    time_t time = (time_t)seconds;
    if (gmtime_r(&time, &utc) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc) > 0)
        strbuf_puts(out, text);
}

static void add_info(struct sink *sink, const struct each *each, const char *pg_version)
{
    const struct info_backup *backup = each->backup;
    sink_add(sink, BACKUPS_METRIC_EACH_INFO, 1,
             LABELS(COMMON_LABELS(each), text_or_empty(backup->pgbackrest_version),
                    text_or_empty(backup->lsn_start), text_or_empty(backup->lsn_stop),
                    text_or_empty(pg_version), text_or_empty(backup->prior),
                    text_or_empty(backup->archive_start), text_or_empty(backup->archive_stop)));
}

static void add_duration(struct sink *sink, const struct each *each)
{
    struct strbuf start CLEANUP(strbuf_done) = {0};
    struct strbuf stop CLEANUP(strbuf_done) = {0};
    add_time(&start, each->backup->start);
    add_time(&stop, each->backup->stop);
    sink_add(sink, BACKUPS_METRIC_EACH_DURATION, (double)(each->backup->stop - each->backup->start),
             LABELS(COMMON_LABELS(each), strbuf_text(&start), strbuf_text(&stop)));
}

static void add_size(struct sink *sink, const struct each *each, size_t metric, int64_t bytes)
{
    if (bytes != INFO_SIZE_UNKNOWN)
        sink_add(sink, metric, (double)bytes, LABELS(COMMON_LABELS(each)));
}

/* Without block incremental there are no maps: they have no bytes. */
static int64_t map_bytes(int64_t bytes)
{
    return bytes == INFO_SIZE_UNKNOWN ? 0 : bytes;
}

static void add_sizes(struct sink *sink, const struct each *each)
{
    const struct info_backup *backup = each->backup;
    add_size(sink, each, BACKUPS_METRIC_EACH_SIZE, backup->size_bytes);
    add_size(sink, each, BACKUPS_METRIC_EACH_DELTA, backup->delta_bytes);
    add_size(sink, each, BACKUPS_METRIC_EACH_REPO_SIZE, backup->repo_size_bytes);
    add_size(sink, each, BACKUPS_METRIC_EACH_REPO_SIZE_MAP, map_bytes(backup->repo_size_map_bytes));
    add_size(sink, each, BACKUPS_METRIC_EACH_REPO_DELTA, backup->repo_delta_bytes);
    add_size(sink, each, BACKUPS_METRIC_EACH_REPO_DELTA_MAP,
             map_bytes(backup->repo_delta_map_bytes));
}

static void add_backup(struct sink *sink, const struct info_backup *backup,
                       const struct info_database *database, const char *database_id)
{
    bool has_maps = backup->repo_size_map_bytes != INFO_SIZE_UNKNOWN &&
                    backup->repo_delta_map_bytes != INFO_SIZE_UNKNOWN;
    struct each each = {backup, has_maps ? "y" : "n", database_id};
    add_info(sink, &each, database->version);
    add_duration(sink, &each);
    add_sizes(sink, &each);
    if (backup->damage != INFO_DAMAGE_UNKNOWN)
        sink_add(sink, BACKUPS_METRIC_EACH_ERROR, backup->damage == INFO_DAMAGE_FOUND,
                 LABELS(COMMON_LABELS(&each)));
    sink_add(sink, BACKUPS_METRIC_EACH_ANNOTATIONS, (double)backup->annotation_count,
             LABELS(COMMON_LABELS(&each)));
}

void backups_each_add(struct sink *sink, const struct info_stanza *stanza, int64_t repo_key)
{
    const struct info_database *database = info_current_database(stanza, repo_key);
    struct strbuf id CLEANUP(strbuf_done) = {0};
    if (database)
        strbuf_printf(&id, "%" PRId64, database->id);
    for (size_t i = 0; i < stanza->backup_count; i++) {
        const struct info_backup *backup = &stanza->backups[i];
        if (database && backup_is_current(backup, repo_key, database))
            add_backup(sink, backup, database, strbuf_text(&id));
    }
}
