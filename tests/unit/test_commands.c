#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/command_record.h"
#include "collectors/record.h"
#include "collectors/settings.h"
#include "exporter/metrics/exposition.h"
#include "exporter/schedule/collector.h"

#define STATUS "pgbackrest_command_last_exit_status{command=\"backup\"}"
#define END    "pgbackrest_command_last_end_timestamp_seconds{command=\"backup\"}"

extern const struct collector collector_commands;

static char folder[] = "/tmp/test_commands_XXXXXX";
static char name[] = "main";
static struct strbuf path;
static struct stanza stanza = {.name = name};
static struct stanza_repository repository = {.stanza = &stanza, .key = 2, .name = name};
static struct settings settings = {.state_directory = folder};
static struct report *report;
static struct exposition *page;
static struct strbuf text;
static struct err err;

static void set_up(void)
{
    cr_assert(mkdtemp(folder));
    command_record_path(folder, "main", 2, "backup", &path);
}

static void tear_down(void)
{
    struct strbuf below CLEANUP(strbuf_done) = {0};
    strbuf_printf(&below, "%s/command", folder);
    unlink(strbuf_text(&path));
    strbuf_puts(&path, ".lock");
    unlink(strbuf_text(&path));
    rmdir(strbuf_text(&below));
    cr_expect_eq(rmdir(folder), 0);
    strbuf_done(&path);
    strbuf_done(&text);
    report_free(report);
    exposition_free(page);
}

TestSuite(commands, .init = set_up, .fini = tear_down);

static void write_record(const struct command_record *record)
{
    cr_assert(command_record_write(strbuf_text(&path), record, &err), "%s", err.text);
}

/* One look; its samples are in text. False with err when it failed. */
static bool collect(void)
{
    void *state = NULL;
    struct err refused = {0};
    struct sample_set *samples = NULL;
    struct environment environment = {.settings = &settings};
    struct target target = {.spec = &repository};
    report = report_new();
    struct run run = {.report = report, .target = &target};
    run.sink = sink_new(collector_commands.metrics, collector_commands.metric_count, NULL);
    cr_assert(collector_commands.open(&environment, &target, &state, &err));
    bool collected = collector_commands.collect(state, &run, &err);
    cr_assert(sink_finish(run.sink, &samples, &refused, &err));
    page = exposition_new(0);
    exposition_add(page, samples, WRITE_STATES | WRITE_FACTS | WRITE_OUTCOMES);
    exposition_write(page, EXPOSITION_TEXT, &text);
    collector_commands.close(state);
    sample_set_free(samples);
    sink_free(run.sink);
    return collected;
}

static void expect_sample(const char *sample)
{
    cr_expect(strstr(strbuf_text(&text), sample), "%s is not in:\n%s", sample, strbuf_text(&text));
}

static void expect_no_sample(const char *sample)
{
    cr_expect_not(strstr(strbuf_text(&text), sample), "%s is in:\n%s", sample, strbuf_text(&text));
}

Test(commands, of_one_that_never_ran_nothing_is_said)
{
    cr_assert(collect(), "%s", err.text);
    expect_no_sample("pgbackrest_command_last_exit_status{");
    expect_no_sample("pgbackrest_command_last_end_timestamp_seconds{");
}

Test(commands, their_title_names_the_repository)
{
    cr_assert(collect());
    cr_expect_str_eq(report->root->children[0]->title, "Commands by run of repository 2 (main)");
}

Test(commands, one_that_worked_tells_its_end)
{
    write_record(&(struct command_record){.began_at = 5, .has_ended = true, .ended_at = 7.5});
    cr_assert(collect(), "%s", err.text);
    expect_sample(STATUS " 0\n");
    expect_sample(END " 7.5\n");
    cr_expect_eq(report_worst(report->root), GRADE_NONE);
}

Test(commands, one_that_failed_is_a_warning)
{
    write_record(&(struct command_record){
        .began_at = 5, .has_ended = true, .ended_at = 7, .exit_status = 82});
    cr_assert(collect(), "%s", err.text);
    expect_sample(STATUS " 82\n");
    cr_expect_eq(report_worst(report->root), GRADE_WARNING);
}

Test(commands, one_that_was_killed_has_failed_without_an_end)
{
    write_record(&(struct command_record){.began_at = 5, .exit_status = -1});
    cr_assert(collect(), "%s", err.text);
    expect_sample(STATUS " 137\n");
    expect_no_sample(END);
}

Test(commands, one_that_runs_leaves_what_came_before)
{
    int lock = -1;
    write_record(&(struct command_record){.began_at = 9, .ended_at = 7, .exit_status = 82});
    cr_assert(record_lock(strbuf_text(&path), &lock, &err), "%s", err.text);
    cr_assert(collect(), "%s", err.text);
    expect_sample(STATUS " 82\n");
    expect_sample(END " 7\n");
    close(lock);
}

Test(commands, a_record_that_cannot_be_read_is_our_failure)
{
    write_record(&(struct command_record){.began_at = 5});
    FILE *file = fopen(strbuf_text(&path), "w");
    fputs("nonsense", file);
    fclose(file);
    cr_expect_not(collect());
    cr_expect_eq(err.code, ERR_PROTOCOL);
}
