/*
 * probe_folder - reads the small files of a folder, and the end of a file, in a child: see probe.h.
 */
#ifndef EXPORTER_SOURCES_PROBE_FOLDER_H
#define EXPORTER_SOURCES_PROBE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/sources/probe.h"

#define PROBE_FOLDER_NAMES 512 /* most names that are told */
#define PROBE_NAME_SIZE    64  /* a longer name is passed over */
#define PROBE_FOLDER_TEXTS 32  /* most files that are read */
#define PROBE_TEXT_SIZE    768 /* the begin of each, with a NUL behind it */
#define PROBE_TAIL_SIZE    65536

/* A file with something in it. */
struct probe_text {
    uint32_t name; /* its index in names */
    char text[PROBE_TEXT_SIZE];
};

struct probe_folder {
    int32_t error;  /* an errno value; ENOENT: there is no such folder */
    uint32_t count; /* entries in all, "." and ".." not counted */
    uint32_t name_count, text_count;
    char names[PROBE_FOLDER_NAMES][PROBE_NAME_SIZE];
    struct probe_text texts[PROBE_FOLDER_TEXTS];
};

struct probe_tail {
    int32_t error;
    uint32_t length;
    char text[PROBE_TAIL_SIZE];
};

/*
 * The names in a folder, and how its files begin. Files that come and go meanwhile may be missing.
 * True when the child answered, also with an error in *ret. Key, errors and blocking as for
 * probe_filesystem(). *ret is large: not for the stack.
 */
bool probe_folder(struct proc_pool *pool, const char *path, const char *key,
                  const struct bound *bound, struct probe_folder *ret, struct err *err) MUST_USE;

/* The last bytes of a regular file, in the same way. */
bool probe_tail(struct proc_pool *pool, const char *path, const char *key,
                const struct bound *bound, struct probe_tail *ret, struct err *err) MUST_USE;

/* The child's side. */
void probe_folder_run(const char *path, void *answer);
void probe_tail_run(const char *path, void *answer);

#endif
