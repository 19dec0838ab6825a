/*
 * mount - whether the file systems that hold the repositories are there, respond and have room.
 *
 * What may hang is asked in a child; what the kernel lists is read here. An NFS server that is
 * gone makes every call on its mount wait for ever, while the kernel still tells how long.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/model/mount_health.h"
#include "collectors/mount_report.h"
#include "collectors/parse/mountstats.h"
#include "collectors/repository_mount.h"
#include "exporter/schedule/collector.h"
#include "exporter/sources/probe_file.h"

enum {
    MOUNTED,
    RESPONDING,
    READONLY,
    STUCK_SECONDS,
    ERROR,
    PROBE_DURATION,
    SIZE,
    AVAIL,
    FILES,
    FILES_FREE,
    INFO,
    LEASE_EXPIRED,
    REQUESTS,
    RETRANSMISSIONS,
    MAJOR_TIMEOUTS,
    CONNECTS,
    METRIC_COUNT
};

/*
 * The path is a label of each sample, not of the target: a mount that comes up after the program
 * has been started gives its name to the target that was waiting for it.
 */
static const char *const path_labels[] = {"path", NULL};
static const char *const reason_labels[] = {"path", "reason", NULL};
static const char *const operation_labels[] = {"path", "operation", NULL};
static const char *const info_labels[] = {"path", "filesystem", "source", "version", "hard", NULL};

static const struct metric_desc metrics[METRIC_COUNT] = {
    [MOUNTED] =
        {
            .name = "pgbackup_mount_mounted",
            .help = "Whether the file system is mounted (1), and of the configured type if one is.",
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [RESPONDING] =
        {
            .name = "pgbackup_mount_responding",
            .help = "Whether the mounted file system answered the last look (1).",
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [READONLY] =
        {
            .name = "pgbackup_mount_readonly",
            .help = "Whether the mount or its file system is read-only (1).",
            .keeps = STATE,
            .labels = path_labels,
        },
    [STUCK_SECONDS] =
        {
            .name = "pgbackup_mount_stuck_seconds",
            .help = "For how long the mount has given no answer at all; 0 while it answers.",
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [ERROR] =
        {
            .name = "pgbackup_mount_error",
            .help = "What is wrong with the mount; only there with a reason.",
            .keeps = OUTCOME,
            .labels = reason_labels,
        },
    [PROBE_DURATION] =
        {
            .name = "pgbackup_mount_probe_duration_seconds",
            .help = "How long the last look took: statfs(), and listing one entry (readdir).",
            .keeps = STATE,
            .labels = operation_labels,
        },
    [SIZE] =
        {
            .name = "pgbackup_mount_size_bytes",
            .help = "Size of the file system.",
            .keeps = STATE,
            .labels = path_labels,
        },
    [AVAIL] =
        {
            .name = "pgbackup_mount_avail_bytes",
            .help = "Bytes that users other than root can still write.",
            .keeps = STATE,
            .labels = path_labels,
        },
    [FILES] =
        {
            .name = "pgbackup_mount_files",
            .help = "Inodes of the file system; not said by one that does not count them.",
            .keeps = STATE,
            .labels = path_labels,
        },
    [FILES_FREE] =
        {
            .name = "pgbackup_mount_files_free",
            .help = "Inodes that are free.",
            .keeps = STATE,
            .labels = path_labels,
        },
    [INFO] =
        {
            .name = "pgbackup_mount_info",
            .help = "What is mounted: type and source, for NFS its version and whether the mount "
                    "waits for ever (hard); always 1.",
            .keeps = OUTCOME,
            .labels = info_labels,
        },
    [LEASE_EXPIRED] =
        {
            .name = "pgbackup_nfs_lease_expired_seconds",
            .help = "How long the lease of the NFS 4 client is over: 0 while the server answers, "
                    "idle or not; told by the kernel without asking the server.",
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [REQUESTS] =
        {
            .name = "pgbackup_nfs_requests_total",
            .help = "NFS requests that have ended since the file system was mounted.",
            .type = METRIC_COUNTER,
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [RETRANSMISSIONS] =
        {
            .name = "pgbackup_nfs_retransmissions_total",
            .help = "NFS requests that had to be sent again.",
            .type = METRIC_COUNTER,
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [MAJOR_TIMEOUTS] =
        {
            .name = "pgbackup_nfs_major_timeouts_total",
            .help = "NFS requests for which the client found the server not responding.",
            .type = METRIC_COUNTER,
            .keeps = OUTCOME,
            .labels = path_labels,
        },
    [CONNECTS] =
        {
            .name = "pgbackup_nfs_transport_connects_total",
            .help = "Connections that the NFS client has begun; climbs while a service is down.",
            .type = METRIC_COUNTER,
            .keeps = OUTCOME,
            .labels = path_labels,
        },
};

static const char *const no_labels[] = {NULL};

/* One target. */
struct watch {
    struct proc_pool *pool;
    const struct stanza_repository *repository; /* of the settings: the first that lies on it */
    const char *type;                           /* mount.filesystem, or NULL */
    struct mount_finder finder;
    int64_t silent_since_ms; /* when it was first asked in vain; 0: it answers */
    double silent_since;     /* the same, s since 1970 */
};

static const char *type_of(const struct stanza_repository *repository)
{
    return repository->settings ? repository->settings->mount_filesystem : NULL;
}

static bool has_target(const struct target_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What is mounted, and what is to be. */
struct mounts {
    struct mountinfo table;
    struct strbuf expected;
};

static void mounts_done(struct mounts *mounts)
{
    mountinfo_done(&mounts->table);
    strbuf_done(&mounts->expected);
}

static bool mounts_read(struct mounts *ret, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    mount_expected_read(&ret->expected);
    return mount_list_read(MOUNT_LIST, &text, err) &&
           mountinfo_parse(text.data, text.length, &ret->table, err);
}

static bool add_target(const struct stanza_repository *repository, const struct mounts *mounts,
                       struct target_list *list, struct err *err)
{
    static const struct label none[] = {{NULL, NULL}};
    struct strbuf name CLEANUP(strbuf_done) = {0};
    struct strbuf fingerprint CLEANUP(strbuf_done) = {0};
    const char *path = repository_mount_path(repository);
    if (!path)
        return true;
    char *owned = repository_mount_name(repository, &mounts->table, &mounts->expected);
    strbuf_puts(&name, owned ? owned : "");
    free(owned);
    const char *type = type_of(repository);
    strbuf_printf(&fingerprint, "%d %s %s", repository_mount_is_configured(repository), path,
                  type ? type : "");
    if (!owned || name.failed || fingerprint.failed)
        return err_memory(err);
    if (has_target(list, strbuf_text(&name)))
        return true;
    struct target *target = target_add(list, strbuf_text(&name), strbuf_text(&fingerprint), none);
    if (!target)
        return err_memory(err);
    target->spec = repository;
    return true;
}

static bool add_targets(const struct settings *settings, const struct mounts *mounts,
                        bool configured, struct target_list *list, struct err *err)
{
    for (size_t i = 0; i < settings->stanza_count; i++) {
        const struct stanza *stanza = &settings->stanzas[i];
        for (size_t j = 0; j < stanza->repository_count; j++) {
            const struct stanza_repository *repository = &stanza->repositories[j];
            if (repository_mount_is_configured(repository) == configured &&
                !add_target(repository, mounts, list, err))
                return false;
        }
    }
    return true;
}

/* What is configured comes first: of two repositories on one mount its words count. */
static bool mount_targets(const struct settings *settings, struct target_list *ret, struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    struct mounts mounts CLEANUP(mounts_done) = {0};
    if (!mounts_read(&mounts, err) || !add_targets(settings, &mounts, true, &list, err) ||
        !add_targets(settings, &mounts, false, &list, err))
        return false;
    *ret = list;
    list = (struct target_list){0};
    return true;
}

static void mount_close(void *opaque)
{
    struct watch *state = opaque;
    if (!state)
        return;
    mount_finder_done(&state->finder);
    free(state);
}

static bool mount_open(const struct environment *environment, const struct target *target,
                       void **ret, struct err *err)
{
    struct watch *state = calloc(1, sizeof *state);
    if (!state)
        return err_memory(err);
    state->pool = environment->pool;
    state->repository = target->spec;
    state->type = type_of(state->repository);
    mount_finder_init(&state->finder, state->repository);
    *ret = state;
    return true;
}

/* Whether it is worth asking: false when it is missing, or mounted on access only. */
static bool judge_mount(const struct watch *state, struct mount_view *view)
{
    const struct mount_entry *mount = view->mount;
    if (mount && strcmp(mount->filesystem, "autofs") == 0) {
        view->situation = MOUNT_TRIGGER;
        return false;
    }
    if (mount && mount_type_fits(state->type, mount->filesystem)) {
        view->read_only = mount_entry_is_read_only(mount);
        return true;
    }
    if (mount)
        err_set(&view->err, ERR_NOT_MOUNTED, "%s is mounted on %s, not %s", mount->filesystem,
                view->path, state->type);
    else
        err_set(&view->err, ERR_NOT_MOUNTED, "nothing is mounted on %s", view->path);
    view->mount = NULL;
    view->situation = MOUNT_MISSING;
    return false;
}

/* What NFS counts, as far as the kernel tells; another file system has none of it. */
static bool read_statistics(struct mount_view *view, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (!mount_is_nfs(view->mount->filesystem))
        return true;
    if (!mount_list_read(MOUNT_STATISTICS, &text, err))
        return false;
    view->has_statistics = mountstats_find(text.data, text.length, view->mount->path,
                                           view->mount->filesystem, &view->statistics);
    return true;
}

/* The child got no answer from it: the mount hangs, whether that child could be killed or not. */
static void says_silent(struct watch *state, struct mount_view *view, int64_t asked_ms,
                        const struct err *why)
{
    if (!state->silent_since_ms) {
        state->silent_since_ms = asked_ms;
        state->silent_since =
            clock_wall_seconds() - (double)(clock_monotonic_ms() - asked_ms) / 1000;
    }
    view->situation = MOUNT_SILENT;
    view->silent_since = state->silent_since;
    err_set(&view->err, ERR_STUCK, "no answer from %s on %s (%s)", view->mount->source, view->path,
            why->code == ERR_STUCK ? why->text : "the process that asked was ended");
}

static void judge(struct mount_view *view, const struct probe_filesystem *seen)
{
    const struct mount_answer answer = {
        .statfs_error = seen->statfs_error,
        .list_error = seen->list_error,
        .size_bytes = seen->size_bytes,
        .free_bytes = seen->free_bytes,
        .avail_bytes = seen->avail_bytes,
        .files = seen->files,
        .files_free = seen->files_free,
    };
    struct mount_health health = mount_health_of(&answer, view->mount->filesystem);
    int error_number = seen->statfs_error ? seen->statfs_error : seen->list_error;
    view->situation = health.responding ? MOUNT_WORKS : MOUNT_BROKEN;
    view->sizes_known = health.sizes_known;
    view->files_known = health.files_known;
    view->size_bytes = seen->size_bytes;
    view->avail_bytes = seen->avail_bytes;
    view->files = seen->files;
    view->files_free = seen->files_free;
    view->read_only = view->read_only || seen->read_only;
    if (error_number)
        err_system(&view->err, error_number, "%s of %s", seen->statfs_error ? "statfs" : "listing",
                   view->path);
    else if (health.reason != ERR_NONE)
        err_set(&view->err, health.reason,
                "statfs of %s gave numbers that cannot be: size %" PRIu64 ", free %" PRIu64
                ", available %" PRIu64 " bytes",
                view->path, seen->size_bytes, seen->free_bytes, seen->avail_bytes);
    view->err.code = health.reason;
}

/* What a child gets of our time, so that it can still be killed within it. */
static struct bound child_bound(const struct bound *bound)
{
    struct bound child = *bound;
    int quarter = bound_remaining_ms(bound) / 4;
    child.deadline_ms -= quarter < 1000 ? quarter : 1000;
    return child;
}

static void add_durations(struct sink *sink, const char *path, const struct probe_filesystem *seen)
{
    if (seen->statfs_error)
        return;
    sink_add(sink, PROBE_DURATION, seen->statfs_seconds, LABELS(path, "statfs"));
    if (!seen->list_error)
        sink_add(sink, PROBE_DURATION, seen->list_seconds, LABELS(path, "readdir"));
}

/* Ask a mounted file system. False: we could not even ask. */
static bool ask(struct watch *state, struct run *run, struct mount_view *view, struct err *err)
{
    struct probe_filesystem seen = {0};
    struct bound bound = child_bound(&run->bound);
    int64_t asked_ms = clock_monotonic_ms();
    const char *path = view->mount->path;
    if (probe_filesystem(state->pool, path, path, &bound, &seen, err)) {
        state->silent_since_ms = 0;
        judge(view, &seen);
        add_durations(run->sink, view->path, &seen);
        return true;
    }
    if (err->code != ERR_TIMEOUT && err->code != ERR_STUCK)
        return false;
    says_silent(state, view, asked_ms, err);
    return true;
}

static void add_info(struct sink *sink, const struct mount_view *view)
{
    struct strbuf version CLEANUP(strbuf_done) = {0};
    const struct mount_entry *mount = view->mount;
    const char *hard = "";
    if (mount_is_nfs(mount->filesystem)) {
        mount_option_value(mount->super_options, "vers", &version);
        hard = mount_option_is_set(mount->super_options, "hard") ? "true" : "false";
    }
    sink_add(sink, INFO, 1,
             LABELS(view->path, mount->filesystem, mount->source, strbuf_text(&version), hard));
}

static void add_statistics(struct sink *sink, const char *path, const struct mountstats *seen)
{
    if (seen->has_lease)
        sink_add(sink, LEASE_EXPIRED, (double)seen->lease_expired_s, LABELS(path));
    if (seen->has_operations) {
        sink_add(sink, REQUESTS, (double)seen->requests, LABELS(path));
        sink_add(sink, RETRANSMISSIONS, (double)seen->retransmissions, LABELS(path));
        sink_add(sink, MAJOR_TIMEOUTS, (double)seen->major_timeouts, LABELS(path));
    }
    if (seen->has_connects)
        sink_add(sink, CONNECTS, (double)seen->connects, LABELS(path));
}

static void add_sizes(struct sink *sink, const struct mount_view *view)
{
    if (view->sizes_known) {
        sink_add(sink, SIZE, (double)view->size_bytes, LABELS(view->path));
        sink_add(sink, AVAIL, (double)view->avail_bytes, LABELS(view->path));
    }
    if (view->files_known) {
        sink_add(sink, FILES, (double)view->files, LABELS(view->path));
        sink_add(sink, FILES_FREE, (double)view->files_free, LABELS(view->path));
    }
}

static void add_samples(const struct watch *state, struct sink *sink, const struct mount_view *view)
{
    int64_t silent_ms =
        view->situation == MOUNT_SILENT ? clock_monotonic_ms() - state->silent_since_ms : 0;
    bool mounted = view->mount && view->situation != MOUNT_TRIGGER;
    sink_add(sink, MOUNTED, mounted, LABELS(view->path));
    sink_add(sink, STUCK_SECONDS, (double)silent_ms / 1000, LABELS(view->path));
    if (view->err.code != ERR_NONE)
        sink_add(sink, ERROR, 1, LABELS(view->path, err_reason(view->err.code)));
    if (view->mount)
        add_info(sink, view);
    if (!mounted)
        return;
    sink_add(sink, RESPONDING, view->situation == MOUNT_WORKS, LABELS(view->path));
    sink_add(sink, READONLY, view->read_only, LABELS(view->path));
    add_sizes(sink, view);
    if (view->has_statistics)
        add_statistics(sink, view->path, &view->statistics);
}

/* Fill in the whole view. False: we ourselves failed. */
static bool look(struct watch *state, struct run *run, struct mount_view *view, struct err *err)
{
    bool hangs = false;
    int64_t asked_ms = clock_monotonic_ms();
    bool found = mount_finder_look(&state->finder, state->pool, &run->bound, &hangs, err);
    if (!found && !hangs)
        return false;
    view->path = mount_finder_name(&state->finder);
    view->repository_path = state->finder.configured ? NULL : state->finder.path;
    view->mount = state->finder.mount;
    if (!judge_mount(state, view)) {
        state->silent_since_ms = 0;
        return true;
    }
    if (!read_statistics(view, err))
        return false;
    if (found)
        return ask(state, run, view, err);
    says_silent(state, view, asked_ms, err);
    return true;
}

static bool mount_collect(void *opaque, struct run *run, struct err *err)
{
    struct watch *state = opaque;
    struct mount_view view = {0};
    if (!look(state, run, &view, err))
        return false;
    add_samples(state, run->sink, &view);
    mount_report(run->report, &view);
    if (view.situation == MOUNT_WORKS || view.situation == MOUNT_TRIGGER)
        return true;
    return run_is_down(run, &view.err);
}

const struct collector collector_mount = {
    .name = "mount",
    .help = "Whether the file systems that hold the repositories are mounted, respond and have "
            "room.",
    .default_enabled = true,
    .interval_s = 15,
    .timeout_s = 5,
    .labels = no_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = mount_targets,
    .open = mount_open,
    .collect = mount_collect,
    .close = mount_close,
};
