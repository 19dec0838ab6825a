#include "exporter/commands/locks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A number and the sign behind it; false when there is no such thing. */
static bool take_number(const char **text, int base, char sign, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(*text, &end, base);
    bool taken = end != *text && *end == sign;
    *text = taken ? end + 1 : *text;
    return taken;
}

/* Where the word with the numbers of device and inode begins. */
static const char *find_pair(const char *line)
{
    const char *place = strchr(line, ':');
    place = place ? strchr(place + 1, ':') : NULL; /* the first one ends the lock's own number */
    while (place && place > line && place[-1] != ' ')
        place--;
    return place;
}

/* The number in the word before; 0 for another container's process, -1 for a lock of none. */
static pid_t pid_before(const char *line, const char *place)
{
    place--;
    while (place > line && place[-1] != ' ')
        place--;
    long pid = place > line ? strtol(place, NULL, 10) : 0;
    return pid > 0 ? (pid_t)pid : 0;
}

/* "12: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; a waiter has "->" before its type. */
bool locks_is_held(const char *line, uint64_t device, uint64_t inode, pid_t *ret_pid)
{
    uint64_t major_number = 0, minor_number = 0, locked = 0;
    const char *pair = find_pair(line);
    const char *place = pair;
    if (!place || !take_number(&place, 16, ':', &major_number) ||
        !take_number(&place, 16, ':', &minor_number) || !take_number(&place, 10, ' ', &locked) ||
        locked != inode || major_number != major(device) || minor_number != minor(device))
        return false;
    *ret_pid = pid_before(line, pair);
    return true;
}

bool locks_find(const char *path, pid_t *ret_pid)
{
    struct stat status;
    char line[256];
    bool held = false;
    if (stat(path, &status) != 0)
        return false;
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && !held && fgets(line, sizeof line, locks))
        held = locks_is_held(line, status.st_dev, status.st_ino, ret_pid);
    if (locks)
        fclose(locks);
    return held;
}
