#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/commands/drill_guard.h"

static char folder[] = "/tmp";
static struct drill_scratch scratch = {.path = folder};
static struct drill_guard guard;

static void set_up(void)
{
    guard = (struct drill_guard){.bound = bound_after(60000, -1), .scratch = &scratch};
}

TestSuite(drill_guard, .init = set_up, .timeout = 60);

static void expect_refusal(enum err_code code, const char *text)
{
    struct err err = {0};
    cr_expect_not(drill_guard_allows(&guard, &err));
    cr_expect_eq(err.code, code, "%s", err.text);
    cr_expect(strstr(err.text, text), "%s", err.text);
}

Test(drill_guard, allows_what_is_in_nobodys_way)
{
    struct err err = {0};
    cr_expect(drill_guard_allows(&guard, &err), "%s", err.text);
}

Test(drill_guard, refuses_when_the_time_is_over)
{
    guard.bound = bound_after(0, -1);
    expect_refusal(ERR_TIMEOUT, "--timeout");
}

Test(drill_guard, refuses_when_told_to_stop)
{
    guard.bound.stop_fd = eventfd(1, EFD_CLOEXEC);
    expect_refusal(ERR_STOPPED, "stop");
}

Test(drill_guard, refuses_when_the_disk_fills)
{
    guard.keep_free = UINT64_MAX;
    expect_refusal(ERR_TOO_BIG, "/tmp is nearly full");
}

Test(drill_guard, refuses_while_a_real_restore_holds_its_lock)
{
    static const char *const names[] = {"main-restore.lock", "main-restore-2.lock"};
    char own[] = "/tmp/test_drill_guard_XXXXXX";
    struct err err = {0};
    cr_assert(mkdtemp(own));
    struct run_wait restore = {.lock_path = own, .command = "restore", .stanza = "main"};
    guard.restore = &restore;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct strbuf file CLEANUP(strbuf_done) = {0};
        strbuf_printf(&file, "%s/%s", own, names[i]);
        int fd = open(strbuf_text(&file), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        cr_expect(drill_guard_allows(&guard, &err), "a file alone is no lock: %s", err.text);
        cr_assert(flock(fd, LOCK_EX) == 0);
        expect_refusal(ERR_STUCK, strbuf_text(&file));
        close(fd);
        cr_expect(drill_guard_allows(&guard, &err), "%s", err.text);
        unlink(strbuf_text(&file));
    }
    rmdir(own);
}

Test(drill_guard, lets_the_lock_of_another_stanza_be)
{
    char own[] = "/tmp/test_drill_guard_XXXXXX";
    struct err err = {0};
    struct strbuf file CLEANUP(strbuf_done) = {0};
    cr_assert(mkdtemp(own));
    strbuf_printf(&file, "%s/main-restore-1.lock", own);
    int fd = open(strbuf_text(&file), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(flock(fd, LOCK_EX) == 0);
    struct run_wait restore = {.lock_path = own, .command = "restore", .stanza = "other"};
    guard.restore = &restore;
    cr_expect(drill_guard_allows(&guard, &err), "%s", err.text);
    close(fd);
    unlink(strbuf_text(&file));
    rmdir(own);
}

static void start(const char *script, struct companion *child)
{
    struct err err = {0};
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const envp[] = {NULL};
    cr_assert(companion_start(
        &(struct companion_spec){.argv = argv, .envp = envp, .log = "/dev/null"}, child, &err));
}

Test(drill_guard, waits_for_a_child)
{
    struct err err = {0};
    struct companion child = {0};
    start("exit 0", &child);
    cr_expect(drill_guard_wait(&guard, &child, &err));
    cr_expect(companion_succeeded(&child));
}

Test(drill_guard, a_wait_ends_when_it_refuses)
{
    struct err err = {0};
    struct companion child = {0};
    guard.bound = bound_after(100, -1);
    start("exec sleep 60", &child);
    cr_expect_not(drill_guard_wait(&guard, &child, &err));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    companion_end(&child, SIGKILL, 0);
}
