#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/drill.h"
#include "collectors/settings.h"
#include "exporter/metrics/exposition.h"
#include "exporter/schedule/collector.h"

#define TEXT_OF(text) ((char *)(uintptr_t)(text))

extern const struct collector collector_drill;

static char folder[] = "/tmp/test_drill_XXXXXX";
static struct strbuf path;
static struct stanza stanza = {.name = TEXT_OF("main")};
static struct stanza_repository repository = {.stanza = &stanza, .key = 2, .name = TEXT_OF("r2")};
static struct settings settings = {.state_directory = folder};
static struct report *report;
static struct exposition *page;
static struct strbuf text;
static struct drill_observation seen;

static void set_up(void)
{
    cr_assert(mkdtemp(folder));
    drill_record_path(folder, "main", 2, &path);
}

static void tear_down(void)
{
    char below[sizeof folder + 20];
    unlink(strbuf_text(&path));
    strbuf_puts(&path, ".lock");
    unlink(strbuf_text(&path));
    snprintf(below, sizeof below, "%s/drill", folder);
    rmdir(below);
    cr_expect_eq(rmdir(folder), 0);
    strbuf_done(&path);
    strbuf_done(&text);
    report_free(report);
    exposition_free(page);
}

TestSuite(drill, .init = set_up, .fini = tear_down);

static void write_record(const struct drill_record *record)
{
    struct err err = {0};
    cr_assert(drill_record_write(strbuf_text(&path), record, &err), "%s", err.text);
}

/* One look; its samples are in text. */
static void collect(void)
{
    void *state = NULL;
    struct err err = {0}, refused = {0};
    struct sample_set *samples = NULL;
    struct environment environment = {.settings = &settings};
    struct target target = {.spec = &repository};
    report = report_new();
    struct run run = {.report = report, .target = &target};
    run.sink = sink_new(collector_drill.metrics, collector_drill.metric_count, NULL);
    cr_assert(collector_drill.open(&environment, &target, &state, &err));
    cr_assert(collector_drill.collect(state, &run, &err), "%s", err.text);
    cr_assert(sink_finish(run.sink, &samples, &refused, &err));
    page = exposition_new(0);
    exposition_add(page, samples, WRITE_STATES | WRITE_FACTS | WRITE_OUTCOMES);
    exposition_write(page, EXPOSITION_TEXT, &text);
    seen = *(const struct drill_observation *)run.observation;
    run.observation_free(run.observation);
    collector_drill.close(state);
    sample_set_free(samples);
    sink_free(run.sink);
}

static void expect_sample(const char *sample)
{
    cr_expect(strstr(strbuf_text(&text), sample), "%s is not in:\n%s", sample, strbuf_text(&text));
}

static void expect_no_sample(const char *sample)
{
    cr_expect_not(strstr(strbuf_text(&text), sample), "%s is in:\n%s", sample, strbuf_text(&text));
}

static const struct drill_record success = {
    .succeeded = true,
    .started_at = 1000,
    .ready_at = 1060,
    .ended_at = 1100,
    .recovered_at = 900,
    .success_started_at = 1000,
    .success_ready_at = 1060,
    .success_ended_at = 1100,
    .success_recovered_at = 900,
};

Test(drill, without_a_record_there_is_no_sample_and_a_step)
{
    collect();
    cr_expect_eq(text.length, 0);
    cr_expect_eq(seen.state, DRILL_NEVER);
    cr_expect_eq(report_worst(report->root), GRADE_NONE);
    cr_expect_str_eq(report->root->children[0]->children[1]->command,
                     "sudo -u postgres pgbackup_exporter drill --stanza=main --repo=2");
}

Test(drill, its_title_names_the_repository)
{
    collect();
    cr_expect_str_eq(report->root->children[0]->title, "Restore drill of repository 2 (r2)");
}

Test(drill, a_success_tells_what_a_restore_takes)
{
    write_record(&success);
    collect();
    expect_sample("\npgbackrest_restore_drill_status 1\n");
    expect_sample("\npgbackrest_restore_drill_duration_seconds 60\n");
    expect_sample("\npgbackrest_restore_drill_last_attempt_timestamp_seconds 1000\n");
    expect_sample("\npgbackrest_restore_drill_last_success_timestamp_seconds 1100\n");
    expect_sample("\npgbackrest_restore_drill_recovered_timestamp_seconds 900\n");
    cr_expect_eq(seen.state, DRILL_SUCCEEDED);
    cr_expect_eq(seen.success_duration_s, 60.0);
}

Test(drill, a_failure_keeps_the_last_success_and_says_where_it_failed)
{
    struct drill_record failure = success;
    failure.succeeded = false;
    failure.stage = TEXT_OF("recovery");
    failure.error = TEXT_OF("WAL is missing");
    write_record(&failure);
    collect();
    expect_sample("\npgbackrest_restore_drill_status 0\n");
    expect_sample("\npgbackrest_restore_drill_last_success_timestamp_seconds 1100\n");
    cr_expect_eq(report_worst(report->root), GRADE_FAILED);
    cr_expect_str_eq(report->root->children[0]->children[0]->text,
                     "The last restore drill failed at recovery: WAL is missing");
}

Test(drill, one_that_was_killed_has_failed)
{
    write_record(&(struct drill_record){.started_at = 1000, .stage = TEXT_OF("restore")});
    collect();
    expect_sample("\npgbackrest_restore_drill_status 0\n");
    expect_no_sample("last_success");
    cr_expect_str_eq(report->root->children[0]->children[0]->text,
                     "The last restore drill was killed at restore");
}

Test(drill, while_one_runs_the_one_before_it_counts)
{
    struct drill_record running = success;
    running.started_at = 2000;
    running.ended_at = 0;
    cr_expect_eq(drill_state_of(&running, true), DRILL_SUCCEEDED);
    cr_expect_eq(drill_state_of(&running, false), DRILL_FAILED);
    running.failed_before = true;
    cr_expect_eq(drill_state_of(&running, true), DRILL_FAILED);
    running = (struct drill_record){.started_at = 2000};
    cr_expect_eq(drill_state_of(&running, true), DRILL_NEVER);
}
