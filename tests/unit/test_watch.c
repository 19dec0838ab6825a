#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/commands/watch.h"

static char directory[] = "/tmp/test-watch-XXXXXX";
static char path[sizeof directory + 8];

static void put(const char *text)
{
    FILE *file = fopen(path, "we");
    fputs(text, file);
    fclose(file);
}

static void make_directory(void)
{
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

TestSuite(watch, .init = make_directory, .fini = remove_directory);

static struct watch *watch_it(void)
{
    const char *const paths[] = {path};
    return watch_new(paths, 1);
}

Test(watch, says_nothing_while_nothing_changes)
{
    put("a");
    struct watch *watch = watch_it();
    cr_expect_not(watch_changed(watch));
    cr_expect_not(watch_changed(watch));
    watch_free(watch);
}

Test(watch, says_a_change_once)
{
    put("a");
    struct watch *watch = watch_it();
    put("ab");
    cr_expect(watch_changed(watch));
    cr_expect_not(watch_changed(watch));
    watch_free(watch);
}

Test(watch, sees_a_file_of_equal_size_by_its_time)
{
    put("a");
    struct watch *watch = watch_it();
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 1}};
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    cr_expect(watch_changed(watch));
    watch_free(watch);
}

Test(watch, sees_a_file_come_and_go)
{
    struct watch *watch = watch_it();
    put("a");
    cr_expect(watch_changed(watch));
    unlink(path);
    cr_expect(watch_changed(watch));
    watch_free(watch);
}

Test(watch, a_watch_of_the_same_files_goes_on_and_nothing_escapes_it)
{
    const char *const paths[] = {path};
    put("before");
    struct watch *watch = watch_it();
    put("changed while it was read again");
    struct watch *again = watch_again(watch, paths, 1);
    cr_expect(watch_changed(again));
    cr_expect_not(watch_changed(again));
    watch_free(again);
}

Test(watch, other_files_are_watched_anew)
{
    const char *const paths[] = {path, directory};
    put("before");
    struct watch *watch = watch_it();
    put("changed before the other watch began");
    struct watch *again = watch_again(watch, paths, 2);
    cr_expect_not(watch_changed(again));
    put("changed after that, too");
    cr_expect(watch_changed(again));
    watch_free(again);
    again = watch_again(NULL, paths, 2);
    cr_expect_not_null(again);
    watch_free(again);
}
