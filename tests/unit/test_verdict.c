#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/backups.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"

extern const struct collector collector_verdict;

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

static const struct label repo1[] = {{"stanza", "main"}, {"repo_key", "1"}, {NULL, NULL}};
static const struct label repo2[] = {{"stanza", "main"}, {"repo_key", "2"}, {NULL, NULL}};
static const struct label other_repo1[] = {{"stanza", "other"}, {"repo_key", "1"}, {NULL, NULL}};

/* What one collection brought. */
struct outcome {
    struct sample_set *samples;
    struct report *report;
};

static struct backups_observation seen(int64_t key, int64_t code)
{
    bool readable = code == INFO_OK || code == INFO_NO_BACKUP;
    return (struct backups_observation){
        .stanza = TEXT_OF("main"),
        .repo_key = key,
        .readable = readable,
        .reason = code == INFO_OK ? ERR_NONE
                  : readable      ? ERR_NO_BACKUP
                                  : ERR_CONNECT,
        .code = code,
        .lock_known = code != BACKUPS_NO_CODE,
        .lock = {.total_bytes = INFO_SIZE_UNKNOWN, .complete_bytes = INFO_SIZE_UNKNOWN},
        .version = TEXT_OF("2.45"),
    };
}

static struct run_input input(const struct label *labels,
                              const struct backups_observation *observation)
{
    return (struct run_input){
        .collector = "backups",
        .target = "main/repo",
        .labels = labels,
        .observation = observation,
        .observed_at = 1000,
        .fresh = true,
        .current = observation && observation->readable,
    };
}

/* Combine what is known of a stanza with so many repositories. */
static struct outcome combine(size_t repositories, const struct run_input *inputs, size_t count)
{
    struct stanza stanza = {.name = TEXT_OF("main"), .repository_count = repositories};
    struct label labels[] = {{"stanza", "main"}, {NULL, NULL}};
    struct target target = {.name = TEXT_OF("main"), .labels = labels, .spec = &stanza};
    struct outcome outcome = {.report = report_new()};
    struct run run = {
        .sink = sink_new(collector_verdict.metrics, collector_verdict.metric_count, labels),
        .report = outcome.report,
        .target = &target,
        .inputs = inputs,
        .input_count = count,
    };
    struct err refused = {0}, err = {0};
    cr_assert(collector_verdict.collect(NULL, &run, &err), "%s", err.text);
    cr_assert(sink_finish(run.sink, &outcome.samples, &refused, &err));
    cr_expect_eq(refused.code, ERR_NONE, "%s", refused.text);
    sink_free(run.sink);
    return outcome;
}

static void outcome_done(struct outcome *outcome)
{
    sample_set_free(outcome->samples);
    report_free(outcome->report);
}

static const struct sample *find(const struct outcome *outcome, const char *series)
{
    for (size_t i = 0; i < outcome->samples->count; i++) {
        if (strcmp(outcome->samples->items[i].series, series) == 0)
            return &outcome->samples->items[i];
    }
    return NULL;
}

static void expect_sample(const struct outcome *outcome, const char *series, double value)
{
    const struct sample *sample = find(outcome, series);
    cr_assert(sample, "%s is not there", series);
    cr_expect_eq(sample->value, value, "%s is %f", series, sample->value);
}

#define STATUS "pgbackrest_stanza_status{stanza=\"main\"}"
#define LOCK   "pgbackrest_backup_lock_held{stanza=\"main\"}"

/* Two repositories with these codes have that status and that grade. */
static void expect_status(int64_t code1, int64_t code2, double status, enum grade grade)
{
    struct backups_observation one = seen(1, code1), two = seen(2, code2);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    struct outcome outcome = combine(2, inputs, 2);
    expect_sample(&outcome, STATUS, status);
    cr_expect_eq(report_worst(outcome.report->root), grade, "%s",
                 grade_name(report_worst(outcome.report->root)));
    outcome_done(&outcome);
}

static void expect_unknown(size_t repositories, const struct run_input *inputs, size_t count)
{
    struct outcome outcome = combine(repositories, inputs, count);
    cr_expect_null(find(&outcome, STATUS));
    cr_expect_eq(report_worst(outcome.report->root), GRADE_UNKNOWN);
    outcome_done(&outcome);
}

Test(verdict, every_metric_passes_the_lint)
{
    for (size_t i = 0; i < collector_verdict.metric_count; i++) {
        struct err err = {0};
        cr_expect(metric_desc_check(&collector_verdict.metrics[i], &err), "%s", err.text);
    }
}

Test(verdict, each_stanza_is_a_target)
{
    struct stanza stanzas[] = {{.name = TEXT_OF("main")}, {.name = TEXT_OF("other")}};
    struct settings settings = {.stanzas = stanzas, .stanza_count = 2};
    struct target_list list = {0};
    struct err err;
    cr_assert(collector_verdict.targets(&settings, &list, &err));
    cr_assert_eq(list.count, 2);
    cr_expect_str_eq(list.items[1].name, "other");
    cr_expect_str_eq(label_get(list.items[1].labels, "stanza"), "other");
    target_list_done(&list);
}

Test(verdict, a_status_that_all_repositories_share_is_the_stanzas)
{
    expect_status(0, 0, 0, GRADE_OK);
    expect_status(2, 2, 2, GRADE_FAILED);
    expect_status(1, 1, 1, GRADE_FAILED);
    expect_status(99, 99, 99, GRADE_FAILED);
}

Test(verdict, repositories_that_differ_are_4_as_pgbackrest_says_it)
{
    expect_status(0, 99, 4, GRADE_WARNING);
    expect_status(1, 0, 4, GRADE_WARNING);
    expect_status(0, 2, 4, GRADE_WARNING);
    expect_status(1, 2, 4, GRADE_FAILED);
}

Test(verdict, a_repository_that_gives_no_status_counts_as_other)
{
    expect_status(0, BACKUPS_NO_CODE, 4, GRADE_WARNING);
    expect_status(99, BACKUPS_NO_CODE, 99, GRADE_FAILED);
}

Test(verdict, a_repository_not_looked_at_yet_is_unknown)
{
    struct backups_observation one = seen(1, 0);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, NULL)};
    expect_unknown(2, inputs, 2);
    expect_unknown(2, inputs, 1);
    expect_unknown(2, inputs, 0);
}

Test(verdict, a_repository_that_was_well_and_is_not_current_is_unknown)
{
    struct backups_observation one = seen(1, 0), two = seen(2, 0);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    inputs[1].current = false;
    expect_unknown(2, inputs, 2);
}

Test(verdict, other_stanzas_and_other_collectors_do_not_count)
{
    struct backups_observation one = seen(1, 0), other = seen(1, 99);
    struct run_input inputs[] = {input(repo1, &one), input(other_repo1, &other),
                                 input(repo2, &other)};
    inputs[2].collector = "wal";
    struct outcome outcome = combine(1, inputs, 3);
    expect_sample(&outcome, STATUS, 0);
    outcome_done(&outcome);
}

Test(verdict, a_stanza_without_repositories_has_no_status_and_is_failed)
{
    struct outcome outcome = combine(0, NULL, 0);
    cr_expect_null(find(&outcome, STATUS));
    cr_expect_eq(report_worst(outcome.report->root), GRADE_FAILED);
    outcome_done(&outcome);
}

Test(verdict, the_lock_is_held_when_any_repository_says_so)
{
    struct backups_observation one = seen(1, 0), two = seen(2, 99);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    struct outcome outcome = combine(2, inputs, 2);
    expect_sample(&outcome, LOCK, 0);
    outcome_done(&outcome);

    two.lock = (struct info_lock){.held = true, .total_bytes = 100, .complete_bytes = 0};
    outcome = combine(2, inputs, 2);
    expect_sample(&outcome, LOCK, 1);
    expect_sample(&outcome, "pgbackrest_backup_total_bytes{stanza=\"main\"}", 100);
    expect_sample(&outcome, "pgbackrest_backup_complete_bytes{stanza=\"main\"}", 0);
    outcome_done(&outcome);
}

Test(verdict, sizes_of_a_running_backup_that_are_not_said_are_absent)
{
    struct backups_observation one = seen(1, 0);
    one.lock.held = true;
    struct run_input inputs[] = {input(repo1, &one)};
    struct outcome outcome = combine(1, inputs, 1);
    expect_sample(&outcome, LOCK, 1);
    cr_expect_null(find(&outcome, "pgbackrest_backup_total_bytes{stanza=\"main\"}"));
    cr_expect_null(find(&outcome, "pgbackrest_backup_complete_bytes{stanza=\"main\"}"));
    outcome_done(&outcome);
}

Test(verdict, the_lock_is_absent_when_nobody_answered)
{
    struct backups_observation one = seen(1, BACKUPS_NO_CODE), two = seen(2, 0);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    inputs[1].current = false; /* what it said is old */
    struct outcome outcome = combine(2, inputs, 2);
    cr_expect_null(find(&outcome, LOCK));
    outcome_done(&outcome);
}

Test(verdict, a_repository_that_was_down_long_ago_says_nothing_of_now)
{
    struct backups_observation one = seen(1, 99), two = seen(2, 0);
    one.readable = false;
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    struct outcome outcome = combine(2, inputs, 2);
    expect_sample(&outcome, "pgbackrest_stanza_status{stanza=\"main\"}", 4);
    outcome_done(&outcome);

    inputs[0].fresh = false;
    outcome = combine(2, inputs, 2);
    cr_expect_null(find(&outcome, "pgbackrest_stanza_status{stanza=\"main\"}"));
    outcome_done(&outcome);
}

/* One backup, of that database; the current one has the id 2. */
static struct info *catalogue(const char *system_id, int key, int backup_of)
{
    struct strbuf text = {0};
    struct info *info = NULL;
    struct err err = {0};
    strbuf_printf(&text,
                  "[{\"name\":\"main\",\"status\":{\"code\":0},\"db\":["
                  "{\"id\":1,\"repo-key\":%d,\"system-id\":1},"
                  "{\"id\":2,\"repo-key\":%d,\"system-id\":%s}],\"backup\":["
                  "{\"label\":\"20260101-000000F\",\"type\":\"full\","
                  "\"database\":{\"id\":%d,\"repo-key\":%d},"
                  "\"timestamp\":{\"start\":1,\"stop\":2}}]}]",
                  key, key, system_id, backup_of, key);
    cr_assert(info_parse(strbuf_text(&text), text.length, &info, &err), "%s", err.text);
    strbuf_done(&text);
    return info;
}

#define SYSTEM(id) "pgbackrest_stanza_info{stanza=\"main\",system_id=\"" id "\"}"

Test(verdict, the_system_identifier_of_the_current_database_is_exact_and_stays_while_down)
{
    struct backups_observation one = seen(1, 0), two = seen(2, 99);
    one.info = catalogue("18446744073709551615", 1, 2);
    two.info = catalogue("18446744073709551615", 2, 2);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    inputs[0].current = false;
    struct outcome outcome = combine(2, inputs, 2);
    expect_sample(&outcome, SYSTEM("18446744073709551615"), 1);
    cr_expect_null(find(&outcome, SYSTEM("1")));
    outcome_done(&outcome);
    info_unref(one.info);
    info_unref(two.info);
}

Test(verdict, repositories_of_two_clusters_show_both_and_are_warned_of)
{
    struct backups_observation one = seen(1, 0), two = seen(2, 0);
    one.info = catalogue("7", 1, 2);
    two.info = catalogue("8", 2, 2);
    struct run_input inputs[] = {input(repo1, &one), input(repo2, &two)};
    struct outcome outcome = combine(2, inputs, 2);
    expect_sample(&outcome, SYSTEM("7"), 1);
    expect_sample(&outcome, SYSTEM("8"), 1);
    cr_expect_eq(report_worst(outcome.report->root), GRADE_WARNING);
    outcome_done(&outcome);
    info_unref(one.info);
    info_unref(two.info);
}

Test(verdict, backups_of_a_former_database_do_not_make_a_repository_usable)
{
    struct backups_observation one = seen(1, 0);
    struct run_input inputs[] = {input(repo1, &one)};
    one.info = catalogue("7", 1, 1);
    struct outcome outcome = combine(1, inputs, 1);
    expect_sample(&outcome, STATUS, 0);
    cr_expect_eq(report_worst(outcome.report->root), GRADE_FAILED);
    outcome_done(&outcome);
    info_unref(one.info);
}

Test(verdict, the_version_of_pgbackrest_is_told)
{
    struct backups_observation one = seen(1, 0);
    struct run_input inputs[] = {input(repo1, &one)};
    struct outcome outcome = combine(1, inputs, 1);
    expect_sample(&outcome, "pgbackrest_info{stanza=\"main\",version=\"2.45\"}", 1);
    outcome_done(&outcome);
}

Test(verdict, a_host_without_postgresql_is_called_one)
{
    struct outcome outcome = combine(1, NULL, 0);
    const struct report_item *group = outcome.report->root->children[0];
    cr_assert_eq(group->child_count, 2);
    cr_expect_str_eq(group->children[1]->title, "PostgreSQL");
    cr_expect_str_eq(group->children[1]->text, "not here (repository host): not watched");
    outcome_done(&outcome);
}
