/* The runner is its own probe child: see test_probe.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/sources/probe_file.h"

static struct proc_pool *pool;
static struct err err;

static void pool_setup(void)
{
    const struct proc_limits limits = {.at_once = 1, .stuck = 1};
    pool = proc_pool_new(&limits);
    cr_assert_not_null(pool);
}

static void pool_teardown(void)
{
    proc_pool_free(pool);
}

TestSuite(probe_file, .init = pool_setup, .fini = pool_teardown, .timeout = 30);

static struct probe_filesystem look(const char *path)
{
    struct bound bound = bound_after(20000, -1);
    struct probe_filesystem seen = {0};
    cr_assert(probe_filesystem(pool, path, "key", &bound, &seen, &err), "%s", err.text);
    return seen;
}

static void expect_real(const char *path, const char *real)
{
    struct bound bound = bound_after(20000, -1);
    char *found = NULL;
    cr_assert(probe_real_path(pool, path, "key", &bound, &found, &err), "%s", err.text);
    cr_expect_str_eq(found, real, "%s is %s", path, found);
    free(found);
}

Test(probe_file, a_file_system_tells_its_size_and_how_long_it_took)
{
    struct probe_filesystem seen = look("/tmp");
    cr_expect_eq(seen.statfs_error, 0);
    cr_expect_eq(seen.list_error, 0);
    cr_expect_gt(seen.size_bytes, 0);
    cr_expect_leq(seen.avail_bytes, seen.size_bytes);
    cr_expect(seen.statfs_seconds > 0 && seen.list_seconds > 0);
}

Test(probe_file, a_path_that_is_not_there_is_told_by_its_error)
{
    struct probe_filesystem seen = look("/no such folder");
    cr_expect_eq(seen.statfs_error, ENOENT);
    cr_expect_eq(seen.size_bytes, 0);
}

Test(probe_file, what_is_no_folder_cannot_be_listed)
{
    cr_expect_eq(look("/dev/null").list_error, ENOTDIR);
}

Test(probe_file, an_empty_folder_is_an_answer)
{
    char folder[] = "/tmp/test_probe_file_XXXXXX";
    cr_assert(mkdtemp(folder));
    cr_expect_eq(look(folder).list_error, 0);
    rmdir(folder);
}

Test(probe_file, symbolic_links_are_followed)
{
    char folder[] = "/tmp/test_probe_file_XXXXXX";
    struct strbuf link = {0};
    cr_assert(mkdtemp(folder));
    strbuf_printf(&link, "%s/link", folder);
    cr_assert_eq(symlink("/dev", strbuf_text(&link)), 0);
    expect_real(strbuf_text(&link), "/dev");
    strbuf_puts(&link, "/no/such");
    expect_real(strbuf_text(&link), "/dev/no/such");
    strbuf_truncate(&link, link.length - strlen("/no/such"));
    unlink(strbuf_text(&link));
    rmdir(folder);
    strbuf_done(&link);
}

Test(probe_file, what_is_not_there_stays_as_it_is_written)
{
    expect_real("/", "/");
    expect_real("/no such/folder", "/no such/folder");
    expect_real("/dev/null/below", "/dev/null/below");
}

Test(probe_file, a_path_that_no_system_call_takes_is_an_error)
{
    char path[PATH_MAX + 10];
    struct bound bound = bound_after(20000, -1);
    char *found = NULL;
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? 'x' : '/';
    path[sizeof path - 1] = '\0';
    cr_expect_not(probe_real_path(pool, path, "key", &bound, &found, &err));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect_null(found);
}

Test(probe_file, no_time_is_a_timeout)
{
    struct bound bound = bound_after(0, -1);
    struct probe_filesystem seen = {.files = 7};
    cr_expect_not(probe_filesystem(pool, "/tmp", "key", &bound, &seen, &err));
    cr_expect_eq(err.code, ERR_TIMEOUT);
    cr_expect_eq(seen.files, 7);
}
