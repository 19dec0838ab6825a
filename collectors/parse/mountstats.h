/*
 * mountstats - what the NFS client counts for one mount, from /proc/self/mountstats.
 *
 * Pure. Reading that file never waits for a server, so it tells of an outage while every call on
 * the mount hangs.
 */
#ifndef COLLECTORS_PARSE_MOUNTSTATS_H
#define COLLECTORS_PARSE_MOUNTSTATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mountstats {
    bool has_lease;           /* NFS 4 only */
    uint64_t lease_expired_s; /* how long the lease is over; 0 while it holds */

    bool has_operations;
    uint64_t requests;        /* that have ended, of all operations: one that hangs is not in it */
    uint64_t retransmissions; /* transmissions beyond one for each request */
    uint64_t major_timeouts;  /* after which the client says that the server does not respond */

    bool has_connects; /* TCP and RDMA */
    uint64_t connects; /* of all connections to the server */
};

/*
 * Find the section of the mount at `path` with that file system type; of several the last one,
 * which is on top. False when there is none, or it holds no statistics: *ret is not written.
 */
bool mountstats_find(const char *text, size_t length, const char *path, const char *filesystem,
                     struct mountstats *ret);

#endif
