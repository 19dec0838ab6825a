#include <criterion/criterion.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "exporter/commands/user.h"

Test(user, root_gives_its_rights_up_for_good)
{
    if (geteuid() != 0)
        cr_skip_test("only root has rights to give up; run as root to test it");
    struct err err = {0};
    cr_assert(user_become("nobody", &err), "%s", err.text);
    const struct passwd *nobody = getpwnam("nobody");
    cr_expect_eq(getuid(), nobody->pw_uid);
    cr_expect_eq(geteuid(), nobody->pw_uid);
    cr_expect_eq(getgid(), nobody->pw_gid);
    cr_expect_eq(setuid(0), -1, "the way back is closed");
    cr_expect_str_eq(getenv("HOME"), nobody->pw_dir);
    cr_expect_str_eq(getenv("USER"), "nobody");
    gid_t groups[64];
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++)
        cr_expect_neq(groups[i], 0u, "still in root's group");
}

Test(user, the_new_user_may_read_all_that_proc_tells_of_the_process)
{
    if (geteuid() != 0)
        cr_skip_test("only root has rights to give up; run as root to test it");
    struct err err = {0};
    cr_assert(user_become("nobody", &err), "%s", err.text);
    cr_expect_eq(access("/proc/self/mountstats", R_OK), 0);
}

Test(user, root_cannot_become_root_or_nobody_that_exists)
{
    if (geteuid() != 0)
        cr_skip_test("only root has rights to give up; run as root to test it");
    struct err err = {0};
    cr_expect_not(user_become("root", &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_not(user_become("no-such-user", &err));
    cr_expect_str_eq(
        err.text, "started as root, but there is no user no-such-user to become (pgbackrest.user)");
    cr_expect_eq(geteuid(), 0u);
}

Test(user, a_plain_user_stays_who_it_is)
{
    uid_t before = 65534;
    if (geteuid() == 0)
        cr_assert_eq(setresuid(before, before, before), 0);
    before = geteuid();
    struct err err = {0};
    cr_expect(user_become("no-such-user", &err));
    cr_expect_eq(geteuid(), before);
}
