/*
 * probe_file - looks at a file system that may not answer, in a child: see probe.h.
 *
 * Reads only. A process that has written to a dead NFS mount cannot even be killed.
 */
#ifndef EXPORTER_SOURCES_PROBE_FILE_H
#define EXPORTER_SOURCES_PROBE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "exporter/sources/probe.h"

/* What one look found. Errors are errno values, 0 for none; times are s. */
struct probe_filesystem {
    int statfs_error;
    int list_error; /* of open(), or of reading one entry; only when statfs went well */
    double statfs_seconds;
    double list_seconds;                          /* of both */
    uint64_t size_bytes, free_bytes, avail_bytes; /* avail: to users other than root */
    uint64_t files, files_free;                   /* 0: the file system does not count them */
    bool read_only;
};

/*
 * Ask for the size of the file system at a folder and list one entry of it. The child is known in
 * the pool as `key`. True when it answered, also with errors: they are in *ret then. Else the
 * errors of proc_run(): ERR_TIMEOUT and ERR_STUCK mean that the file system hangs. Blocks for at
 * most the bound's rest + 1 s.
 */
bool probe_filesystem(struct proc_pool *pool, const char *path, const char *key,
                      const struct bound *bound, struct probe_filesystem *ret,
                      struct err *err) MUST_USE;

/*
 * Where an absolute path really is, symbolic links followed. What is not there, and a path that
 * must not be followed, stays as it is written. The caller frees *ret. Leads the path through a
 * place that is mounted on access, it is mounted. Key, errors and blocking as above; ERR_SYSTEM
 * also when the path is too long for the system.
 */
bool probe_real_path(struct proc_pool *pool, const char *path, const char *key,
                     const struct bound *bound, char **ret, struct err *err) MUST_USE;

/* The child's side: they fill a struct probe_filesystem and a struct probe_path. */
struct probe_path {
    int error;
    char text[PATH_MAX];
};
void probe_filesystem_run(const char *path, void *answer);
void probe_real_path_run(const char *path, void *answer);

#endif
