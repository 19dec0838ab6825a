/*
 * replace - puts a whole file in the place of another at once, so that no reader sees half of one.
 */
#ifndef EXPORTER_BASE_REPLACE_H
#define EXPORTER_BASE_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/*
 * Write the text to a new file beside `path`, with that mode, whatever the umask is, bring it to
 * the disk and rename it. On failure the file that was there is untouched and nothing is left
 * beside it (but by a SIGKILL: path.XXXXXX). ERR_PERMISSION, ERR_SYSTEM name the file, ERR_MEMORY.
 * Local files only: it blocks for as long as the file system does.
 */
bool replace_file(const char *path, const char *text, size_t length, mode_t mode,
                  struct err *err) MUST_USE;

#endif
