#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "exporter/base/log.h"
#include "exporter/schedule/poller.h"
#include "tests/unit/fake_collector.h"

static struct poller *poller;
static int released;

static void quiet(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    poller = poller_new(NULL);
}

static void count_release(const struct settings *settings)
{
    cr_assert_null(settings);
    released++;
}

TestSuite(poller, .init = quiet, .timeout = 20);

static void apply(const struct collector *collector, struct target_list targets)
{
    struct poller_plan plan = {.collector = collector, .targets = targets};
    struct err err = {0};
    cr_assert(poller_apply(poller, &plan, 1, NULL, count_release, &err), "%s", err.text);
}

static void stop(void)
{
    cr_assert(poller_stop(poller, 2000));
    poller_free(poller);
}

/* The samples on the page now; freed by the caller. */
static char *page(void)
{
    size_t count = 0;
    struct poller_status *list = poller_status(poller, &count);
    struct exposition *exposition = exposition_new(0);
    struct strbuf text = {0};
    for (size_t i = 0; i < count; i++) {
        if (list[i].snapshot)
            snapshot_expose(list[i].snapshot, clock_monotonic_ms(), exposition);
    }
    exposition_write(exposition, EXPOSITION_TEXT, &text);
    exposition_free(exposition);
    poller_status_free(list, count);
    return strbuf_steal(&text);
}

static bool page_has(const char *sample)
{
    char *text = page();
    bool has = strstr(text, sample) != NULL;
    free(text);
    return has;
}

static void wait_for(const char *sample)
{
    int64_t until_ms = clock_monotonic_ms() + 5000;
    while (!page_has(sample)) {
        cr_assert_lt(clock_monotonic_ms(), until_ms, "never saw %s", sample);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static struct poller_status status_of_first(void)
{
    size_t count = 0;
    struct poller_status *list = poller_status(poller, &count);
    cr_assert_eq(count, 1u);
    struct poller_status status = list[0];
    free(status.target);
    label_list_free(status.labels);
    snapshot_unref(status.snapshot);
    free(list);
    return status;
}

Test(poller, polls_again_and_again)
{
    fake_control.value = 1;
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_state{stanza=\"main\"} 1");
    fake_control.value = 2;
    wait_for("fake_state{stanza=\"main\"} 2");
    cr_expect_eq(fake_control.opened, 1);
    stop();
    cr_expect_eq(fake_control.closed, 1);
}

Test(poller, is_ready_when_every_target_has_finished_a_run)
{
    cr_expect_not(poller_ready(poller), "before any configuration");
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_up");
    cr_expect(poller_ready(poller));
    stop();
}

Test(poller, a_target_that_goes_down_keeps_its_facts)
{
    fake_control.value = 5;
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_state{stanza=\"main\"} 5");
    fake_control.behaviour = FAKE_IS_DOWN;
    wait_for("fake_up{stanza=\"main\"} 0");
    cr_expect_not(page_has("fake_state{"));
    cr_expect(page_has("fake_fact{stanza=\"main\"} 5"));
    cr_expect_eq(status_of_first().failures, 0u, "an outage is not our failure");
    stop();
}

Test(poller, a_failed_run_keeps_outcomes_of_its_own_and_facts_of_the_last_good_one)
{
    fake_control.value = 5;
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_state{stanza=\"main\"} 5");
    fake_control.behaviour = FAKE_FAILS;
    wait_for("fake_up{stanza=\"main\"} 0");
    cr_expect_not(page_has("fake_state{"), "a state of a failed run");
    cr_expect(page_has("fake_fact{stanza=\"main\"} 5"));
    cr_expect_geq(status_of_first().failures, 1u);
    stop();
}

Test(poller, failures_are_tried_less_and_less_often)
{
    fake_control.behaviour = FAKE_FAILS;
    apply(&fake_collector, fake_targets("main", ""));
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 600000000}, NULL);
    /* 50 ms doubled: runs at 0, 100, 300, 700, 1500 ms after the first, not every 50 ms */
    cr_expect_leq(fake_control.collected, 6);
    cr_expect_geq(fake_control.collected, 3);
    stop();
}

/* Warnings go here, not to the terminal; a slow run is one of more than 250 ms. */
static FILE *watch_a_slow_collector(void)
{
    static struct collector slow;
    FILE *captured = tmpfile();
    cr_assert(captured);
    dup2(fileno(captured), STDERR_FILENO);
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    slow = fake_collector;
    slow.interval_s = 0.25;
    slow.timeout_s = 0.3;
    fake_control.behaviour = FAKE_HANGS;
    apply(&slow, fake_targets("main", ""));
    return captured;
}

static void wait_for_failures(uint64_t count)
{
    while (status_of_first().failures < count) /* the suite's timeout ends it otherwise */
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static int warnings_of_slowness(FILE *captured)
{
    char line[1024];
    int count = 0;
    rewind(captured);
    while (fgets(line, sizeof line, captured))
        count += strstr(line, "a collection outlasts its interval") != NULL;
    fclose(captured);
    return count;
}

Test(poller, says_once_that_collections_outlast_their_interval)
{
    FILE *captured = watch_a_slow_collector();
    wait_for_failures(3);
    stop();
    cr_expect_eq(warnings_of_slowness(captured), 1);
}

Test(poller, says_again_that_collections_outlast_their_interval_after_one_was_in_time)
{
    FILE *captured = watch_a_slow_collector();
    wait_for_failures(1);
    fake_control.behaviour = FAKE_WORKS;
    wait_for("fake_up{stanza=\"main\"} 1");
    fake_control.behaviour = FAKE_HANGS;
    wait_for_failures(2);
    stop();
    cr_expect_eq(warnings_of_slowness(captured), 2);
}

Test(poller, open_is_tried_again_after_it_failed)
{
    fake_control.behaviour = FAKE_CANNOT_OPEN;
    apply(&fake_collector, fake_targets("main", ""));
    while (status_of_first().failures == 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    fake_control.behaviour = FAKE_WORKS;
    wait_for("fake_up{stanza=\"main\"} 1");
    stop();
    cr_expect_eq(fake_control.opened, fake_control.closed);
}

Test(poller, a_reload_leaves_an_equal_target_alone)
{
    apply(&fake_collector, fake_targets("main", "same"));
    wait_for("fake_up");
    apply(&fake_collector, fake_targets("main", "same"));
    cr_expect(page_has("fake_up"), "its snapshot is there at once");
    cr_expect_eq(fake_control.opened, 1);
    cr_expect_eq(released, 1, "nobody uses the second settings");
    stop();
    cr_expect_eq(released, 2);
}

Test(poller, a_reload_starts_a_changed_target_anew_and_closes_the_old_one)
{
    apply(&fake_collector, fake_targets("main", "one"));
    wait_for("fake_up");
    apply(&fake_collector, fake_targets("main", "two"));
    int64_t until_ms = clock_monotonic_ms() + 5000;
    while (fake_control.closed == 0 && clock_monotonic_ms() < until_ms)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    cr_expect_eq(fake_control.closed, 1);
    wait_for("fake_up");
    cr_expect_eq(fake_control.opened, 2);
    stop();
    cr_expect_eq(released, 2);
}

Test(poller, a_changed_interval_does_not_forget_what_is_known)
{
    fake_control.value = 9;
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_fact{stanza=\"main\"} 9");
    fake_control.behaviour = FAKE_IS_DOWN;
    struct target_list targets = fake_targets("main", "");
    targets.items[0].interval_s = 0.07;
    apply(&fake_collector, targets);
    cr_expect(page_has("fake_fact{stanza=\"main\"} 9"));
    stop();
}

/* No further descriptor can be opened while the returned limit is not set again. */
static struct rlimit exhaust_descriptors(void)
{
    struct rlimit before;
    int lowest_free = dup(STDERR_FILENO);
    close(lowest_free);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

Test(poller, a_reload_that_cannot_be_done_changes_nothing)
{
    fake_control.value = 4;
    apply(&fake_collector, fake_targets("main", "one"));
    wait_for("fake_state{stanza=\"main\"} 4");
    struct poller_plan plan = {.collector = &fake_collector,
                               .targets = fake_targets("main", "two")};
    struct err err = {0};
    struct rlimit before = exhaust_descriptors();
    cr_expect_not(poller_apply(poller, &plan, 1, NULL, count_release, &err));
    setrlimit(RLIMIT_NOFILE, &before);
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect_eq(released, 1, "the settings that never came into force");
    fake_control.value = 5;
    wait_for("fake_state{stanza=\"main\"} 5");
    cr_expect_eq(fake_control.opened, 1);
    stop();
    cr_expect_eq(released, 2);
}

Test(poller, a_target_that_is_no_longer_configured_is_gone)
{
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_up");
    apply(&fake_collector, (struct target_list){0});
    cr_expect_not(page_has("fake_"));
    stop();
}

static bool hang_and_say_down(void *state UNUSED, struct run *run, struct err *err UNUSED)
{
    struct err down = {.code = ERR_STUCK, .text = "no answer"};
    poll(&(struct pollfd){.fd = run->bound.stop_fd, .events = POLLIN}, 1,
         bound_remaining_ms(&run->bound));
    return run_says_down(run, FAKE_UP, &down);
}

Test(poller, an_outage_stays_on_the_page_while_each_look_takes_longer_than_the_interval)
{
    static struct collector hanging;
    hanging = fake_collector;
    hanging.timeout_s = 0.4;
    hanging.collect = hang_and_say_down;
    apply(&hanging, fake_targets("main", ""));
    wait_for("fake_up{stanza=\"main\"} 0");
    for (int64_t until_ms = clock_monotonic_ms() + 1000; clock_monotonic_ms() < until_ms;) {
        cr_assert(page_has("fake_up{stanza=\"main\"} 0"));
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    stop();
}

Test(poller, stops_at_once_in_the_middle_of_a_hanging_collection)
{
    static struct collector slow;
    slow = fake_collector;
    slow.timeout_s = 3600;
    fake_control.behaviour = FAKE_HANGS;
    apply(&slow, fake_targets("main", ""));
    while (fake_control.collected == 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    cr_expect_gt(status_of_first().running_s, -1.0);
    int64_t started_ms = clock_monotonic_ms();
    stop();
    cr_expect_lt(clock_monotonic_ms() - started_ms, 2000);
}

/* Whether threads are late */

static atomic_bool may_return;

static bool ignore_the_deadline(void *state UNUSED, struct run *run UNUSED, struct err *err UNUSED)
{
    while (!may_return)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    return true;
}

static void wait_until_overdue_is(bool overdue)
{
    int64_t until_ms = clock_monotonic_ms() + 10000;
    while ((poller_overdue_ms(poller) > 500) != overdue) {
        cr_assert_lt(clock_monotonic_ms(), until_ms);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

Test(poller, a_thread_that_ignores_its_deadline_is_overdue_until_it_returns)
{
    static struct collector deaf;
    deaf = fake_collector;
    deaf.collect = ignore_the_deadline;
    apply(&deaf, fake_targets("main", ""));
    wait_until_overdue_is(true);
    may_return = true;
    wait_until_overdue_is(false);
    stop();
}

Test(poller, a_look_within_its_deadline_is_not_overdue)
{
    static struct collector slow;
    slow = fake_collector;
    slow.timeout_s = 3600;
    fake_control.behaviour = FAKE_HANGS;
    apply(&slow, fake_targets("main", ""));
    while (fake_control.collected == 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* its start is long over */
    cr_expect_eq(poller_overdue_ms(poller), 0);
    stop();
}

Test(poller, a_thread_that_waits_for_its_next_look_is_not_overdue)
{
    static struct collector rare;
    rare = fake_collector;
    rare.interval_s = 3600;
    apply(&rare, fake_targets("main", ""));
    wait_for("fake_up");
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* its deadline of 0.1 s is long over */
    cr_expect_eq(poller_overdue_ms(poller), 0);
    stop();
}

Test(poller, who_watches_nothing_is_not_overdue)
{
    cr_expect_eq(poller_overdue_ms(poller), 0);
    stop();
}

static struct snapshot *dead_end(void)
{
    size_t count = 0;
    struct poller_status *list = poller_status(poller, &count);
    struct snapshot *held = snapshot_ref(list[0].snapshot);
    poller_status_free(list, count);
    return held;
}

Test(poller, a_page_may_hold_a_snapshot_longer_than_the_poller_lives)
{
    fake_control.value = 3;
    apply(&fake_collector, fake_targets("main", ""));
    wait_for("fake_up");
    struct snapshot *held = dead_end();
    stop();
    cr_expect_str_eq(held->target, "main");
    snapshot_unref(held);
}

Test(poller, a_combining_collector_sees_only_what_concerns_its_target)
{
    static const struct label elsewhere[] = {{"stanza", "other"}, {NULL, NULL}};
    struct target_list others = {0};
    fake_control.value = 20;
    cr_assert(target_add(&others, "elsewhere", "", elsewhere));
    struct poller_plan plans[] = {
        {.collector = &fake_collector, .targets = others},
        {.collector = &fake_combining_collector, .targets = fake_targets("all", "")},
    };
    struct err err = {0};
    cr_assert(poller_apply(poller, plans, 2, NULL, count_release, &err), "%s", err.text);
    wait_for("fake_state{stanza=\"other\"} 20");
    wait_for("fake_state{stanza=\"main\"} 0");
    stop();
}

Test(poller, a_combining_collector_runs_after_each_publication)
{
    fake_control.value = 20;
    struct poller_plan plans[] = {
        {.collector = &fake_collector, .targets = fake_targets("main", "")},
        {.collector = &fake_combining_collector, .targets = fake_targets("all", "")},
    };
    struct err err = {0};
    cr_assert(poller_apply(poller, plans, 2, NULL, count_release, &err), "%s", err.text);
    wait_for("fake_state{stanza=\"main\"} 20");
    fake_control.value = 21;
    size_t count = 0;
    double combined = 0;
    while (combined < 21) { /* the suite's timeout ends it otherwise */
        struct poller_status *list = poller_status(poller, &count);
        const struct snapshot *snapshot = list[1].snapshot;
        combined = snapshot ? snapshot->samples->items[0].value : 0;
        poller_status_free(list, count);
    }
    stop();
}

static void apply_two(const struct collector *collector)
{
    struct poller_plan plans[] = {
        {.collector = collector, .targets = fake_targets("main", "")},
        {.collector = &fake_combining_collector, .targets = fake_targets("all", "")},
    };
    struct err err = {0};
    cr_assert(poller_apply(poller, plans, 2, NULL, count_release, &err), "%s", err.text);
}

static bool settles(int patience_ms)
{
    for (int64_t until_ms = clock_monotonic_ms() + patience_ms;
         !poller_settled(poller) && clock_monotonic_ms() < until_ms;)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    return poller_settled(poller);
}

/* One that needs two looks, an hour apart. */
static const struct collector *careful_collector(void)
{
    static struct collector careful;
    careful = fake_collector;
    careful.interval_s = 3600;
    careful.looks = 2;
    return &careful;
}

Test(poller, has_settled_when_what_combines_has_seen_the_first_runs)
{
    fake_control.value = 20;
    cr_expect_not(poller_settled(poller));
    apply_two(&fake_collector);
    cr_assert(settles(10000));
    cr_expect(page_has("fake_state{stanza=\"main\"} 20"));
    size_t count = 0;
    struct poller_status *list = poller_status(poller, &count);
    cr_expect_eq(list[1].snapshot->samples->items[0].value, 20.0);
    poller_status_free(list, count);
    stop();
}

Test(poller, has_not_settled_while_a_first_run_hangs)
{
    static struct collector slow;
    slow = fake_collector;
    slow.timeout_s = 3600;
    fake_control.behaviour = FAKE_HANGS;
    apply_two(&slow);
    cr_expect_not(settles(500));
    stop();
}

Test(poller, a_collector_that_needs_two_looks_takes_the_second_soon_when_hurried)
{
    poller_hurry(poller);
    apply_two(careful_collector());
    cr_assert(settles(10000));
    cr_expect_eq(fake_control.collected, 2);
    stop();
}

Test(poller, looks_again_when_hurried_until_what_combines_wants_no_more)
{
    fake_control.wanted = 3;
    poller_hurry(poller);
    apply_two(careful_collector());
    cr_assert(settles(10000));
    cr_expect_geq(fake_control.collected, 3);
    stop();
}

Test(poller, a_second_look_is_taken_at_its_interval_when_not_hurried)
{
    apply_two(careful_collector());
    cr_expect_not(settles(2500));
    cr_expect_eq(fake_control.collected, 1);
    stop();
}
