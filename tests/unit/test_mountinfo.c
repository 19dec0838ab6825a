#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/mountinfo.h"

#define NAS       "/mnt/nas-postgresql"
#define ROOT_LINE "16 1 0:15 / / rw,relatime - ext4 /dev/sda1 rw\n"

static struct mountinfo parse_bytes(const char *text, size_t length)
{
    struct mountinfo table = {0};
    struct err err = {0};
    cr_assert(mountinfo_parse(text, length, &table, &err), "%s", err.text);
    return table;
}

static struct mountinfo parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static struct mountinfo parse_fixture(const char *name)
{
    struct strbuf path = {0};
    struct strbuf text = {0};
    strbuf_printf(&path, "tests/fixtures/nfs/mountinfo-%s.txt", name);
    FILE *file = fopen(strbuf_text(&path), "rb");
    cr_assert_not_null(file, "%s is not there: run the tests from the root", strbuf_text(&path));
    char chunk[4096];
    for (size_t count = 0; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        strbuf_add(&text, chunk, count);
    fclose(file);
    struct mountinfo table = parse_bytes(text.data, text.length);
    strbuf_done(&text);
    strbuf_done(&path);
    return table;
}

/* The mount point that holds the path, "" for none. */
static void expect_holding(const char *text, const char *path, const char *mount)
{
    struct mountinfo table = parse(text);
    const struct mount_entry *entry = mountinfo_holding(&table, path);
    cr_expect_str_eq(entry ? entry->path : "", mount, "%s", path);
    mountinfo_done(&table);
}

/* The file system that holds the path. */
static void expect_type(const char *text, const char *path, const char *type)
{
    struct mountinfo table = parse(text);
    const struct mount_entry *entry = mountinfo_holding(&table, path);
    cr_assert_not_null(entry, "%s", path);
    cr_expect_str_eq(entry->filesystem, type, "%s", path);
    mountinfo_done(&table);
}

Test(mountinfo, a_real_nfs_mount_is_found_with_all_it_says)
{
    struct mountinfo table = parse_fixture("hard-linkdown-outage");
    const struct mount_entry *entry = mountinfo_holding(&table, NAS "/repo");
    cr_assert_not_null(entry);
    cr_expect_str_eq(entry->path, NAS);
    cr_expect_str_eq(entry->filesystem, "nfs4");
    cr_expect_str_eq(entry->source, "nas:/volume1/pgbackrest");
    cr_expect_str_eq(entry->options, "rw,relatime");
    cr_expect(mount_option_is_set(entry->super_options, "hard"));
    cr_expect_not(mount_option_is_set(entry->super_options, "soft"));
    mountinfo_done(&table);
}

Test(mountinfo, softerr_is_neither_soft_nor_hard)
{
    struct mountinfo table = parse_fixture("softerr-linkdown-outage");
    const struct mount_entry *entry = mountinfo_holding(&table, NAS);
    cr_assert_not_null(entry);
    cr_expect(mount_option_is_set(entry->super_options, "softerr"));
    cr_expect_not(mount_option_is_set(entry->super_options, "soft"));
    cr_expect_not(mount_option_is_set(entry->super_options, "hard"));
    mountinfo_done(&table);
}

Test(mountinfo, a_path_beside_a_mount_is_not_on_it)
{
    const char *text = ROOT_LINE "20 16 0:20 / /mnt/nas rw - nfs4 nas:/ rw\n";
    expect_holding(text, "/mnt/nas", "/mnt/nas");
    expect_holding(text, "/mnt/nas/", "/mnt/nas");
    expect_holding(text, "//mnt///nas//repo", "/mnt/nas");
    expect_holding(text, "/mnt/nas2", "/");
    expect_holding(text, "/mnt/na", "/");
    expect_holding(text, "/", "/");
}

Test(mountinfo, the_deepest_mount_holds_a_path)
{
    expect_holding(ROOT_LINE "20 16 0:20 / /mnt rw - tmpfs a rw\n"
                             "21 20 0:21 / /mnt/nas rw - nfs4 b rw\n",
                   "/mnt/nas/x", "/mnt/nas");
}

Test(mountinfo, of_two_mounts_at_one_place_the_upper_counts)
{
    expect_type(ROOT_LINE "20 16 0:20 / /mnt rw - nfs4 a rw\n"
                          "21 20 0:21 / /mnt rw - tmpfs b rw\n",
                "/mnt/x", "tmpfs");
    /* The order of the lines says nothing: the parents do. */
    expect_type(ROOT_LINE "21 20 0:21 / /mnt rw - tmpfs b rw\n"
                          "20 16 0:20 / /mnt rw - nfs4 a rw\n",
                "/mnt/x", "tmpfs");
}

Test(mountinfo, a_mount_below_a_later_one_is_hidden)
{
    expect_type(ROOT_LINE "20 16 0:20 / /mnt/nas rw - nfs4 a rw\n"
                          "21 16 0:21 / /mnt rw - tmpfs b rw\n",
                "/mnt/nas/x", "tmpfs");
}

Test(mountinfo, a_mount_over_the_root_hides_what_was_there)
{
    expect_type(ROOT_LINE "17 16 0:20 / / rw - overlay a rw\n"
                          "18 16 0:21 / /mnt rw - nfs4 b rw\n",
                "/mnt/x", "overlay");
}

Test(mountinfo, a_changed_root_without_a_mount_of_its_own_still_has_mounts)
{
    const char *text = "30 16 0:20 / /mnt rw - nfs4 a rw\n";
    expect_holding(text, "/mnt/x", "/mnt");
    expect_holding(text, "/srv", "");
}

Test(mountinfo, a_bind_mount_is_one_of_its_own)
{
    const char *text = ROOT_LINE "20 16 0:20 / /mnt/nas rw - nfs4 nas:/ rw\n"
                                 "21 16 0:20 /sub /srv/repo ro - nfs4 nas:/ rw\n";
    struct mountinfo table = parse(text);
    const struct mount_entry *entry = mountinfo_holding(&table, "/srv/repo/x");
    cr_expect_str_eq(entry->path, "/srv/repo");
    cr_expect(mount_entry_is_read_only(entry));
    cr_expect_not(mount_entry_is_read_only(mountinfo_holding(&table, "/mnt/nas")));
    mountinfo_done(&table);
}

Test(mountinfo, a_read_only_file_system_is_read_only_on_every_mount)
{
    struct mountinfo table = parse("16 1 0:15 / / rw - ext4 a ro,errors=remount-ro\n");
    cr_expect(mount_entry_is_read_only(&table.items[0]));
    mountinfo_done(&table);
}

Test(mountinfo, escaped_names_are_read)
{
    struct mountinfo table =
        parse(ROOT_LINE "20 16 0:20 / /mnt/a\\040b\\011c\\012d\\134e rw - nfs4 "
                        "nas:/with\\040blank rw\n");
    const struct mount_entry *entry = mountinfo_holding(&table, "/mnt/a b\tc\nd\\e/repo");
    cr_expect_str_eq(entry->path, "/mnt/a b\tc\nd\\e");
    cr_expect_str_eq(entry->source, "nas:/with blank");
    mountinfo_done(&table);
}

Test(mountinfo, a_backslash_that_escapes_nothing_stays)
{
    static const struct {
        const char *text, *plain;
    } cases[] = {{"\\04", "\\04"}, {"\\048", "\\048"}, {"\\", "\\"}, {"\\x41", "\\x41"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct strbuf out = {0};
        mount_unescape(cases[i].text, strlen(cases[i].text), &out);
        cr_expect_str_eq(strbuf_text(&out), cases[i].plain);
        strbuf_done(&out);
    }
}

Test(mountinfo, any_number_of_optional_fields_and_an_empty_source_are_read)
{
    struct mountinfo table = parse("16 1 0:15 / / rw shared:1 master:2 unbindable - tmpfs  rw\n");
    cr_expect_str_eq(table.items[0].filesystem, "tmpfs");
    cr_expect_str_eq(table.items[0].source, "");
    cr_expect_str_eq(table.items[0].super_options, "rw");
    mountinfo_done(&table);
}

Test(mountinfo, an_empty_table_holds_nothing)
{
    expect_holding("", "/", "");
}

Test(mountinfo, what_is_no_mount_is_refused_with_its_line)
{
    static const char *const wrong[] = {
        ROOT_LINE "\n",
        ROOT_LINE "20 16 0:20 / /mnt rw\n",
        ROOT_LINE "20 16 0:20 / /mnt rw - nfs4\n",
        ROOT_LINE "x 16 0:20 / /mnt rw - nfs4 a rw\n",
        ROOT_LINE "20 -1 0:20 / /mnt rw - nfs4 a rw\n",
        ROOT_LINE "20 16 0:20 / mnt rw - nfs4 a rw\n",
        ROOT_LINE "20 16 0:20 / ",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct mountinfo table = {0};
        struct err err = {0};
        cr_expect_not(mountinfo_parse(wrong[i], strlen(wrong[i]), &table, &err), "%s", wrong[i]);
        cr_expect_eq(err.code, ERR_PROTOCOL);
        cr_expect_str_eq(err.text, "line 2 of mountinfo is no mount");
        cr_expect_null(table.items);
    }
}

Test(mountinfo, a_file_cut_anywhere_is_refused_or_gives_whole_mounts)
{
    const char *text = ROOT_LINE "20 16 0:20 / /mnt rw shared:1 - nfs4 nas:/ rw\n";
    for (size_t length = 0; length <= strlen(text); length++) {
        struct mountinfo table = {0};
        if (mountinfo_parse(text, length, &table, NULL))
            cr_expect_leq(table.count, 2);
        mountinfo_done(&table);
    }
}

Test(mountinfo, an_option_is_found_as_a_whole_only)
{
    const char *options = "rw,vers=4.2,hardly,timeo=600";
    struct strbuf value = {0};
    cr_expect(mount_option_is_set(options, "rw"));
    cr_expect(mount_option_is_set(options, "vers"));
    cr_expect_not(mount_option_is_set(options, "hard"));
    cr_expect_not(mount_option_is_set(options, "ers"));
    cr_expect_not(mount_option_is_set("", "rw"));
    mount_option_value(options, "vers", &value);
    mount_option_value(options, "rw", &value);
    mount_option_value(options, "none", &value);
    cr_expect_str_eq(strbuf_text(&value), "4.2");
    strbuf_done(&value);
}

Test(mountinfo, a_mount_point_is_recognised_whatever_its_slashes)
{
    struct mountinfo table = parse(ROOT_LINE "20 16 0:20 / /mnt rw - nfs4 a rw\n");
    cr_expect(mount_entry_is_at(&table.items[1], "/mnt/"));
    cr_expect(mount_entry_is_at(&table.items[1], "//mnt"));
    cr_expect_not(mount_entry_is_at(&table.items[1], "/mnt/x"));
    cr_expect(mount_entry_is_at(&table.items[0], "/"));
    mountinfo_done(&table);
}
