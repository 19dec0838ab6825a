#include "exporter/commands/run_wait.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

static char folder[] = "/tmp/test_run_wait_XXXXXX";
static struct strbuf lock_file;
static int lock = -1;

static struct run_wait wait_for(const char *command, int64_t repo_key)
{
    return (struct run_wait){.lock_path = folder,
                             .command = command,
                             .stanza = "main",
                             .repo_key = repo_key,
                             .bound = bound_after(60000, -1)};
}

static bool is_in_the_way(const char *command, int64_t repo_key, const char *file)
{
    struct run_wait wait = wait_for(command, repo_key);
    return run_wait_is_in_the_way(&wait, file);
}

Test(run_wait, each_command_waits_for_its_own_kind_of_lock)
{
    static const struct {
        const char *command, *file;
        bool expected;
    } cases[] = {
        {"backup", "main-backup.lock", true},
        {"expire", "main-backup.lock", true},
        {"backup", "main-archive.lock", false},
        {"backup", "main-restore.lock", false},
        {"restore", "main-restore.lock", true},
        {"restore", "main-backup.lock", false},
        {"stanza-upgrade", "main-archive.lock", true},
        {"stanza-create", "main-backup.lock", true},
        {"backup", "main2-backup.lock", false},
        {"backup", "main-2-backup.lock", false},
        {"backup", "other-backup.lock", false},
        {"backup", "main-backup.lock.old", false},
        {"backup", "main-backup", false},
        {"backup", "main", false},
        {"backup", ".", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cr_expect_eq(is_in_the_way(cases[i].command, 0, cases[i].file), cases[i].expected, "%s %s",
                     cases[i].command, cases[i].file);
}

Test(run_wait, a_lock_of_another_repository_is_not_in_the_way)
{
    cr_expect(is_in_the_way("backup", 1, "main-backup-1.lock"));
    cr_expect_not(is_in_the_way("backup", 1, "main-backup-2.lock"));
    cr_expect(is_in_the_way("backup", 0, "main-backup-2.lock"));
    cr_expect_not(is_in_the_way("backup", 1, "main-backup-1x.lock"));
    cr_expect_not(is_in_the_way("backup", 0, "main-backup-x.lock"));
}

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    strbuf_printf(&lock_file, "%s/main-backup.lock", folder);
    lock = open(strbuf_text(&lock_file), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(lock >= 0);
    cr_redirect_stderr();
}

static void remove_folder(void)
{
    close(lock);
    unlink(strbuf_text(&lock_file));
    strbuf_done(&lock_file);
    rmdir(folder);
}

TestSuite(run_wait_turn, .init = make_folder, .fini = remove_folder, .timeout = 60);

Test(run_wait_turn, comes_at_once_when_nobody_holds_the_lock)
{
    struct run_wait wait = wait_for("backup", 1);
    cr_expect_eq(run_wait_turn(&wait, false), RUN_WAIT_GO);
    cr_expect_not(wait.has_told);
}

Test(run_wait_turn, comes_without_a_lock_folder)
{
    struct run_wait wait = wait_for("backup", 1);
    wait.lock_path = "/nowhere";
    cr_expect_eq(run_wait_turn(&wait, false), RUN_WAIT_GO);
}

Test(run_wait_turn, comes_when_the_time_is_over_and_the_holder_was_told)
{
    struct run_wait wait = wait_for("backup", 1);
    cr_assert(flock(lock, LOCK_EX) == 0);
    wait.bound = bound_after(300, -1);
    cr_expect_eq(run_wait_turn(&wait, false), RUN_WAIT_GO);
    cr_expect(wait.has_told);
    cr_expect_eq(wait.told, getpid());
    cr_expect_eq(bound_remaining_ms(&wait.bound), 0);
}

Test(run_wait_turn, without_a_wait_a_held_lock_is_not_even_looked_at)
{
    struct run_wait wait = wait_for("backup", 1);
    cr_assert(flock(lock, LOCK_EX) == 0);
    wait.bound = bound_after(0, -1);
    cr_expect_eq(run_wait_turn(&wait, false), RUN_WAIT_GO);
    cr_expect_not(wait.has_told);
}

Test(run_wait_turn, is_over_when_there_is_no_time_for_another_try)
{
    struct run_wait wait = wait_for("backup", 1);
    wait.bound = bound_after(0, -1);
    cr_expect_eq(run_wait_turn(&wait, true), RUN_WAIT_OVER);
}

Test(run_wait_turn, a_holder_that_is_not_seen_is_asked_for_ever_more_rarely)
{
    struct run_wait wait = wait_for("backup", 1);
    wait.bound = bound_after(60, -1); /* cuts each pause short */
    cr_expect_eq(run_wait_turn(&wait, true), RUN_WAIT_GO);
    int64_t first_ms = wait.pause_ms;
    for (int i = 0; i < 10; i++) {
        wait.bound = bound_after(20, -1);
        cr_expect_eq(run_wait_turn(&wait, true), RUN_WAIT_GO);
    }
    cr_expect_eq(first_ms, 1000);
    cr_expect_eq(wait.pause_ms, 60000);
}

Test(run_wait_turn, a_stop_ends_both_kinds_of_pause)
{
    struct run_wait wait = wait_for("backup", 1);
    wait.bound.stop_fd = eventfd(1, EFD_CLOEXEC);
    cr_expect_eq(run_wait_turn(&wait, true), RUN_WAIT_STOPPED);
    cr_assert(flock(lock, LOCK_EX) == 0);
    cr_expect_eq(run_wait_turn(&wait, false), RUN_WAIT_STOPPED);
    close(wait.bound.stop_fd);
}
