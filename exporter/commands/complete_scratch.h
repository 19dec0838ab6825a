/*
 * complete_scratch - a private folder for files on their way, which leaves nothing behind.
 *
 * It is held by a lock that the kernel gives back when its owner ends, however it ends: what a
 * killed one has left is told from one in use by that, and removed by the next.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_SCRATCH_H
#define EXPORTER_COMMANDS_COMPLETE_SCRATCH_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* An all-zero struct is none. */
struct scratch {
    char *path;
    int lock; /* valid while path is not NULL */
};

/*
 * Make one in the folder `base`, mode 0700, after removing those of our user there that nobody
 * holds. ERR_SYSTEM names the folder, ERR_MEMORY. Released by scratch_done(), with all files in it.
 */
bool scratch_make(const char *base, struct scratch *ret, struct err *err) MUST_USE;
void scratch_done(struct scratch *scratch);

/* Append the path of a file in it, and remove what has that name already. */
void scratch_file(const struct scratch *scratch, const char *name, struct strbuf *out);

/* Remove all files in it. */
void scratch_clear(const struct scratch *scratch);

#endif
