#include "exporter/commands/drill_guard.h"

#include <inttypes.h>

#define LOOK_EVERY_MS 500

static bool has_room(const struct drill_guard *guard, struct err *err)
{
    uint64_t free_bytes = 0, size = 0;
    if (!drill_scratch_room(guard->scratch, &free_bytes, &size, err))
        return false;
    return free_bytes >= guard->keep_free ||
           err_set(err, ERR_TOO_BIG,
                   "the file system of %s is nearly full: %" PRIu64 " MiB are left, and %" PRIu64
                   " MiB must stay free",
                   guard->scratch->path, free_bytes >> 20, guard->keep_free >> 20);
}

bool drill_guard_allows(const struct drill_guard *guard, struct err *err)
{
    struct strbuf lock CLEANUP(strbuf_done) = {0};
    pid_t holder = 0;
    if (bound_stopped(&guard->bound))
        return err_set(err, ERR_STOPPED, "told to stop");
    if (bound_remaining_ms(&guard->bound) == 0)
        return err_set(err, ERR_TIMEOUT, "not done in time (--timeout)");
    if (guard->restore && run_wait_find_lock(guard->restore, &lock, &holder))
        return err_set(err, ERR_STUCK, "a real restore of this stanza is running: %s is locked",
                       strbuf_text(&lock));
    return has_room(guard, err);
}

bool drill_guard_wait(const struct drill_guard *guard, struct companion *child, struct err *err)
{
    struct err late = {0};
    for (;;) {
        struct bound bound = bound_after(LOOK_EVERY_MS, guard->bound.stop_fd);
        if (companion_wait(child, &bound, &late))
            return true;
        if (!drill_guard_allows(guard, err))
            return false;
    }
}
