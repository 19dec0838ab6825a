#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/commands/drill_scratch.h"

static char base[] = "/tmp/test_scratch_XXXXXX";
static char outside[sizeof base + 20];

static void make_base(void)
{
    cr_assert(mkdtemp(base));
    snprintf(outside, sizeof outside, "%s/precious", base);
    cr_assert(mkdir(outside, 0700) == 0);
}

static void remove_base(void)
{
    cr_expect_eq(rmdir(outside), 0, "what is outside was touched");
    cr_expect_eq(rmdir(base), 0, "something is left");
}

TestSuite(drill_scratch, .init = make_base, .fini = remove_base, .timeout = 60);

static struct drill_scratch make(void)
{
    struct drill_scratch scratch = {0};
    struct err err = {0};
    cr_assert(drill_scratch_make(base, "drill-main.repo2-", &scratch, &err), "%s", err.text);
    return scratch;
}

/* That of a drill that was killed. */
static struct drill_scratch make_left(void)
{
    struct drill_scratch left = make();
    close(left.held);
    left.held = -1;
    return left;
}

static void touch(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

Test(drill_scratch, its_prefix_names_stanza_and_repository)
{
    char *prefix = drill_scratch_prefix("main", 2);
    cr_expect_str_eq(prefix, "drill-main.repo2-");
    free(prefix);
}

Test(drill_scratch, is_new_each_time_and_closed_to_others)
{
    struct stat status;
    struct drill_scratch one = make(), other = make();
    cr_expect_str_neq(one.path, other.path);
    cr_assert(stat(one.path, &status) == 0);
    cr_expect_eq(status.st_mode & 0777, 0700U);
    drill_scratch_remove(&one);
    drill_scratch_remove(&other);
}

Test(drill_scratch, a_link_in_it_is_deleted_and_not_followed)
{
    struct drill_scratch scratch = make();
    char link[512], precious[512];
    touch(outside, "file");
    touch(scratch.data, "file");
    snprintf(link, sizeof link, "%s/to_outside", scratch.data);
    cr_assert(symlink(outside, link) == 0);
    drill_scratch_remove(&scratch);
    snprintf(precious, sizeof precious, "%s/file", outside);
    cr_expect(is_there(precious));
    unlink(precious);
}

Test(drill_scratch, what_an_earlier_drill_left_is_cleared_and_nothing_else)
{
    struct err err = {0};
    char other[512];
    struct drill_scratch left = make_left();
    touch(left.data, "file");
    snprintf(other, sizeof other, "%s/drill-main.repo1-abcdef", base);
    cr_assert(mkdir(other, 0700) == 0);
    cr_assert(drill_scratch_clear(base, "drill-main.repo2-", &err), "%s", err.text);
    cr_expect_not(is_there(left.path));
    cr_expect(is_there(other));
    rmdir(other);
    drill_scratch_remove(&left);
}

Test(drill_scratch, what_another_drill_uses_is_left_alone)
{
    struct err err = {0};
    struct drill_scratch used = make();
    cr_assert(drill_scratch_clear(base, "drill-main.repo2-", &err), "%s", err.text);
    cr_expect(is_there(used.data));
    drill_scratch_remove(&used);
}

Test(drill_scratch, a_link_of_that_name_is_left_alone)
{
    struct err err = {0};
    char link[512], precious[512];
    touch(outside, "file");
    snprintf(link, sizeof link, "%s/drill-main.repo2-abcdef", base);
    cr_assert(symlink(outside, link) == 0);
    cr_assert(drill_scratch_clear(base, "drill-main.repo2-", &err));
    snprintf(precious, sizeof precious, "%s/file", outside);
    cr_expect(is_there(precious));
    unlink(precious);
    unlink(link);
}

/* A process that works in that folder and says so as a server does. */
static pid_t serve_in(const char *data)
{
    char path[512];
    int ends[2];
    char ready;
    cr_assert(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(data) != 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    cr_assert_eq(read(ends[0], &ready, 1), 1);
    snprintf(path, sizeof path, "%s/postmaster.pid", data);
    FILE *file = fopen(path, "w");
    fprintf(file, "%d\n%s\n", (int)pid, data);
    fclose(file);
    return pid;
}

Test(drill_scratch, a_server_that_still_runs_in_a_leftover_is_ended)
{
    struct err err = {0};
    struct drill_scratch left = make_left();
    signal(SIGCHLD, SIG_IGN); /* reaped at once: as a stranger's child would be */
    pid_t pid = serve_in(left.data);
    cr_assert(drill_scratch_clear(base, "drill-main.repo2-", &err), "%s", err.text);
    cr_expect_neq(kill(pid, 0), 0);
    cr_expect_not(is_there(left.path));
    drill_scratch_remove(&left);
}

Test(drill_scratch, a_process_that_works_elsewhere_is_not_ended)
{
    struct err err = {0};
    char from[512], to[512];
    struct drill_scratch left = make_left();
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = serve_in(outside);
    snprintf(from, sizeof from, "%s/postmaster.pid", outside);
    snprintf(to, sizeof to, "%s/postmaster.pid", left.data);
    cr_assert(rename(from, to) == 0);
    cr_assert(drill_scratch_clear(base, "drill-main.repo2-", &err), "%s", err.text);
    cr_expect_eq(kill(pid, 0), 0);
    kill(pid, SIGKILL);
    drill_scratch_remove(&left);
}

Test(drill_scratch, a_path_too_long_for_a_socket_is_refused_and_nothing_is_left)
{
    struct err err = {0};
    struct drill_scratch scratch = {0};
    char prefix[90];
    memset(prefix, 'x', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    cr_expect_not(drill_scratch_make(base, prefix, &scratch, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, "--scratch"), "%s", err.text);
}

Test(drill_scratch, is_not_made_or_cleared_where_anybody_could_put_another_folder_in_its_place)
{
    struct drill_scratch scratch = {0};
    struct err err = {0};
    cr_assert_eq(chmod(base, 0777), 0);
    cr_expect_not(drill_scratch_make(base, "drill-main.repo2-", &scratch, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, base) == err.text, "%s", err.text);
    cr_expect_not(drill_scratch_clear(base, "drill-main.repo2-", &err));
}

Test(drill_scratch, may_be_made_where_everybody_owns_what_he_made)
{
    cr_assert_eq(chmod(base, 01777), 0);
    struct drill_scratch scratch = make();
    drill_scratch_remove(&scratch);
}

Test(drill_scratch, is_not_made_in_a_folder_of_another_account)
{
    struct drill_scratch scratch = {0};
    struct err err = {0};
    if (geteuid() != 0 || chown(base, 65534, (gid_t)-1) != 0)
        return; /* only root can give a folder away */
    cr_expect_not(drill_scratch_make(base, "drill-main.repo2-", &scratch, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
}

Test(drill_scratch, its_room_is_that_of_the_file_system)
{
    struct err err = {0};
    uint64_t free_bytes = 0, size = 0;
    struct drill_scratch scratch = make();
    cr_assert(drill_scratch_room(&scratch, &free_bytes, &size, &err));
    cr_expect_gt(size, 0);
    cr_expect_leq(free_bytes, size);
    drill_scratch_remove(&scratch);
}
