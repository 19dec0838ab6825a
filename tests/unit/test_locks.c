#include "exporter/commands/locks.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static pid_t pid;

static bool is_held(const char *line)
{
    pid = -1;
    return locks_is_held(line, makedev(8, 0x1f), 99, &pid);
}

Test(locks, a_line_tells_who_holds_the_file)
{
    cr_assert(is_held("12: FLOCK  ADVISORY  WRITE 4711 08:1f:99 0 EOF\n"));
    cr_expect_eq(pid, 4711);
}

Test(locks, a_holder_that_cannot_be_seen_is_none)
{
    cr_assert(is_held("1: OFDLCK ADVISORY  WRITE -1 08:1f:99 0 EOF\n"));
    cr_expect_eq(pid, 0);
    cr_assert(is_held("1: FLOCK  ADVISORY  WRITE 0 08:1f:99 0 EOF\n"));
    cr_expect_eq(pid, 0);
}

Test(locks, another_file_and_what_is_no_line_are_not_held)
{
    static const char *const others[] = {
        "1: FLOCK  ADVISORY  WRITE 11 08:1f:98 0 EOF\n",
        "1: FLOCK  ADVISORY  WRITE 11 09:1f:99 0 EOF\n",
        "1: FLOCK  ADVISORY  WRITE 11 08:1e:99 0 EOF\n",
        "1: FLOCK  ADVISORY  WRITE 11 08:1f:9",
        "1:",
        "1::",
        "::::",
        "nonsense",
        "",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_not(is_held(others[i]), "%s", others[i]);
    cr_expect_eq(pid, -1);
}

Test(locks, a_real_lock_is_found_and_its_end_too)
{
    char file[] = "/tmp/test_locks_XXXXXX";
    int fd = mkstemp(file);
    cr_assert(fd >= 0);
    cr_expect_not(locks_find(file, &pid));
    cr_assert(flock(fd, LOCK_EX) == 0);
    cr_expect(locks_find(file, &pid));
    cr_expect_eq(pid, getpid());
    cr_assert(flock(fd, LOCK_UN) == 0);
    cr_expect_not(locks_find(file, &pid));
    close(fd);
    unlink(file);
    cr_expect_not(locks_find(file, &pid));
}
