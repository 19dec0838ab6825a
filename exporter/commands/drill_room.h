/*
 * drill_room - whether a restore fits where it is tried, without being in production's way.
 */
#ifndef EXPORTER_COMMANDS_DRILL_ROOM_H
#define EXPORTER_COMMANDS_DRILL_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/commands/drill_scratch.h"

/*
 * Check that a cluster of size_bytes fits into the scratch folder, and give how many bytes must
 * stay free there all the time. ERR_CONFIG: it is on the file system of PGDATA, of its WAL or of a
 * repository, and that was not allowed; ERR_TOO_BIG: it does not fit. A posix repository is not
 * touched: the mount table tells.
 */
bool drill_room_check(const struct drill_scratch *scratch,
                      const struct stanza_repository *repository, int64_t size_bytes,
                      bool allow_same_filesystem, uint64_t *ret_keep_free,
                      struct err *err) MUST_USE;

#endif
