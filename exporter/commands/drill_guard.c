#include "exporter/commands/drill_guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exporter/base/strbuf.h"

#define LOOK_EVERY_MS 500

/* A number and the sign behind it; false when there is no such thing. */
static bool take_number(const char **text, int base, char sign, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(*text, &end, base);
    bool taken = end != *text && *end == sign;
    *text = taken ? end + 1 : *text;
    return taken;
}

/* "12: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; a waiter has "->" before its type. */
bool drill_guard_is_lock(const char *line, uint64_t device, uint64_t inode)
{
    uint64_t major_number = 0, minor_number = 0, locked = 0;
    const char *place = strchr(line, ':');
    place = place ? strchr(place + 1, ':') : NULL; /* the first one ends the lock's own number */
    while (place && place > line && place[-1] != ' ')
        place--;
    return place && take_number(&place, 16, ':', &major_number) &&
           take_number(&place, 16, ':', &minor_number) && take_number(&place, 10, ' ', &locked) &&
           locked == inode && major_number == major(device) && minor_number == minor(device);
}

/* /proc/locks tells without a lock of ours, which could be in a real restore's way. */
static bool is_locked(const char *path)
{
    struct stat status;
    char line[256];
    bool locked = false;
    if (stat(path, &status) != 0)
        return false;
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && !locked && fgets(line, sizeof line, locks))
        locked = drill_guard_is_lock(line, status.st_dev, status.st_ino);
    if (locks)
        fclose(locks);
    return locked;
}

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
    if (bound_stopped(&guard->bound))
        return err_set(err, ERR_STOPPED, "told to stop");
    if (bound_remaining_ms(&guard->bound) == 0)
        return err_set(err, ERR_TIMEOUT, "not done in time (--timeout)");
    if (guard->restore_lock && is_locked(guard->restore_lock))
        return err_set(err, ERR_STUCK, "a real restore of this stanza is running: %s is locked",
                       guard->restore_lock);
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
