/*
 * fstab - reads /etc/fstab for the place that is to hold a path.
 *
 * Pure. The kernel lists what is mounted, this file what ought to be: a file system that is missing
 * when the program starts stands in no other list.
 */
#ifndef COLLECTORS_PARSE_FSTAB_H
#define COLLECTORS_PARSE_FSTAB_H

#include <stddef.h>

#include "exporter/base/strbuf.h"

/*
 * Append the deepest mount point of the file that an absolute path is, or lies below: nothing when
 * there is none but the root. "noauto" makes no difference: whoever mounts it, the path is to be on
 * it. Lines that are no entry are passed over. *ret fails when out of memory.
 */
void fstab_holding(const char *text, size_t length, const char *path, struct strbuf *ret);

#endif
