/*
 * backup_info - what a repository's own backup.info says of its backups and `pgbackrest info` does
 * not: whether a backup carries the WAL that it needs.
 *
 * Pure.
 */
#ifndef COLLECTORS_PARSE_BACKUP_INFO_H
#define COLLECTORS_PARSE_BACKUP_INFO_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

/*
 * Add to *ret the labels of the backups that were made with archive-copy, from the section
 * [backup:current] of the text. ERR_PROTOCOL names the line; ERR_MEMORY. On false *ret holds what
 * came before the error.
 */
bool backup_info_archive_copies(const char *text, size_t length, struct text_list *ret,
                                struct err *err) MUST_USE;

#endif
