#include "exporter/sources/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT  ((size_t)16 << 20)
#define ERROR_LIMIT   ((size_t)256 << 10)
#define GRACE_MS      500
#define CHUNK_SIZE    16384
#define PLACE_HOLD_MS 2000 /* a child that has started and only waits takes no place */

struct child {
    struct child *next;
    pid_t pid; /* also its process group */
    bool stuck;
    char key[]; /* empty for none */
};

struct proc_pool {
    struct proc_limits limits;
    int places; /* eventfd semaphore: queued children that may still start */
    /*
     * Guards what follows. A child is reaped and leaves the list in one step under it, so that a
     * pid found in the list is never that of another process.
     */
    pthread_mutex_t lock;
    struct child *children;
    unsigned kills; /* calls of proc_pool_kill(): a child that was just being started sees them */
};

/* One pipe from the child, as we read it. */
struct stream {
    int fd; /* -1 once closed */
    struct strbuf *text;
    size_t limit;
    bool drops; /* bytes beyond the limit are read and dropped; otherwise they are an error */
};

/* The ends of a pipe, -1 once closed or handed over. */
struct pipe_ends {
    int read;
    int write;
};

/* One call of proc_run(). */
struct run {
    struct proc_pool *pool;
    const struct proc_spec *spec;
    const struct bound *bound;
    struct proc_result *result;
    int64_t timeout_ms; /* what the bound left when the call began */
    int64_t grace_ms;
    int64_t started_ms;
    struct child *child;
    int pidfd;
    struct stream output;
    struct stream errors;
    bool has_place;
};

/* Waiting. */

enum wait_end { WAIT_READY, WAIT_LATE, WAIT_STOPPED };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static enum wait_end wait_readable(int fd, const struct bound *bound)
{
    struct pollfd polled[] = {
        {.fd = fd, .events = POLLIN},
        {.fd = bound->stop_fd, .events = POLLIN},
    };
    for (;;) {
        int count = poll(polled, COUNT_OF(polled), bound_remaining_ms(bound));
        if (count < 0 && errno == EINTR)
            continue;
        if (count > 0 && polled[0].revents)
            return WAIT_READY;
        if (count > 0)
            return WAIT_STOPPED;
        if (count < 0 || bound_remaining_ms(bound) == 0)
            return WAIT_LATE;
    }
}

/* The pool. */

struct proc_pool *proc_pool_new(const struct proc_limits *limits)
{
    assert(limits->at_once > 0 && limits->stuck > 0);
    struct proc_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->limits = *limits;
    pool->places = eventfd((unsigned)limits->at_once, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->places < 0) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

void proc_pool_free(struct proc_pool *pool)
{
    if (!pool)
        return;
    proc_pool_kill(pool);
    proc_pool_stuck(pool);
    for (struct child *child = pool->children, *next; child; child = next) {
        next = child->next;
        free(child);
    }
    pthread_mutex_destroy(&pool->lock);
    close_fd(&pool->places);
    free(pool);
}

void proc_pool_kill(struct proc_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->kills++;
    for (struct child *child = pool->children; child; child = child->next)
        kill(-child->pid, SIGKILL);
    pthread_mutex_unlock(&pool->lock);
}

static unsigned pool_kills(struct proc_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    unsigned kills = pool->kills;
    pthread_mutex_unlock(&pool->lock);
    return kills;
}

/* Take a child in that was started when the pool had seen `kills` kills. */
static void pool_add(struct proc_pool *pool, struct child *child, unsigned kills)
{
    pthread_mutex_lock(&pool->lock);
    child->next = pool->children;
    pool->children = child;
    if (pool->kills != kills)
        kill(-child->pid, SIGKILL);
    pthread_mutex_unlock(&pool->lock);
}

static void pool_mark_stuck(struct proc_pool *pool, struct child *child)
{
    pthread_mutex_lock(&pool->lock);
    child->stuck = true;
    pthread_mutex_unlock(&pool->lock);
}

/*
 * Reap the child at *link if it has ended, and unlink and free it; the lock is held. ECHILD
 * (somebody else reaped it) counts as ended: waiting for it would never end.
 */
static bool reap_locked(struct child **link, int *ret_status, struct rusage *ret_usage)
{
    struct child *child = *link;
    pid_t pid = wait4(child->pid, ret_status, WNOHANG, ret_usage);
    if (pid == 0 || (pid < 0 && errno != ECHILD))
        return false;
    *link = child->next;
    free(child);
    return true;
}

/* Reap one child if it has ended; it is freed then. *ret_status is -1 when nobody knows it. */
static bool pool_reap(struct proc_pool *pool, struct child *child, int *ret_status,
                      struct rusage *ret_usage)
{
    *ret_status = -1;
    pthread_mutex_lock(&pool->lock);
    struct child **link = &pool->children;
    while (*link != child)
        link = &(*link)->next;
    bool reaped = reap_locked(link, ret_status, ret_usage);
    pthread_mutex_unlock(&pool->lock);
    return reaped;
}

/* Reap the stuck children that have ended; how many are left; the lock is held. */
static size_t reap_stuck_locked(struct proc_pool *pool)
{
    size_t left = 0;
    int status;
    struct rusage usage;
    for (struct child **link = &pool->children; *link;) {
        if ((*link)->stuck && reap_locked(link, &status, &usage))
            continue;
        left += (*link)->stuck;
        link = &(*link)->next;
    }
    return left;
}

size_t proc_pool_stuck(struct proc_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t left = reap_stuck_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    return left;
}

/* The pid of a stuck child with this key, or 0; the lock is held. */
static pid_t stuck_on_locked(const struct proc_pool *pool, const char *key)
{
    for (const struct child *child = pool->children; child && key && *key; child = child->next) {
        if (child->stuck && strcmp(child->key, key) == 0)
            return child->pid;
    }
    return 0;
}

/* Whether the stuck children that are left allow the spec to start. */
static bool pool_admits(struct proc_pool *pool, const struct proc_spec *spec, struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    size_t stuck = reap_stuck_locked(pool);
    pid_t other = stuck_on_locked(pool, spec->key);
    pthread_mutex_unlock(&pool->lock);
    if (other)
        return err_set(err, ERR_STUCK,
                       "%s was not started: process %d for %s cannot be killed and still waits",
                       spec->argv[0], (int)other, spec->key);
    if (stuck >= pool->limits.stuck)
        return err_set(err, ERR_SYSTEM,
                       "%s was not started: %zu processes cannot be killed, %zu is the limit",
                       spec->argv[0], stuck, pool->limits.stuck);
    return true;
}

/* Starting. */

static void pipe_ends_close(struct pipe_ends *ends)
{
    close_fd(&ends->read);
    close_fd(&ends->write);
}

/*
 * A pipe whose reading end, ours, does not block: a child can take bytes back out of it (by
 * /proc/self/fd) after poll() has promised them to us.
 */
static bool pipe_ends_open(struct pipe_ends *ret, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_system(err, errno, "cannot make a pipe");
    *ret = (struct pipe_ends){.read = ends[0], .write = ends[1]};
    if (fcntl(ret->read, F_SETFL, O_NONBLOCK) < 0)
        return err_system(err, errno, "cannot set a pipe to non-blocking");
    return true;
}

static bool actions_fill(posix_spawn_file_actions_t *actions, int output, int errors)
{
    return posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO) == 0 &&
           posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO) == 0 &&
#if __GLIBC_PREREQ(2, 34) /* before, it rests on every descriptor being born close-on-exec */
           posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) == 0 &&
#endif
           posix_spawn_file_actions_addchdir_np(actions, "/") == 0;
}

/* A group of its own, no blocked and no ignored or handled signal. */
static void attributes_fill(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
}

/* posix_spawn() takes char *const * for historical reasons; it changes nothing. */
static char *const *spawn_vector(const char *const *texts)
{
    union {
        const char *const *given;
        char *const *wanted;
    } vector = {.given = texts};
    return vector.wanted;
}

static bool spawn(const struct proc_spec *spec, int output, int errors, pid_t *ret, struct err *err)
{
    posix_spawn_file_actions_t actions CLEANUP(posix_spawn_file_actions_destroy);
    posix_spawnattr_t attributes CLEANUP(posix_spawnattr_destroy);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    attributes_fill(&attributes);
    if (!actions_fill(&actions, output, errors))
        return err_memory(err);
    int failure = posix_spawn(ret, spec->argv[0], &actions, &attributes, spawn_vector(spec->argv),
                              spawn_vector(spec->envp));
    if (failure)
        return err_system(err, failure, "cannot run %s", spec->argv[0]);
    return true;
}

static struct child *child_new(const char *key)
{
    size_t size = strlen(key) + 1;
    struct child *child = calloc(1, sizeof *child + size);
    if (child)
        memcpy(child->key, key, size);
    return child;
}

/* Start the program and take it into the pool; NULL when it did not start. */
static struct child *start_child(struct run *run, int output, int errors, struct err *err)
{
    struct child *child = child_new(run->spec->key ? run->spec->key : "");
    if (!child) {
        err_memory(err);
        return NULL;
    }
    unsigned kills = pool_kills(run->pool);
    run->started_ms = clock_monotonic_ms();
    if (!spawn(run->spec, output, errors, &child->pid, err)) {
        free(child);
        return NULL;
    }
    pool_add(run->pool, child, kills);
    run->result->started = true;
    return child;
}

/* Kill a child that nobody can wait for; the next look at the stuck ones reaps it. */
static bool give_up(struct run *run, int error_number, struct err *err)
{
    kill(-run->child->pid, SIGKILL);
    pool_mark_stuck(run->pool, run->child);
    return err_system(err, error_number, "cannot watch %s", run->spec->argv[0]);
}

static bool run_start(struct run *run, struct err *err)
{
    struct pipe_ends output CLEANUP(pipe_ends_close) = {-1, -1};
    struct pipe_ends errors CLEANUP(pipe_ends_close) = {-1, -1};
    if (pipe_ends_open(&output, err) && pipe_ends_open(&errors, err))
        run->child = start_child(run, output.write, errors.write, err);
    if (!run->child)
        return false;
    run->pidfd = pidfd_open(run->child->pid, 0);
    if (run->pidfd < 0)
        return give_up(run, errno, err);
    run->output.fd = output.read;
    run->errors.fd = errors.read;
    output.read = errors.read = -1;
    return true;
}

/* Gathering. */

/* Read once, at most `most` bytes. Does not block. */
static bool stream_take(struct stream *stream, size_t most, const char *program, struct err *err)
{
    char chunk[CHUNK_SIZE];
    ssize_t count = read(stream->fd, chunk, most < sizeof chunk ? most : sizeof chunk);
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (count <= 0) {
        close_fd(&stream->fd);
        return true;
    }
    size_t room = stream->limit - stream->text->length;
    size_t kept = (size_t)count < room ? (size_t)count : room;
    strbuf_add(stream->text, chunk, kept);
    if (!stream->text->failed && (kept == (size_t)count || stream->drops))
        return true;
    close_fd(&stream->fd); /* also ends a program that goes on writing */
    if (stream->text->failed)
        return err_memory(err);
    return err_set(err, ERR_TOO_BIG, "%s wrote more than %zu bytes", program, stream->limit);
}

/* Take what is in the pipe now: whoever still holds the other end cannot make this last. */
static bool stream_drain(struct stream *stream, const char *program, struct err *err)
{
    int left = 0;
    if (stream->fd < 0 || ioctl(stream->fd, FIONREAD, &left) < 0)
        return true;
    for (; left > 0 && stream->fd >= 0; left -= CHUNK_SIZE) {
        if (!stream_take(stream, (size_t)left, program, err))
            return false;
    }
    return true;
}

static void leave_place(struct run *run)
{
    if (run->has_place)
        eventfd_write(run->pool->places, 1);
    run->has_place = false;
}

/* How long to wait next, in ms: to the bound's end, or until the place is to be left. */
static int wait_ms(const struct run *run, const struct bound *bound)
{
    struct bound place = {.deadline_ms = run->started_ms + PLACE_HOLD_MS};
    int left = bound_remaining_ms(bound);
    int until_place = run->has_place ? bound_remaining_ms(&place) : left;
    return until_place < left ? until_place : left;
}

enum { ON_CHILD, ON_OUTPUT, ON_ERRORS, ON_STOP, ON_COUNT };

/* Wait once, for any of the four. */
static bool run_poll(struct run *run, const struct bound *bound, struct pollfd *ret,
                     struct err *err)
{
    ret[ON_CHILD] = (struct pollfd){.fd = run->pidfd, .events = POLLIN};
    ret[ON_OUTPUT] = (struct pollfd){.fd = run->output.fd, .events = POLLIN};
    ret[ON_ERRORS] = (struct pollfd){.fd = run->errors.fd, .events = POLLIN};
    ret[ON_STOP] = (struct pollfd){.fd = bound->stop_fd, .events = POLLIN};
    if (poll(ret, ON_COUNT, wait_ms(run, bound)) < 0 && errno != EINTR)
        return err_system(err, errno, "cannot wait for %s", run->spec->argv[0]);
    if (clock_monotonic_ms() - run->started_ms >= PLACE_HOLD_MS)
        leave_place(run);
    return true;
}

/*
 * Gather output until the child ends; true then. Otherwise *err says why not: the bound's time is
 * over or its stop descriptor readable, or the output cannot be kept.
 */
static bool run_watch(struct run *run, const struct bound *bound, struct err *err)
{
    const char *program = run->spec->argv[0];
    struct pollfd polled[ON_COUNT];
    while (run_poll(run, bound, polled, err)) {
        if (polled[ON_CHILD].revents)
            return true;
        if (polled[ON_STOP].revents)
            return err_set(err, ERR_STOPPED, "%s was interrupted: asked to stop", program);
        if (polled[ON_OUTPUT].revents && !stream_take(&run->output, CHUNK_SIZE, program, err))
            return false;
        if (polled[ON_ERRORS].revents && !stream_take(&run->errors, CHUNK_SIZE, program, err))
            return false;
        if (bound_remaining_ms(bound) == 0)
            return err_set(err, ERR_TIMEOUT, "%s took over %lld ms", program,
                           (long long)run->timeout_ms);
    }
    return false;
}

/* Ending. */

/* TERM, grace, KILL, grace; whether it has ended. */
static bool run_end(struct run *run)
{
    struct bound grace = bound_after(run->grace_ms, -1);
    run->result->interrupted = true;
    kill(-run->child->pid, SIGTERM);
    kill(-run->child->pid, SIGCONT); /* a stopped process would not see it */
    if (run_watch(run, &grace, NULL))
        return true;
    kill(-run->child->pid, SIGKILL);
    grace = bound_after(run->grace_ms, -1);
    return wait_readable(run->pidfd, &grace) == WAIT_READY;
}

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void result_fill(struct proc_result *result, int status, const struct rusage *usage)
{
    result->exited = status >= 0 && WIFEXITED(status);
    result->exit_status = result->exited ? WEXITSTATUS(status) : 0;
    result->signal = status >= 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result->cpu_seconds = seconds(&usage->ru_utime) + seconds(&usage->ru_stime);
}

/*
 * Reap the child, which has ended. While somebody traces it (strace -f) the tracer sees it first
 * and we have to wait for them, but not for ever.
 */
static bool run_reap(struct run *run)
{
    int status;
    struct rusage usage = {0};
    struct bound grace = bound_after(run->grace_ms, -1);
    while (!pool_reap(run->pool, run->child, &status, &usage)) {
        if (bound_remaining_ms(&grace) == 0)
            return false;
        poll(NULL, 0, 1);
    }
    run->child = NULL;
    result_fill(run->result, status, &usage);
    return true;
}

static bool run_leave_stuck(struct run *run, struct err *err)
{
    int pid = (int)run->child->pid;
    pool_mark_stuck(run->pool, run->child);
    return err_set(err, ERR_STUCK, "%s was allowed %lld ms; process %d was killed and does not end",
                   run->spec->argv[0], (long long)run->timeout_ms, pid);
}

/* The last output, the rest of the group, the status. `sound` is false when *err is set already. */
static bool run_close(struct run *run, bool sound, struct err *err)
{
    const char *program = run->spec->argv[0];
    const struct proc_result *result = run->result;
    struct err *first = sound ? err : NULL;
    kill(-run->child->pid, SIGKILL); /* before it is reaped: until then the group is ours */
    sound = stream_drain(&run->output, program, first) && sound;
    first = sound ? err : NULL;
    sound = stream_drain(&run->errors, program, first) && sound;
    if (!run_reap(run))
        return run_leave_stuck(run, err);
    if (!sound || (result->exited && result->exit_status == 0))
        return sound;
    if (result->exited)
        return err_set(err, ERR_EXIT, "%s ended with status %d", program, result->exit_status);
    if (result->signal)
        return err_set(err, ERR_EXIT, "%s was ended by signal %d (%s)", program, result->signal,
                       sigdescr_np(result->signal));
    return err_set(err, ERR_SYSTEM, "%s ended and its status is lost", program);
}

/* The whole. */

static bool take_place(struct run *run, struct err *err)
{
    const char *program = run->spec->argv[0];
    for (;;) {
        eventfd_t taken;
        switch (wait_readable(run->pool->places, run->bound)) {
        case WAIT_READY: /* another thread may be faster: then it waits on */
            run->has_place = eventfd_read(run->pool->places, &taken) == 0;
            if (run->has_place)
                return true;
            break;
        case WAIT_LATE:
            return err_set(err, ERR_TIMEOUT, "%s waited over %lld ms for one of %zu places",
                           program, (long long)run->timeout_ms, run->pool->limits.at_once);
        case WAIT_STOPPED:
            return err_set(err, ERR_STOPPED, "%s was not started: asked to stop", program);
        }
    }
}

/* Whether there is still a reason and the right to start. */
static bool may_start(const struct run *run, struct err *err)
{
    const char *program = run->spec->argv[0];
    if (bound_stopped(run->bound))
        return err_set(err, ERR_STOPPED, "%s was not started: asked to stop", program);
    if (bound_remaining_ms(run->bound) == 0)
        return err_set(err, ERR_TIMEOUT, "%s was not started: nothing was left of its %lld ms",
                       program, (long long)run->timeout_ms);
    return pool_admits(run->pool, run->spec, err);
}

static void run_done(struct run *run)
{
    if (run->result->started)
        run->result->duration_ms = clock_monotonic_ms() - run->started_ms;
    leave_place(run);
    close_fd(&run->pidfd);
    close_fd(&run->output.fd);
    close_fd(&run->errors.fd);
}

static size_t or_default(size_t value, size_t fallback)
{
    return value ? value : fallback;
}

bool proc_run(struct proc_pool *pool, const struct proc_spec *spec, const struct bound *bound,
              struct proc_result *result, struct err *err)
{
    struct run run CLEANUP(run_done) = {
        .pool = pool,
        .spec = spec,
        .bound = bound,
        .result = result,
        .timeout_ms = bound_remaining_ms(bound),
        .grace_ms = spec->grace_ms ? spec->grace_ms : GRACE_MS,
        .pidfd = -1,
        .output = {.fd = -1,
                   .text = &result->output,
                   .limit = or_default(spec->output_limit, OUTPUT_LIMIT)},
        .errors = {.fd = -1,
                   .text = &result->errors,
                   .limit = or_default(spec->error_limit, ERROR_LIMIT),
                   .drops = true},
    };
    if (!may_start(&run, err))
        return false;
    if (spec->queued && (!take_place(&run, err) || !may_start(&run, err)))
        return false;
    if (!run_start(&run, err))
        return false;
    bool sound = run_watch(&run, bound, err);
    if (!sound && !run_end(&run))
        return run_leave_stuck(&run, err);
    return run_close(&run, sound, err);
}

void proc_result_done(struct proc_result *result)
{
    strbuf_done(&result->output);
    strbuf_done(&result->errors);
    *result = (struct proc_result){0};
}
