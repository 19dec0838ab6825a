/*
 * locks - who holds a lock on a file, without trying to take it: that could be in the holder's way.
 */
#ifndef EXPORTER_COMMANDS_LOCKS_H
#define EXPORTER_COMMANDS_LOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether a line of /proc/locks is a lock that is held on that file. *ret_pid: by whom; 0: not
 * seen from here. */
bool locks_is_held(const char *line, uint64_t device, uint64_t inode, pid_t *ret_pid);

/*
 * Whether some process of this host holds a lock on the file. *ret_pid as above. A local file and
 * /proc/locks are read.
 */
bool locks_find(const char *path, pid_t *ret_pid);

#endif
