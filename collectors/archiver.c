/*
 * archiver - progress and failures of WAL archiving, from pg_stat_archiver.
 *
 * The view has exactly one row. Its times are NULL until the first success or failure; then the
 * sample is left out: a missing series is honest, a zero would read as 1970. On a standby that does
 * not archive (archive_mode is not always) the view keeps what it said when the server was a
 * primary: what would look like a stalled archiver is left out there, too.
 */
#include "collectors/archiver.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/archiver_report.h"
#include "collectors/model/wal.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"
#include "exporter/sources/pg.h"

enum {
    ARCHIVED,
    FAILED,
    LAST_ARCHIVED,
    LAST_FAILED,
    STATS_RESET,
    LAST_ARCHIVE_AGE,
    IS_FAILING,
    ENABLED,
    TIMEOUT,
    IN_RECOVERY,
    SEGMENT_SIZE,
    LSN,
    LAST_ARCHIVED_LSN,
    POSTGRES_UP,
    POSTGRES_ERROR,
    METRIC_COUNT
};

static const struct metric_desc metrics[METRIC_COUNT] = {
    [ARCHIVED] =
        {
            .name = "pg_stat_archiver_archived_count",
            .help = "WAL files archived since the statistics were reset.",
            .type = METRIC_COUNTER,
            .keeps = FACT,
        },
    [FAILED] =
        {
            .name = "pg_stat_archiver_failed_count",
            .help = "Failed attempts to archive a WAL file since the statistics were reset.",
            .type = METRIC_COUNTER,
            .keeps = FACT,
        },
    [LAST_ARCHIVED] =
        {
            .name = "pg_stat_archiver_last_archived_timestamp_seconds",
            .help = "When a WAL file was last archived.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
        },
    [LAST_FAILED] =
        {
            .name = "pg_stat_archiver_last_failed_timestamp_seconds",
            .help = "When archiving a WAL file last failed.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
        },
    [STATS_RESET] =
        {
            .name = "pg_stat_archiver_stats_reset_timestamp_seconds",
            .help = "When the statistics of the archiver were reset.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
        },
    [LAST_ARCHIVE_AGE] =
        {
            .name = "pg_stat_archiver_last_archive_age",
            .help = "Seconds since a WAL file was last archived, at the time of the scrape.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
            .age = true,
        },
    [IS_FAILING] =
        {
            .name = "pg_archiver_failing",
            .help = "Whether the newest attempt to archive a WAL file failed.",
            .type = METRIC_GAUGE,
            .keeps = STATE,
        },
    [ENABLED] =
        {
            .name = "pg_archiver_enabled",
            .help =
                "Whether archive_mode is on or always: WAL is kept until it is archived; not said "
                "of a standby that leaves it to its primary.",
            .type = METRIC_GAUGE,
            .keeps = STATE,
        },
    [TIMEOUT] =
        {
            .name = "pg_archive_timeout_seconds",
            .help = "The archive_timeout after which a WAL segment that is not full is archived; 0 "
                    "for never.",
            .type = METRIC_GAUGE,
            .keeps = STATE,
        },
    [IN_RECOVERY] =
        {
            .name = "pg_in_recovery",
            .help = "Whether the server is a standby or still recovers.",
            .type = METRIC_GAUGE,
            .keeps = STATE,
        },
    [SEGMENT_SIZE] =
        {
            .name = "pg_wal_segment_size_bytes",
            .help = "Size of a WAL segment.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
        },
    [LSN] =
        {
            .name = "pg_wal_lsn_bytes",
            .help = "Position in the WAL that is written to, on a standby replayed to.",
            .type = METRIC_GAUGE,
            .keeps = STATE,
        },
    [LAST_ARCHIVED_LSN] =
        {
            .name = "pg_wal_last_archived_lsn_bytes",
            .help = "Position in the WAL up to which it is archived: the end of the last segment.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
        },
    [POSTGRES_UP] =
        {
            .name = "pgbackup_postgres_up",
            .help = "Whether PostgreSQL answered.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
        },
    [POSTGRES_ERROR] =
        {
            .name = "pgbackup_postgres_error",
            .help = "Why PostgreSQL did not answer: 1 for the one reason there is.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
            .labels = LABELS("reason"),
        },
};

/* Everybody may read these. Settings come from pg_settings for their plain units. */
enum {
    ROW_ARCHIVED_COUNT,
    ROW_LAST_ARCHIVED_WAL,
    ROW_LAST_ARCHIVED_TIME,
    ROW_FAILED_COUNT,
    ROW_LAST_FAILED_WAL,
    ROW_LAST_FAILED_TIME,
    ROW_STATS_RESET,
    ROW_MODE,
    ROW_HAS_COMMAND,
    ROW_TIMEOUT,
    ROW_SEGMENT_SIZE,
    ROW_IN_RECOVERY
};

static const char statistics_query[] =
    "SELECT archived_count, last_archived_wal, extract(epoch FROM last_archived_time),"
    " failed_count, last_failed_wal, extract(epoch FROM last_failed_time),"
    " extract(epoch FROM stats_reset), current_setting('archive_mode'),"
    " current_setting('archive_command') <> '' OR"
    "  coalesce(current_setting('archive_library', true), '') <> ''," /* since version 15 */
    " (SELECT setting FROM pg_settings WHERE name = 'archive_timeout'),"
    " (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),"
    " pg_is_in_recovery()"
    " FROM pg_stat_archiver";

/*
 * These can be taken from a role, and are on some hosted servers. The timeline of a primary comes
 * from its position: after a promotion the control file lags until the next checkpoint.
 */
enum { ROW_LSN, ROW_TIMELINE, ROW_SYSTEM_ID };

static const char position_query[] =
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    "  ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn,"
    " CASE WHEN pg_is_in_recovery() THEN to_hex(timeline_id)"
    "  ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,"
    " system_identifier"
    " FROM pg_control_checkpoint(), pg_control_system()";

void archiver_observation_free(struct archiver_observation *seen)
{
    if (!seen)
        return;
    free(seen->last_archived_wal);
    free(seen->last_failed_wal);
    free(seen);
}

static void observation_freep(struct archiver_observation **seen)
{
    archiver_observation_free(*seen);
}

static void observation_free(void *seen)
{
    archiver_observation_free(seen);
}

static bool ask_one_row(struct pg *pg, const char *query, const struct bound *bound,
                        struct pg_rows **ret, struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!pg_query(pg, query, bound, &rows, err))
        return false;
    if (pg_rows_count(rows) != 1)
        return err_set(err, ERR_QUERY, "the state of the archiver has %d rows, expected 1",
                       pg_rows_count(rows));
    *ret = TAKE(rows);
    return true;
}

/* 0 for NULL, as there is no event then. */
static double seconds_of(const struct pg_rows *rows, int column)
{
    return pg_rows_null(rows, 0, column) ? 0 : pg_rows_double(rows, 0, column);
}

static uint64_t integer_of(const struct pg_rows *rows, int column, int base)
{
    return strtoull(pg_rows_text(rows, 0, column), NULL, base);
}

static enum archive_mode mode_of(const char *setting)
{
    if (strcmp(setting, "always") == 0)
        return ARCHIVE_ALWAYS;
    return strcmp(setting, "on") == 0 ? ARCHIVE_ON : ARCHIVE_OFF;
}

static void read_settings(const struct pg_rows *rows, struct archiver_observation *seen)
{
    seen->in_recovery = pg_rows_bool(rows, 0, ROW_IN_RECOVERY);
    seen->mode = mode_of(pg_rows_text(rows, 0, ROW_MODE));
    seen->has_command = pg_rows_bool(rows, 0, ROW_HAS_COMMAND);
    seen->runs = seen->mode == ARCHIVE_ALWAYS || (seen->mode == ARCHIVE_ON && !seen->in_recovery);
    seen->archive_timeout_s = seconds_of(rows, ROW_TIMEOUT);
    seen->segment_size = integer_of(rows, ROW_SEGMENT_SIZE, 10);
}

static void read_events(const struct pg_rows *rows, struct archiver_observation *seen)
{
    seen->archived_count = integer_of(rows, ROW_ARCHIVED_COUNT, 10);
    seen->failed_count = integer_of(rows, ROW_FAILED_COUNT, 10);
    seen->last_archived_at = seconds_of(rows, ROW_LAST_ARCHIVED_TIME);
    seen->last_failed_at = seconds_of(rows, ROW_LAST_FAILED_TIME);
    seen->stats_reset_at = seconds_of(rows, ROW_STATS_RESET);
    seen->failing = seen->runs && seen->last_failed_at > seen->last_archived_at;
}

static bool read_names(const struct pg_rows *rows, struct archiver_observation *seen,
                       struct err *err)
{
    seen->last_archived_wal = strdup(pg_rows_text(rows, 0, ROW_LAST_ARCHIVED_WAL));
    seen->last_failed_wal = strdup(pg_rows_text(rows, 0, ROW_LAST_FAILED_WAL));
    if (!seen->last_archived_wal || !seen->last_failed_wal)
        return err_memory(err);
    struct wal_segment segment;
    if (wal_segment_archived(seen->last_archived_wal, seen->segment_size, &segment)) {
        seen->has_last_archived_lsn = true;
        seen->last_archived_lsn = wal_segment_end(&segment, seen->segment_size);
    }
    return true;
}

static bool read_statistics(struct pg *pg, const struct bound *bound,
                            struct archiver_observation *seen, struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!ask_one_row(pg, statistics_query, bound, &rows, err))
        return false;
    read_settings(rows, seen);
    read_events(rows, seen);
    return read_names(rows, seen, err);
}

static bool read_position(struct pg *pg, const struct bound *bound,
                          struct archiver_observation *seen, struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!ask_one_row(pg, position_query, bound, &rows, err))
        return false;
    seen->has_position = true;
    seen->has_lsn = !pg_rows_null(rows, 0, ROW_LSN);
    seen->lsn = integer_of(rows, ROW_LSN, 10);
    seen->timeline = (uint32_t)integer_of(rows, ROW_TIMELINE, 16);
    seen->system_id =
        integer_of(rows, ROW_SYSTEM_ID, 10); /* SQL shows the upper half as negative */
    return true;
}

/* As long as the alert on a standstill waits: a slow writer's segment is archived by then. */
#define STALLED_AFTER_S 600

void archiver_judge_progress(struct archiver_observation *seen, double now)
{
    if (!seen->has_lsn || !seen->has_last_archived_lsn || seen->lsn < seen->last_archived_lsn)
        return;
    seen->waiting_bytes = seen->lsn - seen->last_archived_lsn;
    seen->stalled = seen->runs && !seen->failing && seen->waiting_bytes > 2 * seen->segment_size &&
                    now - seen->last_archived_at > STALLED_AFTER_S;
}

static void add_time(struct sink *sink, size_t metric, double time)
{
    if (time > 0)
        sink_add(sink, metric, time, NULL);
}

/* What a server that does not archive cannot say, for its view is as old as its last archiving. */
static void add_progress(struct sink *sink, const struct archiver_observation *seen)
{
    sink_add(sink, IS_FAILING, seen->failing, NULL);
    add_time(sink, LAST_ARCHIVED, seen->last_archived_at);
    add_time(sink, LAST_ARCHIVE_AGE, seen->last_archived_at);
    add_time(sink, LAST_FAILED, seen->last_failed_at);
    if (seen->has_last_archived_lsn)
        sink_add(sink, LAST_ARCHIVED_LSN, (double)seen->last_archived_lsn, NULL);
}

static void add_samples(struct sink *sink, const struct archiver_observation *seen)
{
    sink_add(sink, POSTGRES_UP, 1, NULL);
    sink_add(sink, IN_RECOVERY, seen->in_recovery, NULL);
    sink_add(sink, ARCHIVED, (double)seen->archived_count, NULL);
    sink_add(sink, FAILED, (double)seen->failed_count, NULL);
    add_time(sink, STATS_RESET, seen->stats_reset_at);
    sink_add(sink, TIMEOUT, seen->archive_timeout_s, NULL);
    if (seen->runs || !seen->in_recovery)
        sink_add(sink, ENABLED, seen->mode != ARCHIVE_OFF, NULL);
    if (seen->runs)
        add_progress(sink, seen);
    if (seen->segment_size > 0)
        sink_add(sink, SEGMENT_SIZE, (double)seen->segment_size, NULL);
    if (seen->has_lsn)
        sink_add(sink, LSN, (double)seen->lsn, NULL);
}

static bool cannot_ask(struct run *run, const struct err *err)
{
    archiver_report_down(run->report, run->target->name, err);
    if (!pg_failure_is_outage(err->code))
        return false;
    sink_add(run->sink, POSTGRES_ERROR, 1, LABELS(err_reason(err->code)));
    return run_says_down(run, POSTGRES_UP, err);
}

static bool archiver_collect(void *state, struct run *run, struct err *err)
{
    struct archiver_observation *seen CLEANUP(observation_freep) = calloc(1, sizeof *seen);
    struct err failure = {0}, hidden = {0};
    if (!seen)
        return err_memory(err);
    bool read = read_statistics(state, &run->bound, seen, &failure);
    if (read && !read_position(state, &run->bound, seen, &hidden) &&
        hidden.code != ERR_PERMISSION) {
        failure = hidden;
        read = false;
    }
    if (!read)
        return cannot_ask(run, &failure) || err_set(err, failure.code, "%s", failure.text);
    archiver_judge_progress(seen, clock_wall_seconds());
    add_samples(run->sink, seen);
    archiver_report(run->report, run->target->name, seen, &hidden);
    run_observe(run, TAKE(seen), observation_free);
    return true;
}

static bool archiver_targets(const struct settings *settings, struct target_list *ret,
                             struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        const struct stanza *stanza = &settings->stanzas[i];
        if (!stanza->conninfo)
            continue;
        const struct label labels[] = {{"stanza", stanza->name}, {NULL, NULL}};
        struct target *target = target_add(&list, stanza->name, stanza->conninfo, labels);
        if (!target)
            return err_memory(err);
        target->spec = stanza;
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

static bool archiver_open(const struct environment *environment, const struct target *target,
                          void **ret, struct err *err)
{
    const struct stanza *stanza = target->spec;
    struct pg *pg = pg_open(environment->pool, stanza->conninfo, err);
    if (!pg)
        return err_prefix(err, "stanza %s", stanza->name);
    *ret = pg;
    return true;
}

static void archiver_close(void *state)
{
    pg_close(state);
}

const struct collector collector_archiver = {
    .name = "archiver",
    .help = "WAL archiving as PostgreSQL sees it (pg_stat_archiver).",
    .default_enabled = true,
    .interval_s = 15,
    .timeout_s = 5,
    .labels = LABELS("stanza"),
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = archiver_targets,
    .open = archiver_open,
    .collect = archiver_collect,
    .close = archiver_close,
};
