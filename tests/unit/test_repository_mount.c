#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/repository_mount.h"

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

static const char list[] = "16 1 0:15 / / rw - ext4 /dev/sda1 rw\n"
                           "20 16 0:20 / /mnt/nas rw - nfs4 nas:/ rw\n";

static void expect_name_with(const struct stanza_repository *repository, const char *fstab,
                             const char *name)
{
    struct mountinfo table = {0};
    struct strbuf expected = {0};
    struct err err = {0};
    strbuf_puts(&expected, fstab);
    cr_assert(mountinfo_parse(list, strlen(list), &table, &err), "%s", err.text);
    char *found = repository_mount_name(repository, &table, &expected);
    cr_expect_str_eq(found ? found : "", name);
    free(found);
    strbuf_done(&expected);
    mountinfo_done(&table);
}

static void expect_name(const struct stanza_repository *repository, const char *name)
{
    expect_name_with(repository, "", name);
}

static void option(struct stanza_repository *repository, const char *name, const char *value)
{
    struct err err;
    cr_assert(pair_list_add(&repository->options, name, value, &err));
}

Test(repository_mount, the_mount_below_the_path_is_its_name)
{
    struct stanza_repository repository = {.storage = "posix"};
    option(&repository, "path", "/mnt/nas/repo");
    expect_name(&repository, "/mnt/nas");
    pair_list_done(&repository.options);
}

Test(repository_mount, a_repository_may_lie_on_the_root)
{
    struct stanza_repository repository = {.storage = "posix"};
    option(&repository, "path", "/var/lib/pgbackrest");
    expect_name(&repository, "/");
    pair_list_done(&repository.options);
}

Test(repository_mount, a_mount_that_fstab_has_for_the_path_is_its_name_before_it_is_mounted)
{
    struct stanza_repository repository = {.storage = "posix"};
    option(&repository, "path", "/mnt/nas/deep/repo");
    expect_name_with(&repository, "x / ext4\ny /mnt/nas nfs\n", "/mnt/nas");
    expect_name_with(&repository, "x /mnt/nas/deep ext4\n", "/mnt/nas/deep");
    pair_list_done(&repository.options);
}

Test(repository_mount, a_configured_mount_is_its_name_whatever_is_mounted)
{
    struct repository_settings own = {.mount_path = TEXT_OF("/mnt/other")};
    struct stanza_repository repository = {.storage = "posix", .settings = &own};
    option(&repository, "path", "/mnt/nas/repo");
    expect_name(&repository, "/mnt/other");
    cr_expect(repository_mount_is_configured(&repository));
    pair_list_done(&repository.options);
}

Test(repository_mount, a_repository_elsewhere_has_none)
{
    struct stanza_repository store = {.storage = "s3"};
    struct stanza_repository remote = {.storage = "posix"};
    option(&store, "path", "/mnt/nas/repo");
    option(&remote, "host", "backup.example");
    cr_expect_null(repository_mount_path(&store));
    cr_expect_null(repository_mount_path(&remote));
    expect_name(&store, "");
    pair_list_done(&store.options);
    pair_list_done(&remote.options);
}

Test(repository_mount, a_list_that_is_not_there_is_an_error_that_names_it)
{
    struct strbuf text = {0};
    struct err err = {0};
    cr_expect_not(mount_list_read("/proc/self/no-such-list", &text, &err));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect_not_null(strstr(err.text, "/proc/self/no-such-list"));
    strbuf_done(&text);
}

Test(repository_mount, a_list_without_an_end_is_not_read_to_it)
{
    struct strbuf text = {0};
    struct err err = {0};
    cr_expect_not(mount_list_read("/dev/zero", &text, &err));
    cr_expect_not_null(strstr(err.text, "is larger than"), "%s", err.text);
    strbuf_done(&text);
}

Test(repository_mount, a_path_is_followed_once_until_the_mounts_change)
{
    static const struct proc_limits limits = {.at_once = 1, .stuck = 1};
    struct proc_pool *pool = proc_pool_new(&limits);
    struct mount_finder finder = {.path = "/proc/self/../no such folder"};
    struct bound bound = bound_after(20000, -1);
    struct bound over = bound_after(0, -1);
    struct err err = {0};
    bool hangs = true;
    cr_assert(mount_finder_look(&finder, pool, &bound, &hangs, &err), "%s", err.text);
    cr_expect_not(hangs);
    cr_assert_not_null(finder.mount);
    cr_expect_str_eq(finder.mount->path, "/proc");
    cr_expect_str_eq(mount_finder_name(&finder), "/proc");
    /* No time is left to ask a child, and none is asked. */
    cr_expect(mount_finder_look(&finder, pool, &over, &hangs, &err), "%s", err.text);
    strbuf_puts(&finder.list, "changed");
    cr_expect_not(mount_finder_look(&finder, pool, &over, &hangs, &err));
    cr_expect(hangs);
    mount_finder_done(&finder);
    proc_pool_free(pool);
}
