/*
 * drill_scratch - the folder in which a restore is tried, and nothing else ever happens.
 *
 * It is new and empty each time and never used again: a folder left by a drill that was killed can
 * lead into a live tablespace. Leftovers are deleted without following a link or entering another
 * file system.
 */
#ifndef EXPORTER_COMMANDS_DRILL_SCRATCH_H
#define EXPORTER_COMMANDS_DRILL_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/* All paths are absolute and owned; all-zero: there is none. */
struct drill_scratch {
    char *path;
    int held;                                         /* keeps other drills from deleting it */
    char *data, *tablespaces, *lock, *spool, *socket; /* folders in it */
    char *log;                                        /* what all children said */
};

/* The name that all scratch folders of a repository begin with: "drill-main.repo2-". */
char *drill_scratch_prefix(const char *stanza, int64_t repo_key) MUST_USE;

/*
 * Delete what earlier drills of that prefix left in `base`, ending a server that still runs there.
 * What a drill still uses stays: one with another state directory, or of a stanza whose name begins
 * alike. ERR_SYSTEM names what cannot be
 * deleted; ERR_CONFIG: another account could rename what is in `base`. Blocks as the local file
 * system does, and up to 10 s for the server.
 */
bool drill_scratch_clear(const char *base, const char *prefix, struct err *err) MUST_USE;

/*
 * Make a new one in `base`, which is made too, closed to other users. ERR_CONFIG: the path is too
 * long for a socket in it, or another account could rename what is in `base`; ERR_PERMISSION,
 * ERR_SYSTEM, ERR_MEMORY. Ended by drill_scratch_remove().
 */
bool drill_scratch_make(const char *base, const char *prefix, struct drill_scratch *ret,
                        struct err *err) MUST_USE;

/* Delete it with all that is in it. Takes an all-zero one. */
void drill_scratch_remove(struct drill_scratch *scratch);

/* Bytes that this user may still write there, and the size of the whole file system. */
bool drill_scratch_room(const struct drill_scratch *scratch, uint64_t *ret_free, uint64_t *ret_size,
                        struct err *err) MUST_USE;

#endif
