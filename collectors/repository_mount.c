#include "collectors/repository_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/discover.h"
#include "collectors/model/mount_health.h"
#include "collectors/parse/fstab.h"
#include "exporter/sources/probe_file.h"

#define LIST_LIMIT ((size_t)32 << 20)
#define CHUNK_SIZE ((size_t)64 << 10)

/* What a child cannot answer in its time is killed in this much more (see proc_run). */
#define KILL_MS 1000

/* Most of a command's time that finding its mount may take. */
#define GLANCE_MS 2000

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

bool mount_list_read(const char *file, struct strbuf *ret, struct err *err)
{
    int fd CLEANUP(close_fd) = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, errno, "cannot open %s", file);
    for (;;) {
        if (!strbuf_reserve(ret, CHUNK_SIZE))
            return err_memory(err);
        ssize_t count = read(fd, ret->data + ret->length, CHUNK_SIZE);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_system(err, errno, "cannot read %s", file);
        ret->length += (size_t)count;
        ret->data[ret->length] = '\0';
        if (count == 0)
            return true;
        if (ret->length > LIST_LIMIT)
            return err_set(err, ERR_SYSTEM, "%s is larger than %zu bytes", file, LIST_LIMIT);
    }
}

/* pgBackRest reads and writes both kinds as files; CIFS differs in what it syncs. */
static bool is_file_storage(const char *storage)
{
    return strcmp(storage, "posix") == 0 || strcmp(storage, "cifs") == 0;
}

static bool is_here(const struct stanza_repository *repository)
{
    return is_file_storage(repository->storage) && !pair_list_get(&repository->options, "host");
}

bool repository_mount_is_configured(const struct stanza_repository *repository)
{
    return repository->settings && repository->settings->mount_path;
}

const char *repository_mount_path(const struct stanza_repository *repository)
{
    if (repository_mount_is_configured(repository))
        return repository->settings->mount_path;
    if (!is_here(repository))
        return NULL;
    const char *path = pair_list_get(&repository->options, "path");
    return path ? path : DISCOVER_REPOSITORY_PATH;
}

char *repository_mount_name(const struct stanza_repository *repository,
                            const struct mountinfo *table, const struct strbuf *expected)
{
    struct strbuf place CLEANUP(strbuf_done) = {0};
    const char *path = repository_mount_path(repository);
    if (!path || repository_mount_is_configured(repository))
        return path ? strdup(path) : NULL;
    const struct mount_entry *entry = mountinfo_holding(table, path);
    const char *mounted = entry ? entry->path : "/";
    fstab_holding(expected->data, expected->length, path, &place);
    return place.length > strlen(mounted) ? strbuf_steal(&place) : strdup(mounted);
}

void mount_expected_read(struct strbuf *ret)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (!mount_list_read(MOUNT_EXPECTED, &text, NULL))
        return;
    *ret = text;
    text = (struct strbuf){0};
}

const char *mount_finder_name(const struct mount_finder *finder)
{
    if (finder->configured)
        return finder->path;
    return finder->known ? finder->known : "";
}

/* Whether the list is another one than at the last look; finder->table is of now then. */
static bool refresh(struct mount_finder *finder, bool *ret_changed, struct err *err)
{
    struct strbuf list CLEANUP(strbuf_done) = {0};
    struct mountinfo table = {0};
    if (!mount_list_read(MOUNT_LIST, &list, err))
        return false;
    *ret_changed = strcmp(strbuf_text(&list), strbuf_text(&finder->list)) != 0;
    if (!*ret_changed)
        return true;
    if (!mountinfo_parse(list.data, list.length, &table, err))
        return false;
    mountinfo_done(&finder->table);
    strbuf_done(&finder->list);
    finder->table = table;
    finder->list = list;
    list = (struct strbuf){0};
    return true;
}

/* What a child gets of our time, so that it can still be killed within it. */
static struct bound child_bound(const struct bound *bound)
{
    struct bound child = *bound;
    int quarter = bound_remaining_ms(bound) / 4;
    child.deadline_ms -= quarter < KILL_MS ? quarter : KILL_MS;
    return child;
}

/* A file system that is mounted on access is not touched. */
static bool is_trigger(const struct mount_entry *entry)
{
    return entry && strcmp(entry->filesystem, "autofs") == 0;
}

static void set_real(struct mount_finder *finder, char *real)
{
    free(finder->real);
    finder->real = real;
    finder->resolved = true;
}

static bool resolve(struct mount_finder *finder, struct proc_pool *pool, const struct bound *bound,
                    bool *ret_hangs, struct err *err)
{
    const struct mount_entry *written = mountinfo_holding(&finder->table, finder->path);
    struct bound child = child_bound(bound);
    char *real = NULL;
    if (is_trigger(written)) {
        set_real(finder, NULL);
        return true;
    }
    const char *key = written ? written->path : finder->path;
    if (probe_real_path(pool, finder->path, key, &child, &real, err)) {
        set_real(finder, real);
        return true;
    }
    *ret_hangs = err->code == ERR_TIMEOUT || err->code == ERR_STUCK;
    return false;
}

/* Whether a mount point is the other path or lies above it. */
static bool is_above(const char *mount, const char *path)
{
    size_t length = strlen(mount);
    if (length == 1)
        return true;
    return strncmp(mount, path, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/*
 * A mount that was never seen is known by its line in fstab: else its repository would seem to lie
 * on the one above. Only once, and only for the path as it really is: the kernel's list, where it
 * is looked for, has no symbolic links.
 */
static bool expect_mount(struct mount_finder *finder)
{
    struct strbuf list CLEANUP(strbuf_done) = {0};
    struct strbuf place CLEANUP(strbuf_done) = {0};
    if (finder->configured || finder->expected || !finder->real)
        return true;
    mount_expected_read(&list);
    fstab_holding(list.data, list.length, finder->real, &place);
    finder->expected = !place.failed;
    if (place.length == 0)
        return !place.failed;
    free(finder->known);
    finder->known = strbuf_steal(&place);
    return finder->known;
}

/* What the list says of the path, as far as it is resolved. */
static bool note_mount(struct mount_finder *finder, struct err *err)
{
    if (!expect_mount(finder))
        return err_memory(err);
    const char *path = finder->real ? finder->real : finder->path;
    const struct mount_entry *entry = mountinfo_holding(&finder->table, path);
    finder->mount = NULL;
    if (!entry || (finder->configured && !mount_entry_is_at(entry, path)))
        return true;
    bool same = finder->known && strcmp(entry->path, finder->known) == 0;
    if (!finder->configured && !same) {
        if (finder->known && is_above(entry->path, finder->known))
            return true;
        char *known = strdup(entry->path);
        if (!known)
            return err_memory(err);
        free(finder->known);
        finder->known = known;
    }
    finder->mount = entry;
    return true;
}

bool mount_finder_look(struct mount_finder *finder, struct proc_pool *pool,
                       const struct bound *bound, bool *ret_hangs, struct err *err)
{
    bool changed = false;
    *ret_hangs = false;
    if (!refresh(finder, &changed, err))
        return false;
    if (changed)
        finder->resolved = false;
    bool found = finder->resolved || resolve(finder, pool, bound, ret_hangs, err);
    if (!found && !*ret_hangs)
        return false;
    if (note_mount(finder, found ? err : NULL))
        return found;
    *ret_hangs = false;
    return false;
}

void mount_finder_init(struct mount_finder *finder, const struct stanza_repository *repository)
{
    *finder = (struct mount_finder){
        .path = repository_mount_path(repository),
        .type = repository->settings ? repository->settings->mount_filesystem : NULL,
        .configured = repository_mount_is_configured(repository),
        .is_here = is_here(repository),
    };
}

static bool is_unmounted(const struct mount_finder *finder)
{
    const struct mount_entry *mount = finder->mount;
    return !mount || !(is_trigger(mount) || mount_type_fits(finder->type, mount->filesystem));
}

void mount_finder_glance(struct mount_finder *finder, struct proc_pool *pool,
                         const struct bound *bound)
{
    struct err ignored; /* the mount collector tells */
    bool hangs;
    struct bound part = *bound;
    struct bound most = bound_after(GLANCE_MS, -1);
    finder->unmounted = false;
    if (!finder->path)
        return;
    if (most.deadline_ms < part.deadline_ms)
        part.deadline_ms = most.deadline_ms;
    bool sure = mount_finder_look(finder, pool, &part, &hangs, &ignored);
    finder->unmounted = sure && finder->is_here && is_unmounted(finder);
}

const char *mount_finder_key(const struct mount_finder *finder, const char *otherwise)
{
    return finder->mount ? finder->mount->path : otherwise;
}

void mount_finder_done(struct mount_finder *finder)
{
    strbuf_done(&finder->list);
    mountinfo_done(&finder->table);
    free(finder->real);
    free(finder->known);
    *finder = (struct mount_finder){
        .path = finder->path,
        .type = finder->type,
        .configured = finder->configured,
        .is_here = finder->is_here,
    };
}
