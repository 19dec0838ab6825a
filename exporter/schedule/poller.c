#include "exporter/schedule/poller.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "exporter/base/log.h"

#define THREAD_STACK_BYTES  ((size_t)256 * 1024)
#define FIRST_RUN_SPREAD_MS 300
#define HURRIED_AGAIN_MS    1000
#define BACKOFF_LIMIT_S     300.0
#define MISSED_STARTS       3    /* after so many a state is stale */
#define LARGE_SAMPLE_COUNT  5000 /* after so many the heap is given back to the system */

/* Settings shared by the workers that were opened with them. */
struct settings_holder {
    const struct settings *settings;
    void (*release)(const struct settings *);
    atomic_size_t references;
};

/* One target and its thread. */
struct worker {
    struct poller *poller;
    const struct collector *collector;
    struct target target;
    struct settings_holder *holder;
    int stop_fd; /* eventfd: end now */
    int wake_fd; /* eventfd: run now, something was published; -1 unless it combines */
    pthread_t thread;

    /* The thread's own. */
    void *state;
    bool opened;
    unsigned failures_in_a_row;
    bool slow;     /* its last run took longer than the interval */
    bool sees_all; /* if it combines: what concerns it had settled when its last run began, and the
                      run wants no more */
    unsigned random;

    /* Guarded by poller->lock. */
    struct snapshot *snapshot;
    uint64_t runs, failures;
    bool settled;             /* needs no further run to be believed */
    int64_t running_since_ms; /* 0: not running */
    int64_t shows_by_ms;      /* when its thread should be heard of next, at the latest */
    double last_success_at;
    bool ended;          /* its thread is about to return, or was never started */
    bool has_thread;     /* to be joined */
    bool kept;           /* by the poller_apply() under way */
    struct worker *next; /* in the list of those that were asked to stop */
};

struct poller {
    struct proc_pool *pool;
    pthread_mutex_t lock; /* guards all below and the guarded part of each worker */
    pthread_cond_t some_ended;
    struct worker **workers; /* in the order of the plans */
    size_t count;
    struct worker *stopping;
    bool applied; /* poller_apply() has been called */
    bool hurried; /* written before the first poller_apply() only */
};

static void signal_fd(int fd)
{
    uint64_t one = 1;
    ssize_t done = fd >= 0 ? write(fd, &one, sizeof one) : 0;
    (void)done; /* a full counter is readable already */
}

static void drain_fd(int fd)
{
    uint64_t count;
    ssize_t done = read(fd, &count, sizeof count);
    (void)done; /* empty is fine */
}

/* ---- intervals ---- */

static double interval_s(const struct worker *worker)
{
    return worker->target.interval_s > 0 ? worker->target.interval_s
                                         : worker->collector->interval_s;
}

static double timeout_s(const struct worker *worker)
{
    return worker->target.timeout_s > 0 ? worker->target.timeout_s : worker->collector->timeout_s;
}

/* Seconds from one start to the next: doubled with each failure of our own, up to a limit. */
static double current_interval_s(const struct worker *worker)
{
    double base = interval_s(worker);
    double limit = fmax(base, BACKOFF_LIMIT_S);
    unsigned doublings = worker->failures_in_a_row > 16 ? 16 : worker->failures_in_a_row;
    return fmin(ldexp(base, (int)doublings), limit);
}

/*
 * From when on its states are no longer the present, on the monotonic clock. In an outage a run
 * may take all of its deadline and the next one begins only then, however short the interval is:
 * what an outage shows must last from one run to the next.
 */
static int64_t expiry_ms(const struct worker *worker, int64_t started_ms)
{
    double between_starts_s = fmax(current_interval_s(worker), timeout_s(worker));
    return started_ms + (int64_t)(1000 * MISSED_STARTS * between_starts_s);
}

/* ---- one run ---- */

struct attempt {
    struct run run;
    struct err err;
    bool succeeded;
    int64_t started_ms; /* monotonic */
    double started_at;  /* s since 1970 */
};

static enum run_outcome outcome_of(const struct attempt *attempt)
{
    if (!attempt->succeeded)
        return RUN_FAILED;
    return attempt->run.down ? RUN_DOWN : RUN_OK;
}

/* One line per change, however often the same thing goes wrong. */
static void log_change(const struct worker *worker, const struct snapshot *before,
                       const struct snapshot *now)
{
    enum err_code earlier = before ? before->error.code : ERR_NONE;
    if (now->error.code == earlier)
        return;
    const struct log_field *fields =
        FIELDS(TEXT("collector", worker->collector->name), TEXT("target", worker->target.name),
               TEXT("reason", err_reason(now->error.code)), TEXT("error", now->error.text));
    if (now->outcome == RUN_FAILED)
        log_error("collection failed", fields);
    else if (now->outcome == RUN_DOWN)
        log_warn("target is down", fields);
    else
        log_info("target is well again", FIELDS(TEXT("collector", worker->collector->name),
                                                TEXT("target", worker->target.name)));
}

/* The lock is held. */
static bool concerns(const struct worker *worker, const struct worker *combining)
{
    return label_lists_agree(worker->target.labels, combining->target.labels);
}

static void wake_combining(const struct worker *worker)
{
    struct poller *poller = worker->poller;
    pthread_mutex_lock(&poller->lock);
    for (size_t i = 0; i < poller->count; i++) {
        const struct worker *other = poller->workers[i];
        if (other->collector->combines && concerns(worker, other))
            signal_fd(other->wake_fd);
    }
    pthread_mutex_unlock(&poller->lock);
}

/* With the lock held. */
static void count_run(struct worker *worker)
{
    worker->runs++;
    worker->settled =
        worker->collector->combines ? worker->sees_all : worker->runs >= worker->collector->looks;
}

static void publish(struct worker *worker, struct snapshot *snapshot)
{
    struct snapshot *before = worker->snapshot;
    bool large = snapshot->samples->count > LARGE_SAMPLE_COUNT;
    pthread_mutex_lock(&worker->poller->lock);
    worker->snapshot = snapshot;
    count_run(worker);
    worker->failures += snapshot->outcome == RUN_FAILED;
    if (snapshot->outcome != RUN_FAILED)
        worker->last_success_at = snapshot->started_at;
    pthread_mutex_unlock(&worker->poller->lock);
    if (!worker->collector->combines)
        wake_combining(worker);
    log_change(worker, before, snapshot); /* only now: a slow log must not hide what it tells */
    snapshot_unref(before);
    if (large)
        malloc_trim(0);
}

static bool open_once(struct worker *worker, struct err *err)
{
    struct environment environment = {.pool = worker->poller->pool,
                                      .settings = worker->holder->settings};
    if (!worker->opened)
        worker->opened =
            !worker->collector->open ||
            worker->collector->open(&environment, &worker->target, &worker->state, err);
    return worker->opened;
}

static void set_running(struct worker *worker, int64_t since_ms)
{
    pthread_mutex_lock(&worker->poller->lock);
    worker->running_since_ms = since_ms;
    if (since_ms)
        worker->shows_by_ms = since_ms + (int64_t)(1000 * timeout_s(worker));
    pthread_mutex_unlock(&worker->poller->lock);
}

static void set_next(struct worker *worker, int64_t next_ms)
{
    pthread_mutex_lock(&worker->poller->lock);
    worker->shows_by_ms = next_ms;
    pthread_mutex_unlock(&worker->poller->lock);
}

/* What the other targets published last; the references are held in *ret_held. */
static struct run_input *take_inputs(struct worker *worker, struct snapshot ***ret_held,
                                     size_t *ret_count)
{
    struct poller *poller = worker->poller;
    pthread_mutex_lock(&poller->lock);
    struct snapshot **held = calloc(poller->count + 1, sizeof(struct snapshot *));
    size_t count = 0;
    worker->sees_all = true;
    for (size_t i = 0; held && i < poller->count; i++) {
        const struct worker *other = poller->workers[i];
        if (other->collector->combines || !concerns(other, worker))
            continue;
        worker->sees_all = worker->sees_all && other->settled;
        if (other->snapshot)
            held[count++] = snapshot_ref(other->snapshot);
    }
    pthread_mutex_unlock(&poller->lock);
    struct run_input *inputs = calloc(count + 1, sizeof *inputs);
    for (size_t i = 0; inputs && i < count; i++) {
        inputs[i] = (struct run_input){
            .collector = held[i]->collector->name,
            .target = held[i]->target,
            .labels = held[i]->labels,
            .fresh = snapshot_is_fresh(held[i], clock_monotonic_ms()),
            .current = snapshot_is_current(held[i], clock_monotonic_ms()),
        };
        inputs[i].observation = snapshot_observation(held[i], &inputs[i].observed_at);
    }
    *ret_held = held;
    *ret_count = count;
    return inputs;
}

static bool collect_combining(struct worker *worker, struct run *run, struct err *err)
{
    struct snapshot **held = NULL;
    struct run_input *inputs = take_inputs(worker, &held, &run->input_count);
    run->inputs = inputs;
    bool succeeded =
        inputs && held ? worker->collector->collect(worker->state, run, err) : err_memory(err);
    for (size_t i = 0; held && i < run->input_count; i++)
        snapshot_unref(held[i]);
    free(held);
    free(inputs);
    return succeeded;
}

static bool collect(struct worker *worker, struct run *run, struct err *err)
{
    if (!run->sink || !run->report)
        return err_memory(err);
    if (!open_once(worker, err))
        return false;
    return worker->collector->combines ? collect_combining(worker, run, err)
                                       : worker->collector->collect(worker->state, run, err);
}

/* The samples of the attempt; an empty set and a failed attempt when they could not be stored. */
static struct sample_set *take_samples(struct worker *worker, struct attempt *attempt)
{
    struct sink *sink = attempt->run.sink;
    struct err refused = {0};
    struct sample_set *samples = NULL;
    if (!attempt->succeeded && sink)
        sink_drop_measured(sink);
    if (!sink || !sink_finish(sink, &samples, &refused, &attempt->err)) {
        attempt->succeeded = false;
        samples = calloc(1, sizeof *samples);
    }
    if (refused.code != ERR_NONE)
        log_warn("a series was refused",
                 FIELDS(TEXT("collector", worker->collector->name),
                        TEXT("target", worker->target.name), TEXT("error", refused.text)));
    return samples;
}

/* A run that was told to end has measured nothing: it leaves no trace. */
static void discard(struct attempt *attempt)
{
    sink_free(attempt->run.sink);
    report_free(attempt->run.report);
    if (attempt->run.observation)
        attempt->run.observation_free(attempt->run.observation);
}

static struct snapshot *snapshot_of(struct worker *worker, struct attempt *attempt)
{
    struct run *run = &attempt->run;
    struct sample_set *samples = take_samples(worker, attempt);
    if (!samples) {
        discard(attempt);
        attempt->run.sink = NULL;
        return NULL;
    }
    worker->failures_in_a_row = attempt->succeeded ? 0 : worker->failures_in_a_row + 1;
    if (attempt->succeeded)
        attempt->err = run->down ? run->down_error : (struct err){0};
    return snapshot_new(&(struct snapshot_parts){
        .collector = worker->collector,
        .target = &worker->target,
        .outcome = outcome_of(attempt),
        .error = &attempt->err,
        .started_at = attempt->started_at,
        .duration_s = (double)(clock_monotonic_ms() - attempt->started_ms) / 1000,
        .expires_ms = expiry_ms(worker, attempt->started_ms),
        .samples = samples,
        .report = run->report,
        .observation = run->observation,
        .observation_free = run->observation_free,
        .before = worker->snapshot,
    });
}

static void finish(struct worker *worker, struct attempt *attempt)
{
    struct snapshot *snapshot = snapshot_of(worker, attempt);
    sink_free(attempt->run.sink);
    if (snapshot)
        publish(worker, snapshot);
    else
        log_error("a collection was lost: out of memory",
                  FIELDS(TEXT("collector", worker->collector->name),
                         TEXT("target", worker->target.name)));
}

/* Once when runs begin to take longer than the interval, and again only after one was in time. */
static void warn_when_slow(struct worker *worker, int64_t started_ms)
{
    double took_s = (double)(clock_monotonic_ms() - started_ms) / 1000;
    bool was_slow = worker->slow;
    worker->slow = took_s > interval_s(worker);
    if (worker->slow && !was_slow)
        log_warn("a collection outlasts its interval",
                 FIELDS(TEXT("collector", worker->collector->name),
                        TEXT("target", worker->target.name), NUMBER("seconds", took_s),
                        NUMBER("interval_seconds", interval_s(worker))));
}

static void run_once(struct worker *worker)
{
    struct attempt attempt = {
        .started_ms = clock_monotonic_ms(),
        .started_at = clock_wall_seconds(),
        .run =
            {
                .sink = sink_new(worker->collector->metrics, worker->collector->metric_count,
                                 worker->target.labels),
                .report = report_new(),
                .bound = bound_after((int64_t)(1000 * timeout_s(worker)), worker->stop_fd),
                .target = &worker->target,
            },
    };
    set_running(worker, attempt.started_ms);
    attempt.succeeded = collect(worker, &attempt.run, &attempt.err);
    worker->sees_all = worker->sees_all && !attempt.run.again;
    if (bound_stopped(&attempt.run.bound))
        discard(&attempt);
    else
        finish(worker, &attempt);
    warn_when_slow(worker, attempt.started_ms);
    set_running(worker, 0);
}

/* ---- the thread ---- */

/* Wait until it is time to run. False: the worker shall end. */
static bool wait_for_turn(const struct worker *worker, int64_t until_ms)
{
    struct pollfd fds[] = {{.fd = worker->stop_fd, .events = POLLIN},
                           {.fd = worker->wake_fd, .events = POLLIN}};
    struct bound bound = {.deadline_ms = until_ms, .stop_fd = -1};
    for (;;) {
        int left = bound_remaining_ms(&bound);
        int ready = poll(fds, COUNT_OF(fds), left);
        if (fds[0].revents)
            return false;
        if (ready > 0 && fds[1].revents) {
            drain_fd(worker->wake_fd);
            return true;
        }
        if (left == 0)
            return true;
    }
}

static void end(struct worker *worker)
{
    if (worker->opened && worker->collector->close)
        worker->collector->close(worker->state);
    pthread_mutex_lock(&worker->poller->lock);
    worker->ended = true;
    pthread_cond_broadcast(&worker->poller->some_ended);
    pthread_mutex_unlock(&worker->poller->lock);
}

/* Up to 5 % of the interval, so that targets started together do not stay together. */
static int64_t jitter_ms(struct worker *worker, int64_t interval_ms)
{
    return rand_r(&worker->random) % (interval_ms / 20 + 1);
}

/* What looks more than once goes on until all are settled: a word may need one's look after
 * another's. */
static bool is_hurried(const struct worker *worker)
{
    bool repeats = worker->collector->looks > 1 && !poller_settled(worker->poller);
    return worker->poller->hurried && (repeats || !worker->settled);
}

/* Milliseconds from one start to the next. */
static int64_t until_next_ms(struct worker *worker)
{
    if (is_hurried(worker))
        return HURRIED_AGAIN_MS;
    int64_t interval_ms = (int64_t)(1000 * current_interval_s(worker));
    return interval_ms - jitter_ms(worker, interval_ms);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    prctl(PR_SET_NAME, worker->collector->name); /* for `top -H`; the kernel cuts it */
    int64_t next_ms = clock_monotonic_ms() + rand_r(&worker->random) % FIRST_RUN_SPREAD_MS;
    while (wait_for_turn(worker, next_ms)) {
        int64_t started_ms = clock_monotonic_ms();
        run_once(worker);
        next_ms = started_ms + until_next_ms(worker);
        set_next(worker, next_ms);
    }
    end(worker);
    return NULL;
}

static bool start_thread(struct worker *worker, struct err *err)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    sigset_t all;
    sigset_t before;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, &attributes, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0 || err_system(err, error, "cannot start a thread for collector %s, target %s",
                                    worker->collector->name, worker->target.name);
}

/* ---- making and ending workers ---- */

static void holder_unref(struct settings_holder *holder)
{
    if (atomic_fetch_sub(&holder->references, 1) > 1)
        return;
    if (holder->release)
        holder->release(holder->settings);
    free(holder);
}

static void holder_unrefp(struct settings_holder **holder)
{
    if (*holder)
        holder_unref(*holder);
}

/* Its thread has ended or was never started. */
static void worker_free(struct worker *worker)
{
    if (worker->has_thread)
        pthread_join(worker->thread, NULL);
    if (worker->holder)
        holder_unref(worker->holder);
    snapshot_unref(worker->snapshot);
    target_done(&worker->target);
    if (worker->stop_fd >= 0)
        close(worker->stop_fd);
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    free(worker);
}

/* Takes the target over, unless there is no memory. */
static struct worker *worker_new(struct poller *poller, const struct collector *collector,
                                 struct target *target, struct settings_holder *holder,
                                 struct err *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker) {
        err_memory(err);
        return NULL;
    }
    atomic_fetch_add(&holder->references, 1);
    *worker = (struct worker){
        .poller = poller,
        .collector = collector,
        .target = *target,
        .holder = holder,
        .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .wake_fd = collector->combines ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1,
        .shows_by_ms = clock_monotonic_ms() + FIRST_RUN_SPREAD_MS,
        .random = (unsigned)clock_monotonic_ms() ^ (unsigned)(uintptr_t)worker,
        .ended = true, /* until it has a thread */
    };
    *target = (struct target){0};
    if (worker->stop_fd < 0 || (collector->combines && worker->wake_fd < 0)) {
        err_system(err, errno, "cannot watch target %s of collector %s", worker->target.name,
                   collector->name);
        worker_free(worker);
        return NULL;
    }
    return worker;
}

static bool is_due_as_before(const struct worker *worker, const struct target *target)
{
    return worker->target.interval_s >= target->interval_s &&
           worker->target.interval_s <= target->interval_s &&
           worker->target.timeout_s >= target->timeout_s &&
           worker->target.timeout_s <= target->timeout_s;
}

/* The running worker of the same target, or NULL. */
static struct worker *find_same(const struct poller *poller, const struct collector *collector,
                                const struct target *target)
{
    for (size_t i = 0; i < poller->count; i++) {
        struct worker *worker = poller->workers[i];
        if (!worker->kept && worker->collector == collector &&
            target_is_same(&worker->target, target))
            return worker;
    }
    return NULL;
}

/* Only the interval changed: what is known of the target stays known. */
static void inherit(struct worker *worker, const struct worker *before)
{
    worker->snapshot = snapshot_ref(before->snapshot);
    worker->failures = before->failures;
    worker->last_success_at = before->last_success_at;
}

/* The running worker of this target, to be kept, or a new one. With the lock held. */
static struct worker *worker_for(struct poller *poller, const struct collector *collector,
                                 struct target *target, struct settings_holder *holder,
                                 struct err *err)
{
    struct worker *same = find_same(poller, collector, target);
    if (same && is_due_as_before(same, target)) {
        same->kept = true;
        return same;
    }
    struct worker *worker = worker_new(poller, collector, target, holder, err);
    if (worker && same)
        inherit(worker, same);
    return worker;
}

static size_t count_targets(const struct poller_plan *plans, size_t count)
{
    size_t targets = 0;
    for (size_t i = 0; i < count; i++)
        targets += plans[i].targets.count;
    return targets;
}

/* Ask the workers that are not kept to end; the list is empty then. With the lock held. */
static void retire_rest(struct poller *poller)
{
    for (size_t i = 0; i < poller->count; i++) {
        struct worker *worker = poller->workers[i];
        if (worker->kept) {
            worker->kept = false;
            continue;
        }
        signal_fd(worker->stop_fd);
        worker->next = poller->stopping;
        poller->stopping = worker;
    }
    free(poller->workers);
    poller->workers = NULL;
    poller->count = 0;
}

/* Undo a list that could not be completed: what runs goes on. With the lock held. */
static void abandon(struct worker **workers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (workers[i]->kept)
            workers[i]->kept = false;
        else
            worker_free(workers[i]);
    }
    free(workers);
}

/* The workers for these plans, NULL-ended; NULL when they are not complete. With the lock held. */
static struct worker **make_workers(struct poller *poller, struct poller_plan *plans, size_t count,
                                    struct settings_holder *holder, struct err *err)
{
    struct worker **workers = calloc(count_targets(plans, count) + 1, sizeof(struct worker *));
    size_t made = 0;
    if (!workers)
        err_memory(err);
    for (size_t i = 0; workers && i < count; i++) {
        for (size_t j = 0; j < plans[i].targets.count; j++) {
            struct target *target = &plans[i].targets.items[j];
            workers[made] = worker_for(poller, plans[i].collector, target, holder, err);
            if (!workers[made]) {
                abandon(workers, made);
                return NULL;
            }
            made++;
        }
    }
    return workers;
}

/* Replace the list of workers by one for these plans; the new ones have no thread yet. */
static bool replace_workers(struct poller *poller, struct poller_plan *plans, size_t count,
                            struct settings_holder *holder, struct err *err)
{
    pthread_mutex_lock(&poller->lock);
    struct worker **workers = make_workers(poller, plans, count, holder, err);
    if (workers) {
        retire_rest(poller);
        poller->workers = workers;
        poller->count = count_targets(plans, count);
        poller->applied = true;
    }
    pthread_mutex_unlock(&poller->lock);
    return workers != NULL;
}

static bool start_threads(struct poller *poller, struct err *err)
{
    bool all = true;
    for (size_t i = 0; i < poller->count; i++) { /* only the caller's thread changes the list */
        struct worker *worker = poller->workers[i];
        if (worker->has_thread)
            continue;
        worker->ended = false;
        worker->has_thread = start_thread(worker, err);
        if (!worker->has_thread)
            worker->ended = true;
        all = all && worker->has_thread;
    }
    return all;
}

size_t poller_reap(struct poller *poller)
{
    struct worker *ended = NULL;
    size_t left = 0;
    pthread_mutex_lock(&poller->lock);
    for (struct worker **place = &poller->stopping; *place;) {
        struct worker *worker = *place;
        if (!worker->ended) {
            place = &worker->next;
            left++;
            continue;
        }
        *place = worker->next;
        worker->next = ended;
        ended = worker;
    }
    pthread_mutex_unlock(&poller->lock);
    while (ended) {
        struct worker *worker = ended;
        ended = worker->next;
        worker_free(worker);
    }
    return left;
}

/* ---- the public side ---- */

struct poller *poller_new(struct proc_pool *pool)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller)
        return NULL;
    poller->pool = pool;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&poller->lock, NULL);
    pthread_cond_init(&poller->some_ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return poller;
}

static void plans_done(struct poller_plan *plans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        target_list_done(&plans[i].targets);
}

bool poller_apply(struct poller *poller, struct poller_plan *plans, size_t count,
                  const struct settings *settings,
                  void (*release_settings)(const struct settings *), struct err *err)
{
    struct settings_holder *holder CLEANUP(holder_unrefp) = calloc(1, sizeof *holder);
    if (!holder) {
        plans_done(plans, count);
        return err_memory(err);
    }
    *holder = (struct settings_holder){.settings = settings, .release = release_settings};
    atomic_init(&holder->references, 1);
    bool replaced = replace_workers(poller, plans, count, holder, err);
    plans_done(plans, count);
    bool started = replaced && start_threads(poller, err);
    poller_reap(poller);
    return started;
}

static struct timespec monotonic_timespec(int64_t at_ms)
{
    return (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
}

/* With the lock held. */
static bool some_are_stopping(const struct poller *poller)
{
    for (const struct worker *worker = poller->stopping; worker; worker = worker->next) {
        if (!worker->ended)
            return true;
    }
    return false;
}

bool poller_stop(struct poller *poller, int64_t wait_ms)
{
    struct timespec until = monotonic_timespec(clock_monotonic_ms() + wait_ms);
    pthread_mutex_lock(&poller->lock);
    retire_rest(poller);
    bool in_time = true;
    while (in_time && some_are_stopping(poller))
        in_time = pthread_cond_timedwait(&poller->some_ended, &poller->lock, &until) == 0;
    pthread_mutex_unlock(&poller->lock);
    return poller_reap(poller) == 0;
}

void poller_free(struct poller *poller)
{
    if (!poller)
        return;
    pthread_mutex_destroy(&poller->lock);
    pthread_cond_destroy(&poller->some_ended);
    free(poller);
}

static bool describe(const struct worker *worker, int64_t now_ms, struct poller_status *status)
{
    *status = (struct poller_status){
        .collector = worker->collector,
        .target = strdup(worker->target.name),
        .labels = label_list_copy(worker->target.labels),
        .failures = worker->failures,
        .last_success_at = worker->last_success_at,
        .combines = worker->collector->combines,
        .snapshot = snapshot_ref(worker->snapshot),
    };
    if (worker->running_since_ms)
        status->running_s = (double)(now_ms - worker->running_since_ms) / 1000;
    return status->target && status->labels;
}

struct poller_status *poller_status(struct poller *poller, size_t *ret_count)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&poller->lock);
    struct poller_status *list = calloc(poller->count + 1, sizeof *list);
    size_t count = list ? poller->count : 0;
    bool complete = true;
    for (size_t i = 0; i < count; i++)
        complete = describe(poller->workers[i], now_ms, &list[i]) && complete;
    pthread_mutex_unlock(&poller->lock);
    *ret_count = complete ? count : 0;
    if (complete)
        return list;
    poller_status_free(list, count);
    return NULL;
}

void poller_status_free(struct poller_status *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].target);
        label_list_free(list[i].labels);
        snapshot_unref(list[i].snapshot);
    }
    free(list);
}

int64_t poller_overdue_ms(struct poller *poller)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t worst_ms = 0;
    pthread_mutex_lock(&poller->lock);
    for (size_t i = 0; i < poller->count; i++) {
        const struct worker *worker = poller->workers[i];
        if (!worker->ended && now_ms - worker->shows_by_ms > worst_ms)
            worst_ms = now_ms - worker->shows_by_ms;
    }
    pthread_mutex_unlock(&poller->lock);
    return worst_ms;
}

void poller_hurry(struct poller *poller)
{
    poller->hurried = true;
}

bool poller_settled(struct poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    bool settled = poller->applied;
    for (size_t i = 0; i < poller->count; i++)
        settled = settled && poller->workers[i]->settled;
    pthread_mutex_unlock(&poller->lock);
    return settled;
}

bool poller_ready(struct poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    bool ready = poller->applied;
    for (size_t i = 0; i < poller->count; i++)
        ready = ready && poller->workers[i]->snapshot;
    pthread_mutex_unlock(&poller->lock);
    return ready;
}
