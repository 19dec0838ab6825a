#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/fstab.h"

static const char usual[] = "# <file system> <mount point> <type> <options> <dump> <pass>\n"
                            "UUID=1 / ext4 defaults 0 1\n"
                            "UUID=2 none swap sw 0 0\n"
                            "\n"
                            "  # /mnt/nas/repo is only spoken of\n"
                            "nas:/backup\t/mnt/nas\tnfs4\trw,hard,_netdev 0 0\n";

static void expect_place(const char *text, const char *path, const char *place)
{
    struct strbuf found = {0};
    fstab_holding(text, strlen(text), path, &found);
    cr_expect_not(found.failed);
    cr_expect_str_eq(strbuf_text(&found), place);
    strbuf_done(&found);
}

Test(fstab, names_the_mount_point_above_a_path)
{
    expect_place(usual, "/mnt/nas/repo", "/mnt/nas");
}

Test(fstab, names_the_mount_point_for_itself)
{
    expect_place(usual, "/mnt/nas", "/mnt/nas");
}

Test(fstab, does_not_take_the_beginning_of_a_name_for_a_folder)
{
    expect_place(usual, "/mnt/nas2/repo", "");
}

Test(fstab, does_not_speak_of_the_root)
{
    expect_place(usual, "/var/lib/pgbackrest", "");
}

Test(fstab, names_the_deepest_of_several_in_any_order)
{
    expect_place("a /mnt/nas/deep ext4 rw 0 0\nb /mnt/nas ext4 rw 0 0\n", "/mnt/nas/deep/repo",
                 "/mnt/nas/deep");
    expect_place("b /mnt/nas ext4 rw 0 0\na /mnt/nas/deep ext4 rw 0 0\n", "/mnt/nas/deep/repo",
                 "/mnt/nas/deep");
}

Test(fstab, undoes_escapes_and_slashes_at_the_end)
{
    expect_place("nas:/ /mnt/my\\040nas// nfs rw\n", "/mnt/my nas/repo", "/mnt/my nas");
}

Test(fstab, counts_what_is_not_mounted_at_boot)
{
    expect_place("nas:/ /mnt/nas nfs noauto 0 0", "/mnt/nas/repo", "/mnt/nas");
}

Test(fstab, that_is_empty_has_none)
{
    struct strbuf found = {0};
    fstab_holding(NULL, 0, "/mnt/nas", &found);
    cr_expect_str_eq(strbuf_text(&found), "");
    strbuf_done(&found);
}

/* Each in memory of its own size, so that the sanitizer sees a byte that is read too much. */
Test(fstab, cut_anywhere_is_read_without_harm)
{
    for (size_t length = 0; length < sizeof usual; length++) {
        char *cut = malloc(length ? length : 1);
        struct strbuf found = {0};
        cr_assert(cut);
        memcpy(cut, usual, length);
        fstab_holding(cut, length, "/mnt/nas/repo", &found);
        cr_expect(found.length == 0 || strncmp(found.data, "/mnt/nas", found.length) == 0);
        strbuf_done(&found);
        free(cut);
    }
}

Test(fstab, lines_that_are_no_entry_are_passed_over)
{
    expect_place("one\n\xff\xfe \x01\n \t \nnas:/ relative nfs\nx /mnt/nas nfs rw\n",
                 "/mnt/nas/repo", "/mnt/nas");
}
