/*
 * repository_mount - which mount of this host holds a repository.
 *
 * The kernel's list of mounts may be read at any time. Following symbolic links touches the path,
 * which may hang: that is done in a child, and again only after the list has changed.
 */
#ifndef COLLECTORS_REPOSITORY_MOUNT_H
#define COLLECTORS_REPOSITORY_MOUNT_H

#include <stdbool.h>

#include "collectors/parse/mountinfo.h"
#include "collectors/settings.h"
#include "exporter/base/strbuf.h"
#include "exporter/sources/proc.h"

/* The kernel's lists, for mount_list_read(). */
#define MOUNT_LIST       "/proc/self/mountinfo"
#define MOUNT_STATISTICS "/proc/self/mountstats"

/* What is to be mounted, by the administrator's word. */
#define MOUNT_EXPECTED "/etc/fstab"

/* Read one of them, at most 32 MiB; *ret must be empty. ERR_SYSTEM, ERR_MEMORY. Never waits. */
bool mount_list_read(const char *file, struct strbuf *ret, struct err *err) MUST_USE;

/* Read MOUNT_EXPECTED; *ret, which must be empty, stays so when there is none to read. */
void mount_expected_read(struct strbuf *ret);

/*
 * The path to look at: the configured mount.path, else that of a repository on this host; NULL for
 * one elsewhere (an object store, a repository host). Owned by the settings.
 */
const char *repository_mount_path(const struct stanza_repository *repository);

/* Whether mount.path is configured: it is to be a mount point then. */
bool repository_mount_is_configured(const struct stanza_repository *repository);

/*
 * The name of its mount, without touching it: mount.path, else the mount point that holds the
 * path as it is written, or is to hold it by what mount_expected_read() gave. NULL for a repository
 * elsewhere and when out of memory. Freed by the caller.
 */
char *repository_mount_name(const struct stanza_repository *repository,
                            const struct mountinfo *table, const struct strbuf *expected) MUST_USE;

/*
 * Follows the mount of one repository; used by one thread. Begins with mount_finder_init(), or
 * all-zero but for what is the caller's.
 */
struct mount_finder {
    const char *path; /* the caller's, must outlive the finder; NULL for a repository elsewhere */
    const char *type; /* the caller's: mount.filesystem, or NULL */
    bool configured;  /* the caller's: the path is to be a mount point */
    bool is_here;     /* the caller's: pgBackRest on this host reads the repository as files */
    bool unmounted;   /* by mount_finder_glance() */
    struct strbuf list;
    struct mountinfo table;
    bool resolved;
    char *real;    /* NULL until it was resolved: then the path as written is all that is known */
    bool expected; /* fstab was asked, once */
    char *known;   /* unless it is configured: the mount point that was found last */
    const struct mount_entry *mount; /* of table; NULL: missing */
};

/*
 * Read the list again, resolve the path in a child if it has changed, and set finder->mount. False:
 * the list cannot be read, or no child be run (*ret_hangs is false), or the child got no answer
 * (*ret_hangs is true: ERR_TIMEOUT, ERR_STUCK); then finder->mount is what the list alone says, and
 * the next call tries again. Blocks for at most the bound's rest.
 *
 * When the mount that was known has gone, the path lies on the mount above it: then it is missing,
 * for a repository does not move up. The mount point that /etc/fstab has for the path at the first
 * look counts as known.
 */
bool mount_finder_look(struct mount_finder *finder, struct proc_pool *pool,
                       const struct bound *bound, bool *ret_hangs, struct err *err) MUST_USE;

/*
 * The name of the mount as of the last look: the configured path, else the mount point that is
 * known; "" before the first. Owned by the finder.
 */
const char *mount_finder_name(const struct mount_finder *finder);

/* For a repository of the settings, which must outlive the finder. */
void mount_finder_init(struct mount_finder *finder, const struct stanza_repository *repository);

/*
 * Look on behalf of a pgbackrest command that is about to read the repository: for at most 2 s, and
 * without an answer what is known has to do. Sets finder->unmounted: the files that it would read
 * certainly are not there, for nothing is mounted in their place, or something of another type than
 * mount.filesystem (but for what is mounted on access). pgBackRest cannot tell that from an empty
 * repository.
 */
void mount_finder_glance(struct mount_finder *finder, struct proc_pool *pool,
                         const struct bound *bound);

/*
 * What that command may get stuck on, as in struct proc_spec: the mount, so that neither it nor a
 * look at the mount is started while one that cannot be ended is left; `otherwise` without a mount.
 */
const char *mount_finder_key(const struct mount_finder *finder, const char *otherwise);

void mount_finder_done(struct mount_finder *finder);

#endif
