/*
 * Many threads run children in one pool: short ones, late ones, queued ones, while others look at
 * the stuck ones and kill; at last the stop descriptor fires. ThreadSanitizer watches the pool.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "exporter/sources/proc.h"

#define RUNNERS 8
#define CALLS   25

struct shared {
    struct proc_pool *pool;
    int stop;
    atomic_int wrong;
    atomic_int running;
};

/* What a call may be; each thread goes through all of them. */
static const struct {
    const char *script;
    bool queued;
    int64_t timeout_ms;
    enum err_code expected;
} kinds[] = {
    {"echo short", false, 60000, ERR_NONE},
    {"echo queued", true, 60000, ERR_NONE},
    {"exit 3", true, 60000, ERR_EXIT},
    {"exec sleep 60", false, 20, ERR_TIMEOUT},
    {"head -c 100000 /dev/zero", false, 60000, ERR_TOO_BIG},
};

static void check(struct shared *shared, bool sound, const char *what, const char *text)
{
    if (sound)
        return;
    atomic_fetch_add(&shared->wrong, 1);
    fprintf(stderr, "wrong: %s: %s\n", what, text);
}

static enum err_code run_script(struct shared *shared, size_t kind, struct bound bound)
{
    const char *const argv[] = {"/bin/sh", "-c", kinds[kind].script, NULL};
    const char *const envp[] = {NULL};
    const struct proc_spec spec = {
        .argv = argv,
        .envp = envp,
        .key = kinds[kind].script,
        .queued = kinds[kind].queued,
        .grace_ms = 5000,
        .output_limit = 50000,
    };
    struct proc_result result CLEANUP(proc_result_done) = {0};
    struct err err = {0};
    bool sound = proc_run(shared->pool, &spec, &bound, &result, &err);
    check(shared, sound == (err.code == ERR_NONE), kinds[kind].script, err.text);
    return err.code;
}

static void *run_all_kinds(void *context)
{
    struct shared *shared = context;
    for (size_t call = 0; call < CALLS; call++) {
        size_t kind = call % COUNT_OF(kinds);
        enum err_code code =
            run_script(shared, kind, bound_after(kinds[kind].timeout_ms, shared->stop));
        check(shared, code == kinds[kind].expected, kinds[kind].script, err_name(code));
    }
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

static void *run_until_stopped(void *context)
{
    static const size_t late = 3;
    struct shared *shared = context;
    enum err_code code = run_script(shared, late, bound_after(60000, shared->stop));
    check(shared, code == ERR_STOPPED, "a stop", err_name(code));
    return NULL;
}

static void *run_until_killed(void *context)
{
    static const size_t late = 3;
    struct shared *shared = context;
    enum err_code code = run_script(shared, late, bound_after(60000, -1));
    check(shared, code == ERR_EXIT, "a kill", err_name(code));
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

static void *look_at_stuck(void *context)
{
    struct shared *shared = context;
    while (atomic_load(&shared->running) > 0) {
        check(shared, proc_pool_stuck(shared->pool) == 0, "stuck", "some child is");
        usleep(500);
    }
    return NULL;
}

static void threads_start(pthread_t *threads, size_t count, void *(*run)(void *),
                          struct shared *shared)
{
    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, run, shared) != 0)
            abort();
    }
}

static void threads_join(pthread_t *threads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void test_all_kinds(struct shared *shared)
{
    pthread_t runners[RUNNERS];
    pthread_t watcher;
    atomic_store(&shared->running, RUNNERS);
    threads_start(runners, RUNNERS, run_all_kinds, shared);
    threads_start(&watcher, 1, look_at_stuck, shared);
    threads_join(runners, RUNNERS);
    threads_join(&watcher, 1);
}

static void test_kill(struct shared *shared)
{
    pthread_t runners[RUNNERS];
    atomic_store(&shared->running, RUNNERS);
    threads_start(runners, RUNNERS, run_until_killed, shared);
    while (atomic_load(&shared->running) > 0) {
        proc_pool_kill(shared->pool); /* again and again: some start between two of them */
        usleep(2000);
    }
    threads_join(runners, RUNNERS);
}

static void test_stop(struct shared *shared)
{
    pthread_t runners[RUNNERS];
    threads_start(runners, RUNNERS, run_until_stopped, shared);
    usleep(20000);
    eventfd_write(shared->stop, 1);
    threads_join(runners, RUNNERS);
}

int main(void)
{
    const struct proc_limits limits = {.at_once = 2, .stuck = 4};
    struct shared shared = {.pool = proc_pool_new(&limits), .stop = eventfd(0, EFD_CLOEXEC)};
    if (!shared.pool)
        return 1;
    test_all_kinds(&shared);
    test_kill(&shared);
    test_stop(&shared);
    proc_pool_free(shared.pool);
    close(shared.stop);
    return atomic_load(&shared.wrong) ? 1 : 0;
}
