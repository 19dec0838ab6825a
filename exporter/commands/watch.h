/*
 * watch - tells whether one of a list of local configuration files has changed.
 *
 * It compares times and sizes when asked; it is meant for files on local disks only, never for
 * anything below a monitored path.
 */
#ifndef EXPORTER_COMMANDS_WATCH_H
#define EXPORTER_COMMANDS_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"

struct watch; /* used by one thread */

/* Watch these paths (files or directories, there or not yet) from their present state on. */
struct watch *watch_new(const char *const *paths, size_t count) MUST_USE;
void watch_free(struct watch *watch); /* takes NULL */

/*
 * A watch of these paths in place of `before` (may be NULL), which it takes over. When they are the
 * same ones, that one goes on: what changed while the files were read again does not escape it.
 */
struct watch *watch_again(struct watch *before, const char *const *paths, size_t count) MUST_USE;

/* Whether anything changed since the last call or since watch_new(). */
bool watch_changed(struct watch *watch);

#endif
