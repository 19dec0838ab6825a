#include "exporter/commands/drill_room.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collectors/parse/mountinfo.h"
#include "exporter/base/strbuf.h"
#include "exporter/config/file.h"

#define KEEP_SHARED_PERCENT 20 /* where production or a repository needs the room, too */
#define KEEP_OWN_PERCENT    2

static bool is_same(const struct drill_scratch *scratch, const char *path)
{
    struct stat one, other;
    return path && stat(scratch->path, &one) == 0 && stat(path, &other) == 0 &&
           one.st_dev == other.st_dev;
}

/* What of the server lies where the scratch folder does; NULL: nothing. */
static const char *shared_with_server(const struct drill_scratch *scratch,
                                      const struct stanza *stanza)
{
    struct strbuf wal CLEANUP(strbuf_done) = {0};
    const char *data = pair_list_get(&stanza->options, "pg1-path");
    if (!data || pair_list_get(&stanza->options, "pg1-host"))
        return NULL;
    strbuf_printf(&wal, "%s/pg_wal", data);
    if (is_same(scratch, data))
        return "PGDATA";
    return is_same(scratch, strbuf_text(&wal)) ? "PostgreSQL's WAL" : NULL;
}

/* The same mount, or another one of the same block device. */
static bool is_same_mount(const struct mount_entry *one, const struct mount_entry *other)
{
    return one && other &&
           (one == other || (one->source[0] == '/' && strcmp(one->source, other->source) == 0));
}

static bool holds_repository(const struct drill_scratch *scratch, const struct stanza *stanza,
                             const struct mountinfo *mounts)
{
    const struct mount_entry *ours = mountinfo_holding(mounts, scratch->path);
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        const char *path = pair_list_get(&repository->options, "path");
        if (strcmp(repository->storage, "posix") == 0 && path &&
            is_same_mount(ours, mountinfo_holding(mounts, path)))
            return true;
    }
    return false;
}

static bool find_shared(const struct drill_scratch *scratch, const struct stanza *stanza,
                        const char **ret, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct mountinfo mounts CLEANUP(mountinfo_done) = {0};
    *ret = shared_with_server(scratch, stanza);
    if (*ret)
        return true;
    if (!config_file_read("/proc/self/mountinfo", &text, NULL, err) ||
        !mountinfo_parse(strbuf_text(&text), text.length, &mounts, err))
        return false;
    if (holds_repository(scratch, stanza, &mounts))
        *ret = "a repository";
    return true;
}

static bool fits(const struct drill_scratch *scratch, int64_t size_bytes, int percent,
                 uint64_t *ret_keep_free, struct err *err)
{
    uint64_t free_bytes = 0, size = 0;
    if (!drill_scratch_room(scratch, &free_bytes, &size, err))
        return false;
    uint64_t keep = size / 100 * (uint64_t)percent;
    uint64_t wanted = (size_bytes > 0 ? (uint64_t)size_bytes : 0) + keep;
    *ret_keep_free = keep;
    return free_bytes >= wanted ||
           err_set(err, ERR_TOO_BIG,
                   "no room in %s: the cluster takes %" PRId64 " MiB, %" PRIu64
                   " MiB (%d %%) must stay free, and %" PRIu64 " MiB are",
                   scratch->path, size_bytes >> 20, keep >> 20, percent, free_bytes >> 20);
}

bool drill_room_check(const struct drill_scratch *scratch,
                      const struct stanza_repository *repository, int64_t size_bytes,
                      bool allow_same_filesystem, uint64_t *ret_keep_free, struct err *err)
{
    const char *shared = NULL;
    if (!find_shared(scratch, repository->stanza, &shared, err))
        return false;
    if (shared && !allow_same_filesystem)
        return err_set(err, ERR_CONFIG,
                       "%s is on the file system of %s, which a restore could fill: name another "
                       "place by --scratch, or give --allow-same-filesystem",
                       scratch->path, shared);
    return fits(scratch, size_bytes, shared ? KEEP_SHARED_PERCENT : KEEP_OWN_PERCENT, ret_keep_free,
                err);
}
