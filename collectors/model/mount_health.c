#include "collectors/model/mount_health.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
    int error_number;
    enum err_code reason;
} reasons[] = {
    {0, ERR_NONE},
    {ESTALE, ERR_STALE},
    {EACCES, ERR_PERMISSION},
    {EPERM, ERR_PERMISSION},
    {ENOENT, ERR_NOT_MOUNTED},
    {ENOTDIR, ERR_NOT_MOUNTED},
    {ENOTCONN, ERR_NOT_MOUNTED}, /* a FUSE mount whose daemon has ended */
    {ENODEV, ERR_NOT_MOUNTED},
    {EIO, ERR_TIMEOUT}, /* what a soft NFS mount says when it gives up */
    {ETIMEDOUT, ERR_TIMEOUT},
    {ECONNREFUSED, ERR_CONNECT},
    {ECONNRESET, ERR_CONNECT},
    {ECONNABORTED, ERR_CONNECT}, /* a FUSE connection that was aborted */
    {EHOSTUNREACH, ERR_CONNECT},
    {EHOSTDOWN, ERR_CONNECT},
    {ENETUNREACH, ERR_CONNECT},
    {ELOOP, ERR_CONFIG},
    {EREMOTEIO, ERR_PROTOCOL},
};

enum err_code mount_reason_of_errno(int error_number)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].error_number == error_number)
            return reasons[i].reason;
    }
    return ERR_OTHER;
}

bool mount_is_nfs(const char *filesystem)
{
    return strcmp(filesystem, "nfs") == 0 || strcmp(filesystem, "nfs4") == 0;
}

bool mount_type_fits(const char *configured, const char *filesystem)
{
    if (!configured || strcmp(configured, filesystem) == 0)
        return true;
    return strcmp(configured, "nfs") == 0 && mount_is_nfs(filesystem);
}

static bool sizes_can_be(const struct mount_answer *answer)
{
    return answer->size_bytes > 0 && answer->free_bytes <= answer->size_bytes &&
           answer->avail_bytes <= answer->free_bytes;
}

/* An I/O error of a local disk is no lost server. */
static enum err_code reason_of(int error_number, const char *filesystem)
{
    if (error_number == EIO && !mount_is_nfs(filesystem))
        return ERR_OTHER;
    return mount_reason_of_errno(error_number);
}

static bool is_denied(int error_number)
{
    return error_number == EACCES || error_number == EPERM;
}

struct mount_health mount_health_of(const struct mount_answer *answer, const char *filesystem)
{
    int error_number = answer->statfs_error ? answer->statfs_error : answer->list_error;
    bool files_can_be = answer->files_free <= answer->files;
    struct mount_health health = {.reason = reason_of(error_number, filesystem)};
    if (answer->statfs_error || (answer->list_error && !is_denied(answer->list_error)))
        return health;
    if (mount_is_nfs(filesystem) && (!sizes_can_be(answer) || !files_can_be)) {
        health.reason = ERR_PROTOCOL;
        return health;
    }
    health.responding = true;
    health.sizes_known = sizes_can_be(answer);
    health.files_known = health.sizes_known && files_can_be && answer->files > 0;
    return health;
}
