/*
 * mountinfo - reads /proc/self/mountinfo and tells which mount holds a path.
 *
 * Pure. The kernel file lists every mount that this process can see, each with its parent; a path
 * is followed through that tree, so that a mount which another one hides is not found.
 */
#ifndef COLLECTORS_PARSE_MOUNTINFO_H
#define COLLECTORS_PARSE_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* One mount; proc(5) explains the fields. Texts are unescaped, owned by the table, never NULL. */
struct mount_entry {
    int64_t id;
    int64_t parent;
    char *path;          /* where it is mounted */
    char *options;       /* of this mount: "rw,relatime" */
    char *filesystem;    /* "nfs4", "ext4", "autofs" */
    char *source;        /* "nas:/volume1/pgbackrest" */
    char *super_options; /* of the file system itself: "rw,vers=4.2,hard" */
};

/* An all-zero struct is an empty table. */
struct mountinfo {
    struct mount_entry *items; /* in the order of the file */
    size_t count;
};

/*
 * Parse the whole file. ERR_PROTOCOL names the first line that is no mount; ERR_MEMORY. *ret must
 * be all-zero; it is left so on failure.
 */
bool mountinfo_parse(const char *text, size_t length, struct mountinfo *ret,
                     struct err *err) MUST_USE;
void mountinfo_done(struct mountinfo *table);

/*
 * The mount that holds an absolute path, with every mount that covers another taken into account;
 * the path itself need not exist. Symbolic links and ".." are not followed: that would touch the
 * path. NULL when the table has no root for it. Owned by the table.
 */
const struct mount_entry *mountinfo_holding(const struct mountinfo *table, const char *path);

/* Whether a path is this mount point, whatever slashes it repeats or ends with. */
bool mount_entry_is_at(const struct mount_entry *entry, const char *path);

/* Whether nothing can be written: the mount or its file system is read-only. */
bool mount_entry_is_read_only(const struct mount_entry *entry);

/* Whether "name" or "name=..." is in a list of options separated by commas. */
bool mount_option_is_set(const char *options, const char *name);

/* Append the value of "name=value" in such a list; nothing when it has none. */
void mount_option_value(const char *options, const char *name, struct strbuf *out);

/* Append a name of these kernel files with its escapes ("\040" for a blank) undone. */
void mount_unescape(const char *text, size_t length, struct strbuf *out);

#endif
