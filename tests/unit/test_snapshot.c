#include <criterion/criterion.h>
#include <stdlib.h>

#include "exporter/schedule/snapshot.h"
#include "tests/unit/fake_collector.h"

/* A snapshot as a run of that outcome would leave it: up, and on success a state and a fact. */
static struct snapshot *make(enum run_outcome outcome, double value, struct snapshot *before)
{
    struct target_list targets = fake_targets("main", "");
    struct sink *sink =
        sink_new(fake_collector.metrics, FAKE_METRIC_COUNT, targets.items[0].labels);
    sink_add(sink, FAKE_UP, outcome == RUN_OK, NULL);
    if (outcome == RUN_OK) {
        sink_add(sink, FAKE_STATE, value, NULL);
        sink_add(sink, FAKE_FACT, value, NULL);
    }
    struct sample_set *samples = NULL;
    struct err err = {0};
    struct err refused = {0};
    cr_assert(sink_finish(sink, &samples, &refused, &err));
    sink_free(sink);
    int *seen = outcome == RUN_OK ? malloc(sizeof *seen) : NULL;
    if (seen)
        *seen = (int)value;
    struct err why = {.code = outcome == RUN_OK ? ERR_NONE : ERR_TIMEOUT};
    struct snapshot *snapshot = snapshot_new(&(struct snapshot_parts){
        .collector = &fake_collector,
        .target = &targets.items[0],
        .outcome = outcome,
        .error = &why,
        .started_at = 1000 + value,
        .expires_ms = 500,
        .samples = samples,
        .observation = seen,
        .observation_free = free,
        .before = before,
    });
    target_list_done(&targets);
    return snapshot;
}

static char *page_at(const struct snapshot *snapshot, int64_t now_ms)
{
    struct exposition *page = exposition_new(0);
    struct strbuf text = {0};
    snapshot_expose(snapshot, now_ms, page);
    exposition_write(page, EXPOSITION_TEXT, &text);
    exposition_free(page);
    return strbuf_steal(&text);
}

static void expect_samples(const struct snapshot *snapshot, int64_t now_ms, const char *expected)
{
    char *page = page_at(snapshot, now_ms);
    struct strbuf samples = {0};
    char *rest = page;
    for (const char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (*line && *line != '#')
            strbuf_printf(&samples, "%s\n", line);
    }
    cr_expect_str_eq(strbuf_text(&samples), expected);
    strbuf_done(&samples);
    free(page);
}

Test(snapshot, a_good_run_shows_all_it_measured)
{
    struct snapshot *good = make(RUN_OK, 7, NULL);
    expect_samples(good, 0,
                   "fake_fact{stanza=\"main\"} 7\nfake_state{stanza=\"main\"} 7\n"
                   "fake_up{stanza=\"main\"} 1\n");
    snapshot_unref(good);
}

Test(snapshot, a_target_that_is_down_keeps_its_facts_and_loses_its_states)
{
    struct snapshot *good = make(RUN_OK, 7, NULL);
    struct snapshot *down = make(RUN_DOWN, 0, good);
    snapshot_unref(good);
    expect_samples(down, 0, "fake_fact{stanza=\"main\"} 7\nfake_up{stanza=\"main\"} 0\n");
    snapshot_unref(down);
}

Test(snapshot, facts_live_through_many_failures_without_a_growing_chain)
{
    struct snapshot *now = make(RUN_OK, 7, NULL);
    for (int i = 0; i < 1000; i++) {
        struct snapshot *before = now;
        now = make(i % 2 ? RUN_DOWN : RUN_FAILED, 0, before);
        snapshot_unref(before);
        cr_assert_null(now->last_good->last_good);
    }
    expect_samples(now, 0, "fake_fact{stanza=\"main\"} 7\nfake_up{stanza=\"main\"} 0\n");
    snapshot_unref(now);
}

Test(snapshot, a_success_replaces_everything)
{
    struct snapshot *first = make(RUN_OK, 7, NULL);
    struct snapshot *failed = make(RUN_FAILED, 0, first);
    struct snapshot *second = make(RUN_OK, 8, failed);
    cr_assert_null(second->last_good);
    expect_samples(second, 0,
                   "fake_fact{stanza=\"main\"} 8\nfake_state{stanza=\"main\"} 8\n"
                   "fake_up{stanza=\"main\"} 1\n");
    snapshot_unref(first);
    snapshot_unref(failed);
    snapshot_unref(second);
}

Test(snapshot, old_data_never_looks_new)
{
    struct snapshot *good = make(RUN_OK, 7, NULL);
    expect_samples(good, 500, "fake_fact{stanza=\"main\"} 7\n");
    cr_assert(snapshot_is_current(good, 499));
    cr_assert_not(snapshot_is_current(good, 500));
    snapshot_unref(good);
}

Test(snapshot, the_last_known_observation_comes_with_its_own_time)
{
    struct snapshot *good = make(RUN_OK, 7, NULL);
    struct snapshot *failed = make(RUN_FAILED, 0, good);
    double at = 0;
    const int *seen = snapshot_observation(failed, &at);
    cr_assert_eq(*seen, 7);
    cr_assert_float_eq(at, 1007, 0.001);
    cr_assert_not(snapshot_is_current(failed, 0));
    snapshot_unref(good);
    snapshot_unref(failed);
}

Test(snapshot, nothing_was_ever_seen_of_a_target_that_never_worked)
{
    struct snapshot *failed = make(RUN_FAILED, 0, NULL);
    double at = 0;
    cr_assert_null(snapshot_observation(failed, &at));
    expect_samples(failed, 0, "fake_up{stanza=\"main\"} 0\n");
    snapshot_unref(failed);
}

Test(snapshot, what_is_configured_is_there_without_any_good_run_however_old)
{
    static const struct metric_desc descs[] = {
        {.name = "objective", .help = "Objective.", .keeps = CONFIGURED}};
    struct target_list targets = fake_targets("main", "");
    struct sink *sink = sink_new(descs, COUNT_OF(descs), NULL);
    struct sample_set *samples = NULL;
    struct err refused, err = {0};
    sink_add(sink, 0, 60, NULL);
    cr_assert(sink_finish(sink, &samples, &refused, &err));
    sink_free(sink);
    struct snapshot *failed = snapshot_new(&(struct snapshot_parts){
        .collector = &fake_collector,
        .target = &targets.items[0],
        .outcome = RUN_FAILED,
        .error = &err,
        .expires_ms = 500,
        .samples = samples,
    });
    expect_samples(failed, 0, "objective 60\n");
    expect_samples(failed, 501, "objective 60\n");
    snapshot_unref(failed);
    target_list_done(&targets);
}
