#include "collectors/archiver.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/archiver_report.h"
#include "collectors/settings.h"
#include "exporter/base/strbuf.h"
#include "exporter/schedule/collector.h"
#include "tests/unit/private_postgres.h"

extern const struct collector collector_archiver;

/* One collection of a target, and all that it brought. */
struct collection {
    struct sample_set *samples;
    struct report *report;
    struct archiver_observation *seen; /* NULL when it made none */
    bool succeeded, down;
    struct err err; /* why it is down or failed */
};

static void collection_done(struct collection *collection)
{
    sample_set_free(collection->samples);
    report_free(collection->report);
    archiver_observation_free(collection->seen);
    *collection = (struct collection){0};
}

static void collect(void *state, const struct target *target, struct collection *ret)
{
    struct err refused = {0}, err = {0};
    struct sink *sink =
        sink_new(collector_archiver.metrics, collector_archiver.metric_count, target->labels);
    struct run run = {
        .sink = sink,
        .report = report_new(),
        .bound = bound_after(5000, -1),
        .target = target,
    };
    *ret = (struct collection){0};
    ret->succeeded = collector_archiver.collect(state, &run, &err);
    ret->report = run.report;
    ret->seen = run.observation;
    ret->down = run.down;
    ret->err = ret->succeeded ? run.down_error : err;
    cr_assert(sink_finish(sink, &ret->samples, &refused, &err), "%s", err.text);
    cr_assert_eq(refused.code, ERR_NONE, "%s", refused.text);
    cr_assert(!ret->report->failed);
    sink_free(sink);
}

static void make_targets(char *conninfo, struct target_list *ret)
{
    static struct stanza stanza;
    static struct settings settings;
    static char name[] = "main";
    struct err err = {0};
    stanza.name = name;
    stanza.conninfo = conninfo;
    settings = (struct settings){.stanzas = &stanza, .stanza_count = 1};
    cr_assert(collector_archiver.targets(&settings, ret, &err), "%s", err.text);
}

/* Open, collect once, close. */
static void collect_from(char *conninfo, struct collection *ret)
{
    struct target_list targets CLEANUP(target_list_done) = {0};
    struct environment environment = {0};
    void *state = NULL;
    struct err err = {0};
    make_targets(conninfo, &targets);
    cr_assert(collector_archiver.open(&environment, &targets.items[0], &state, &err), "%s",
              err.text);
    collect(state, &targets.items[0], ret);
    collector_archiver.close(state);
}

/* NaN when there is none. */
static double sample(const struct collection *collection, const char *series)
{
    for (size_t i = 0; i < collection->samples->count; i++) {
        if (strcmp(collection->samples->items[i].series, series) == 0)
            return collection->samples->items[i].value;
    }
    return NAN;
}

static void assert_sample(const struct collection *collection, const char *series, double value)
{
    cr_assert_eq(sample(collection, series), value, "%s is %g, expected %g", series,
                 sample(collection, series), value);
}

static void assert_absent(const struct collection *collection, const char *series)
{
    cr_assert(isnan(sample(collection, series)), "%s is there", series);
}

static const struct report_item *find_item(const struct report *report, enum report_kind kind,
                                           const char *words)
{
    const struct report_item *group = report->root->children[0];
    for (size_t i = 0; i < group->child_count; i++) {
        const struct report_item *item = group->children[i];
        if (item->kind == kind && ((item->text && strstr(item->text, words)) ||
                                   (item->title && strstr(item->title, words))))
            return item;
    }
    return NULL;
}

static void assert_verdict(const struct report *report, enum grade grade, const char *words)
{
    const struct report_item *verdict = find_item(report, REPORT_VERDICT, words);
    cr_assert(verdict, "no verdict \"%s\"", words);
    cr_assert_eq(verdict->grade, grade, "%s", grade_name(verdict->grade));
}

/* What is a target. */

Test(archiver, each_stanza_with_a_conninfo_is_a_target)
{
    char first[] = "main", second[] = "repository-host-only", third[] = "other";
    char conninfo[] = "host=/tmp";
    struct stanza stanzas[] = {{.name = first, .conninfo = conninfo},
                               {.name = second},
                               {.name = third, .conninfo = conninfo}};
    struct settings settings = {.stanzas = stanzas, .stanza_count = COUNT_OF(stanzas)};
    struct target_list targets CLEANUP(target_list_done) = {0};
    struct err err = {0};
    cr_assert(collector_archiver.targets(&settings, &targets, &err), "%s", err.text);
    cr_assert_eq(targets.count, 2);
    cr_assert_str_eq(targets.items[0].name, "main");
    cr_assert_str_eq(targets.items[1].name, "other");
    cr_assert_str_eq(label_get(targets.items[1].labels, "stanza"), "other");
    cr_assert_eq(targets.items[1].spec, &stanzas[2]);
}

Test(archiver, another_conninfo_is_another_target)
{
    char conninfo[] = "host=/tmp", other[] = "host=/run";
    struct target_list before CLEANUP(target_list_done) = {0},
                              after CLEANUP(target_list_done) = {0};
    make_targets(conninfo, &before);
    make_targets(other, &after);
    cr_assert_str_neq(before.items[0].fingerprint, after.items[0].fingerprint);
}

Test(archiver, conninfo_that_libpq_cannot_read_names_its_stanza)
{
    char conninfo[] = "hsot=/tmp";
    struct target_list targets CLEANUP(target_list_done) = {0};
    struct environment environment = {0};
    void *state = NULL;
    struct err err = {0};
    make_targets(conninfo, &targets);
    cr_assert(!collector_archiver.open(&environment, &targets.items[0], &state, &err));
    cr_assert_eq(err.code, ERR_CONFIG);
    cr_assert(strstr(err.text, "stanza main: "), "%s", err.text);
    collector_archiver.close(state);
}

Test(archiver, descriptors_are_sound)
{
    for (size_t i = 0; i < collector_archiver.metric_count; i++) {
        struct err err = {0};
        cr_assert(metric_desc_check(&collector_archiver.metrics[i], &err), "%s", err.text);
    }
}

/* A server that is not there. */

Test(archiver, server_that_is_down_is_an_answer_with_a_reason)
{
    char conninfo[] = "host=/nonexistent/folder";
    struct collection found CLEANUP(collection_done);
    collect_from(conninfo, &found);
    cr_assert(found.succeeded);
    cr_assert(found.down);
    cr_assert_eq(found.err.code, ERR_CONNECT);
    cr_assert_eq(found.samples->count, 2);
    assert_sample(&found, "pgbackup_postgres_up{stanza=\"main\"}", 0);
    assert_sample(&found, "pgbackup_postgres_error{stanza=\"main\",reason=\"connect\"}", 1);
    cr_assert_null(found.seen, "the last known observation must stay");
    assert_verdict(found.report, GRADE_UNKNOWN, "/nonexistent/folder");
    cr_assert(find_item(found.report, REPORT_STEP, "whether the server runs"));
}

Test(archiver, wrong_option_is_our_own_failure)
{
    char conninfo[] = "host=/tmp sslmode=perhaps";
    struct collection found CLEANUP(collection_done);
    collect_from(conninfo, &found);
    cr_assert(!found.succeeded);
    cr_assert_eq(found.err.code, ERR_CONFIG);
    cr_assert_eq(found.samples->count, 0);
    assert_verdict(found.report, GRADE_UNKNOWN, "invalid sslmode");
}

/* A real server. */

static struct private_postgres server;

static void end_server(void)
{
    private_postgres_done(&server);
}

TestSuite(archiver_server, .fini = end_server);

static void start(const char *mode, const char *command)
{
    struct strbuf mode_setting = {0}, command_setting = {0};
    strbuf_printf(&mode_setting, "archive_mode=%s", mode);
    private_postgres_start(&server, (const char *const[]){strbuf_text(&mode_setting), NULL});
    if (command) {
        strbuf_printf(&command_setting, "ALTER SYSTEM SET archive_command = '%s'", command);
        private_postgres_run(&server, strbuf_text(&command_setting));
        private_postgres_run(&server, "SELECT pg_reload_conf()");
    }
    strbuf_done(&mode_setting);
    strbuf_done(&command_setting);
}

static void fill_a_segment(void)
{
    private_postgres_run(&server, "SELECT pg_logical_emit_message(false, 'test', 'x')");
    private_postgres_run(&server, "SELECT pg_switch_wal()");
}

static void await_archived(void)
{
    fill_a_segment();
    private_postgres_await(&server, "SELECT archived_count > 0 FROM pg_stat_archiver", "t");
}

static double now_of_server(void)
{
    char *text = private_postgres_ask(&server, "SELECT extract(epoch FROM now())");
    double now = strtod(text, NULL);
    free(text);
    return now;
}

Test(archiver_server, working_archiver_tells_its_progress)
{
    start("on", "/bin/true");
    double before = now_of_server();
    await_archived();
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    cr_assert(found.succeeded && !found.down, "%s", found.err.text);
    assert_sample(&found, "pgbackup_postgres_up{stanza=\"main\"}", 1);
    assert_sample(&found, "pg_stat_archiver_archived_count{stanza=\"main\"}",
                  (double)found.seen->archived_count);
    assert_sample(&found, "pg_stat_archiver_failed_count{stanza=\"main\"}", 0);
    assert_sample(&found, "pg_archiver_failing{stanza=\"main\"}", 0);
    assert_sample(&found, "pg_archiver_enabled{stanza=\"main\"}", 1);
    assert_sample(&found, "pg_in_recovery{stanza=\"main\"}", 0);
    assert_sample(&found, "pg_archive_timeout_seconds{stanza=\"main\"}", 0);
    double at = sample(&found, "pg_stat_archiver_last_archived_timestamp_seconds{stanza=\"main\"}");
    cr_assert(at >= before && at <= now_of_server(), "%f", at);
    assert_sample(&found, "pg_stat_archiver_last_archive_age{stanza=\"main\"}", at);
    cr_assert(sample(&found, "pg_stat_archiver_stats_reset_timestamp_seconds{stanza=\"main\"}") >
              0);
    assert_absent(&found, "pg_stat_archiver_last_failed_timestamp_seconds{stanza=\"main\"}");
    assert_absent(&found, "pgbackup_postgres_error{stanza=\"main\",reason=\"\"}");
    assert_verdict(found.report, GRADE_OK, "WAL archiving works");
}

Test(archiver_server, positions_are_those_of_the_server)
{
    start("on", "/bin/true");
    await_archived();
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    char *lsn = private_postgres_ask(&server, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn");
    char *end = private_postgres_ask(
        &server, "SELECT ('x' || right(last_archived_wal, 8))::bit(32)::bigint * 1048576 + 1048576 "
                 "FROM pg_stat_archiver");
    cr_assert(sample(&found, "pg_wal_lsn_bytes{stanza=\"main\"}") > 0);
    cr_assert(sample(&found, "pg_wal_lsn_bytes{stanza=\"main\"}") <= strtod(lsn, NULL));
    assert_sample(&found, "pg_wal_last_archived_lsn_bytes{stanza=\"main\"}", strtod(end, NULL));
    free(lsn);
    free(end);
}

Test(archiver_server, observation_says_what_a_repository_is_compared_with)
{
    start("on", "/bin/true");
    await_archived();
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    char *id = private_postgres_ask(&server, "SELECT system_identifier FROM pg_control_system()");
    const struct archiver_observation *seen = found.seen;
    cr_assert(seen);
    assert_sample(&found, "pg_wal_segment_size_bytes{stanza=\"main\"}", (double)(1 << 20));
    cr_assert(seen->runs && !seen->failing && !seen->in_recovery && seen->has_command);
    cr_assert_eq(seen->mode, ARCHIVE_ON);
    cr_assert_eq(strlen(seen->last_archived_wal), 24);
    cr_assert_eq(seen->segment_size, PRIVATE_POSTGRES_SEGMENT);
    cr_assert(seen->has_position && seen->has_lsn && seen->has_last_archived_lsn);
    cr_assert_geq(seen->lsn, seen->last_archived_lsn);
    cr_assert_eq(seen->timeline, 1);
    cr_assert_eq(seen->system_id, strtoull(id, NULL, 10));
    free(id);
}

Test(archiver_server, failing_archiver_is_told_until_it_succeeds_again)
{
    start("on", "/bin/false");
    fill_a_segment();
    private_postgres_await(&server, "SELECT failed_count > 0 FROM pg_stat_archiver", "t");
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    assert_sample(&found, "pg_archiver_failing{stanza=\"main\"}", 1);
    cr_assert(sample(&found, "pg_stat_archiver_failed_count{stanza=\"main\"}") >= 1);
    cr_assert(sample(&found, "pg_stat_archiver_last_failed_timestamp_seconds{stanza=\"main\"}") >
              0);
    assert_absent(&found, "pg_stat_archiver_last_archived_timestamp_seconds{stanza=\"main\"}");
    assert_absent(&found, "pg_stat_archiver_last_archive_age{stanza=\"main\"}");
    assert_absent(&found, "pg_wal_last_archived_lsn_bytes{stanza=\"main\"}");
    assert_verdict(found.report, GRADE_FAILED, "WAL archiving FAILS: no success yet");
    cr_assert(find_item(found.report, REPORT_FACT, "last failed WAL"));

    private_postgres_run(&server, "ALTER SYSTEM SET archive_command = '/bin/true'");
    private_postgres_run(&server, "SELECT pg_reload_conf()");
    private_postgres_await(&server, "SELECT archived_count > 0 FROM pg_stat_archiver", "t");
    collection_done(&found);
    collect_from(server.conninfo, &found);
    assert_sample(&found, "pg_archiver_failing{stanza=\"main\"}", 0);
    assert_verdict(found.report, GRADE_OK, "WAL archiving works");
}

Test(archiver_server, archiving_that_is_off_is_said)
{
    start("off", NULL);
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    assert_sample(&found, "pgbackup_postgres_up{stanza=\"main\"}", 1);
    assert_sample(&found, "pg_archiver_enabled{stanza=\"main\"}", 0);
    assert_absent(&found, "pg_archiver_failing{stanza=\"main\"}");
    assert_verdict(found.report, GRADE_FAILED, "archive_mode = off");
}

Test(archiver_server, archiving_without_a_command_is_said)
{
    start("on", "");
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    assert_sample(&found, "pg_archiver_enabled{stanza=\"main\"}", 1);
    cr_assert(!found.seen->has_command);
    assert_verdict(found.report, GRADE_FAILED, "no archive_command");
}

static void restart_as_standby(const char *mode)
{
    struct strbuf setting CLEANUP(strbuf_done) = {0};
    strbuf_printf(&setting, "archive_mode=%s", mode);
    private_postgres_stop_in_order(&server);
    private_postgres_make_standby(&server);
    private_postgres_restart(&server, (const char *const[]){strbuf_text(&setting), NULL});
}

Test(archiver_server, demoted_primary_is_quiet_about_its_old_archiving)
{
    start("on", "/bin/true");
    await_archived();
    restart_as_standby("on");
    private_postgres_await(&server, "SELECT archived_count > 0 FROM pg_stat_archiver", "t");
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    assert_sample(&found, "pg_in_recovery{stanza=\"main\"}", 1);
    assert_sample(&found, "pgbackup_postgres_up{stanza=\"main\"}", 1);
    cr_assert(sample(&found, "pg_wal_lsn_bytes{stanza=\"main\"}") > 0);
    cr_assert(sample(&found, "pg_stat_archiver_archived_count{stanza=\"main\"}") > 0);
    assert_absent(&found, "pg_archiver_failing{stanza=\"main\"}");
    assert_absent(&found, "pg_archiver_enabled{stanza=\"main\"}");
    assert_absent(&found, "pg_stat_archiver_last_archive_age{stanza=\"main\"}");
    assert_absent(&found, "pg_stat_archiver_last_archived_timestamp_seconds{stanza=\"main\"}");
    assert_absent(&found, "pg_wal_last_archived_lsn_bytes{stanza=\"main\"}");
    cr_assert_eq(found.seen->timeline, 1);
    assert_verdict(found.report, GRADE_NONE, "a standby");
}

Test(archiver_server, failure_of_a_former_primary_is_not_failing_now)
{
    start("on", "/bin/false");
    fill_a_segment();
    private_postgres_await(&server, "SELECT failed_count > 0 FROM pg_stat_archiver", "t");
    private_postgres_run(&server, "ALTER SYSTEM SET archive_command = ''"); /* a stop would retry */
    private_postgres_run(&server, "SELECT pg_reload_conf()");
    restart_as_standby("on");
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    cr_assert(found.seen->last_failed_at > found.seen->last_archived_at);
    cr_assert(!found.seen->failing);
    assert_absent(&found, "pg_stat_archiver_last_failed_timestamp_seconds{stanza=\"main\"}");
}

Test(archiver_server, promoted_standby_is_on_its_new_timeline)
{
    start("on", "/bin/true");
    restart_as_standby("on");
    private_postgres_run(&server, "SELECT pg_promote()");
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    cr_assert(!found.seen->in_recovery);
    cr_assert_eq(found.seen->timeline, 2);
}

Test(archiver_server, standby_that_always_archives_is_watched)
{
    start("always", "/bin/true");
    await_archived();
    restart_as_standby("always");
    struct collection found CLEANUP(collection_done);
    collect_from(server.conninfo, &found);
    assert_sample(&found, "pg_in_recovery{stanza=\"main\"}", 1);
    assert_sample(&found, "pg_archiver_enabled{stanza=\"main\"}", 1);
    assert_sample(&found, "pg_archiver_failing{stanza=\"main\"}", 0);
    cr_assert_eq(found.seen->mode, ARCHIVE_ALWAYS);
}

static char *conninfo_of_role(const char *role)
{
    struct strbuf conninfo = {0};
    strbuf_printf(&conninfo, "host=%s dbname=postgres user=%s", server.folder, role);
    return strbuf_steal(&conninfo);
}

Test(archiver_server, role_without_any_grant_sees_everything)
{
    start("on", "/bin/true");
    private_postgres_run(&server, "CREATE ROLE plain LOGIN");
    char *conninfo = conninfo_of_role("plain");
    struct collection found CLEANUP(collection_done);
    collect_from(conninfo, &found);
    assert_sample(&found, "pgbackup_postgres_up{stanza=\"main\"}", 1);
    cr_assert(found.seen->has_position);
    free(conninfo);
}

Test(archiver_server, revoked_position_is_named_and_the_rest_is_told)
{
    start("on", "/bin/true");
    private_postgres_run(&server, "CREATE ROLE plain LOGIN");
    private_postgres_run(&server, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    char *conninfo = conninfo_of_role("plain");
    struct collection found CLEANUP(collection_done);
    collect_from(conninfo, &found);
    cr_assert(found.succeeded && !found.down);
    assert_sample(&found, "pgbackup_postgres_up{stanza=\"main\"}", 1);
    assert_sample(&found, "pg_archiver_enabled{stanza=\"main\"}", 1);
    assert_absent(&found, "pg_wal_lsn_bytes{stanza=\"main\"}");
    cr_assert(!found.seen->has_position && !found.seen->has_lsn);
    assert_verdict(found.report, GRADE_WARNING, "permission denied for function pg_control_system");
    free(conninfo);
}

Test(archiver_server, revoked_statistics_are_an_outage_with_what_to_grant)
{
    start("on", "/bin/true");
    private_postgres_run(&server, "CREATE ROLE plain LOGIN");
    private_postgres_run(&server, "REVOKE SELECT ON pg_stat_archiver FROM PUBLIC");
    char *conninfo = conninfo_of_role("plain");
    struct collection found CLEANUP(collection_done);
    collect_from(conninfo, &found);
    cr_assert(found.down);
    assert_sample(&found, "pgbackup_postgres_error{stanza=\"main\",reason=\"permission\"}", 1);
    cr_assert(find_item(found.report, REPORT_STEP, "read the statistics"));
    free(conninfo);
}

/* Words. */

static char segment_name[] = "000000010000000000000001", no_name[] = "";

static struct archiver_observation working(void)
{
    return (struct archiver_observation){
        .mode = ARCHIVE_ON,
        .has_command = true,
        .runs = true,
        .archived_count = 7,
        .last_archived_wal = segment_name,
        .last_failed_wal = no_name,
        .last_archived_at = 1000,
        .has_position = true,
        .has_lsn = true,
        .lsn = 0x16B374D848,
        .timeline = 3,
    };
}

static struct report *report_of(const struct archiver_observation *seen)
{
    struct report *report = report_new();
    struct err hidden = {0};
    archiver_report(report, "main", seen, &hidden);
    cr_assert(!report->failed);
    return report;
}

Test(archiver_report, success_says_when)
{
    struct archiver_observation seen = working();
    struct report *report = report_of(&seen);
    assert_verdict(report, GRADE_OK, "archived 1970-01-01 00:16 UTC");
    report_free(report);
}

Test(archiver_report, failure_says_since_when_and_what_to_do)
{
    struct archiver_observation seen = working();
    seen.failing = true;
    seen.failed_count = 12;
    seen.last_failed_at = 1900;
    struct report *report = report_of(&seen);
    assert_verdict(report, GRADE_FAILED, "FAILS: last success 1970-01-01 00:16 UTC, 12 failures");
    const struct report_item *step = find_item(report, REPORT_STEP, "in the way");
    cr_assert(step);
    cr_assert_str_eq(step->command, "sudo -u postgres pgbackrest --stanza=main check");
    report_free(report);
}

Test(archiver_report, nothing_archived_yet_is_not_good)
{
    struct archiver_observation seen = working();
    seen.last_archived_at = 0;
    seen.last_archived_wal = no_name;
    struct report *report = report_of(&seen);
    assert_verdict(report, GRADE_UNKNOWN, "no WAL file has been archived yet");
    cr_assert_null(find_item(report, REPORT_FACT, "last archived"));
    report_free(report);
}

Test(archiver_report, facts_name_file_position_and_settings)
{
    struct archiver_observation seen = working();
    struct report *report = report_of(&seen);
    cr_assert(find_item(report, REPORT_FACT, "000000010000000000000001"));
    cr_assert(find_item(report, REPORT_FACT, "16/B374D848 on timeline 3"));
    cr_assert(find_item(report, REPORT_FACT, "off: on a quiet database"));
    cr_assert_str_eq(report->root->children[0]->title, "WAL archiving of main");
    report_free(report);
}

Test(archiver_report, command_to_paste_names_the_stanza)
{
    struct archiver_observation seen = working();
    seen.failing = true;
    struct report *report = report_of(&seen);
    const struct report_item *step = find_item(report, REPORT_STEP, "in the way");
    cr_assert(step);
    cr_assert_str_eq(step->command, "sudo -u postgres pgbackrest --stanza=main check");
    report_free(report);
}

Test(archiver_report, standstill_without_a_failure_is_not_called_working)
{
    struct archiver_observation seen = working();
    seen.stalled = true;
    seen.waiting_bytes = UINT64_C(96) << 20;
    struct report *report = report_of(&seen);
    assert_verdict(report, GRADE_FAILED,
                   "stands still: 96 MiB wait, last file archived 1970-01-01 00:16 UTC");
    const struct report_item *step = find_item(report, REPORT_STEP, "what the archiver waits for");
    cr_assert(step && strstr(step->command, "wchan"));
    report_free(report);
}

static bool is_stalled(uint64_t waiting_bytes, double age, bool runs, bool failing)
{
    struct archiver_observation seen = working();
    seen.segment_size = UINT64_C(1) << 24;
    seen.has_lsn = seen.has_last_archived_lsn = true;
    seen.last_archived_lsn = UINT64_C(1) << 30;
    seen.lsn = seen.last_archived_lsn + waiting_bytes;
    seen.last_archived_at = 1000;
    seen.runs = runs;
    seen.failing = failing;
    archiver_judge_progress(&seen, 1000 + age);
    cr_assert_eq(seen.waiting_bytes, waiting_bytes);
    return seen.stalled;
}

Test(archiver_progress, a_standstill_is_whole_segments_that_wait_for_long)
{
    const uint64_t two_segments = UINT64_C(2) << 24;
    cr_expect(is_stalled(two_segments + 1, 601, true, false));
    cr_expect_not(is_stalled(two_segments, 601, true, false), "the current one is not whole");
    cr_expect_not(is_stalled(two_segments + 1, 600, true, false), "not for long");
    cr_expect_not(is_stalled(two_segments + 1, 601, false, false), "a standby");
    cr_expect_not(is_stalled(two_segments + 1, 601, true, true), "a failure is told as one");
}

Test(archiver_progress, an_archive_ahead_of_the_writer_is_no_standstill)
{
    struct archiver_observation seen = working();
    seen.has_lsn = seen.has_last_archived_lsn = true;
    seen.lsn = 100;
    seen.last_archived_lsn = UINT64_C(1) << 40; /* a former primary's */
    archiver_judge_progress(&seen, 1e9);
    cr_expect_not(seen.stalled);
    cr_expect_eq(seen.waiting_bytes, 0u);
}
