/*
 * run_wait - waits for the lock of a stanza, which pgBackRest itself never does: it fails with
 * status 50.
 */
#ifndef EXPORTER_COMMANDS_RUN_WAIT_H
#define EXPORTER_COMMANDS_RUN_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"

/* pgBackRest's exit status when another command holds the lock. */
#define RUN_WAIT_LOCKED 50

/* Where pgBackRest keeps its locks unless lock-path says otherwise. */
#define RUN_WAIT_LOCK_PATH "/tmp/pgbackrest"

/* One command that waits. Nothing is owned. */
struct run_wait {
    const char *lock_path;
    const char *command;
    const char *stanza;
    int64_t repo_key;   /* 0: all */
    struct bound bound; /* for how long at most */
    bool has_told;      /* on stderr, of the holder `told` */
    pid_t told;
    int64_t pause_ms; /* before the next try when no holder is seen; 0 in the beginning */
};

enum run_wait_turn { RUN_WAIT_GO, RUN_WAIT_OVER, RUN_WAIT_STOPPED };

/*
 * Wait until no lock is seen that would be in the way, telling on stderr who holds it: then, and
 * when the time is over, it is the command's turn. refused: it has just found the lock held; then
 * RUN_WAIT_OVER says that there is no time for another try, and the holder, who may not be seen
 * from here (another host, a container), is left a pause that grows from a second to a minute.
 * RUN_WAIT_STOPPED: the bound's stop descriptor is readable. Blocks inside the bound; reads local
 * files.
 */
enum run_wait_turn run_wait_turn(struct run_wait *wait, bool refused);

/*
 * Whether a file of that name in lock_path keeps the command from running: STANZA-backup.lock, or
 * STANZA-backup-KEY.lock where each repository has its own.
 */
bool run_wait_is_in_the_way(const struct run_wait *wait, const char *file);

/*
 * Whether a lock that keeps the command from running is held: its path, appended, and the process
 * that holds it, 0 if it cannot be seen from here. Reads local files; takes no lock.
 */
bool run_wait_find_lock(const struct run_wait *wait, struct strbuf *ret_path, pid_t *ret_pid);

#endif
