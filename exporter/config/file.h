/*
 * file - reads a local configuration file whole, within a limit.
 */
#ifndef EXPORTER_CONFIG_FILE_H
#define EXPORTER_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* Largest configuration file taken. */
#define CONFIG_FILE_MAX ((size_t)1024 * 1024)

/*
 * Read a regular file into *ret, which must be empty. With `missing` given, a file that is not
 * there is no error: *missing becomes true and *ret stays empty. ERR_CONFIG (missing, no regular
 * file, larger than CONFIG_FILE_MAX), ERR_PERMISSION, ERR_SYSTEM, ERR_MEMORY. Local files only: it
 * blocks for as long as the file system does.
 */
bool config_file_read(const char *path, struct strbuf *ret, bool *missing,
                      struct err *err) MUST_USE;

#endif
