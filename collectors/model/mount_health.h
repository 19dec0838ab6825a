/*
 * mount_health - what a look at a mounted file system says about its health.
 *
 * Pure. What NFS answers in an outage depends on how it is mounted: a hard mount does not answer
 * at all, a soft one gives up with an I/O error, one with softerr may answer with garbage.
 */
#ifndef COLLECTORS_MODEL_MOUNT_HEALTH_H
#define COLLECTORS_MODEL_MOUNT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/err.h"

/* What statfs() and listing said: errno values, 0 for none. */
struct mount_answer {
    int statfs_error;
    int list_error; /* only when statfs_error is 0 */
    uint64_t size_bytes, free_bytes, avail_bytes;
    uint64_t files, files_free;
};

struct mount_health {
    bool responding;      /* it answered, and with what a file system can say */
    bool sizes_known;     /* the numbers of bytes are measurements */
    bool files_known;     /* the numbers of files are */
    enum err_code reason; /* ERR_NONE, or what is wrong even if it responds */
};

/*
 * Judge an answer. A folder that may not be listed responds all the same: reason ERR_PERMISSION.
 * Numbers that cannot be (free space beyond the size) are never known; on NFS they, and a size of
 * 0, are no answer at all: ERR_PROTOCOL.
 */
struct mount_health mount_health_of(const struct mount_answer *answer, const char *filesystem);

/* Whether the type is one of NFS's: "nfs", "nfs4". */
bool mount_is_nfs(const char *filesystem);

/* Whether a mounted type is the configured one; "nfs" stands for nfs4 too, NULL for any type. */
bool mount_type_fits(const char *configured, const char *filesystem);

/* The reason that an errno value of a mount stands for; ERR_NONE for 0. */
enum err_code mount_reason_of_errno(int error_number);

#endif
