#include <criterion/criterion.h>
#include <errno.h>

#include "collectors/model/mount_health.h"

static const struct mount_answer sound = {
    .size_bytes = 100,
    .free_bytes = 50,
    .avail_bytes = 40,
    .files = 10,
    .files_free = 4,
};

Test(mount_health, a_sound_answer_responds_and_has_numbers)
{
    struct mount_health health = mount_health_of(&sound, "nfs4");
    cr_expect(health.responding && health.sizes_known && health.files_known);
    cr_expect_eq(health.reason, ERR_NONE);
}

Test(mount_health, each_error_has_its_reason_and_does_not_respond)
{
    static const struct {
        int error_number;
        enum err_code reason;
    } cases[] = {
        {ESTALE, ERR_STALE},      {EACCES, ERR_PERMISSION},    {EIO, ERR_TIMEOUT},
        {ETIMEDOUT, ERR_TIMEOUT}, {ENOTCONN, ERR_NOT_MOUNTED}, {ECONNREFUSED, ERR_CONNECT},
        {EINVAL, ERR_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mount_answer answer = {.statfs_error = cases[i].error_number};
        struct mount_health health = mount_health_of(&answer, "nfs4");
        cr_expect_not(health.responding || health.sizes_known || health.files_known);
        cr_expect_eq(health.reason, cases[i].reason, "%d", cases[i].error_number);
    }
}

Test(mount_health, an_error_in_the_listing_counts_like_one_before)
{
    struct mount_answer answer = sound;
    answer.list_error = ESTALE;
    struct mount_health health = mount_health_of(&answer, "nfs4");
    cr_expect_not(health.responding);
    cr_expect_eq(health.reason, ERR_STALE);
}

Test(mount_health, a_folder_that_may_not_be_listed_responds_with_a_reason)
{
    struct mount_answer answer = sound;
    answer.list_error = EACCES;
    struct mount_health health = mount_health_of(&answer, "ext4");
    cr_expect(health.responding && health.sizes_known);
    cr_expect_eq(health.reason, ERR_PERMISSION);
}

Test(mount_health, an_input_output_error_of_a_disk_is_no_lost_server)
{
    struct mount_answer answer = {.statfs_error = EIO};
    cr_expect_eq(mount_health_of(&answer, "ext4").reason, ERR_OTHER);
}

/* What a mount with softerr was seen to answer when its server was gone. */
Test(mount_health, numbers_that_cannot_be_are_no_answer_of_nfs)
{
    static const struct mount_answer wrong[] = {
        {.size_bytes = 0},
        {.size_bytes = 10, .free_bytes = 11, .avail_bytes = 1},
        {.size_bytes = 10, .free_bytes = 5, .avail_bytes = 6},
        {.size_bytes = 10, .free_bytes = 5, .avail_bytes = 5, .files = 1, .files_free = 2},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct mount_health health = mount_health_of(&wrong[i], "nfs");
        cr_expect_not(health.responding || health.sizes_known, "%zu", i);
        cr_expect_eq(health.reason, ERR_PROTOCOL, "%zu", i);
    }
}

Test(mount_health, another_file_system_may_not_know_its_size)
{
    struct mount_answer answer = {.size_bytes = 0};
    struct mount_health health = mount_health_of(&answer, "fuse.store");
    cr_expect(health.responding);
    cr_expect_not(health.sizes_known || health.files_known);
    cr_expect_eq(health.reason, ERR_NONE);
}

Test(mount_health, a_file_system_without_inodes_has_no_number_of_them)
{
    struct mount_answer answer = sound;
    answer.files = answer.files_free = 0;
    struct mount_health health = mount_health_of(&answer, "btrfs");
    cr_expect(health.sizes_known);
    cr_expect_not(health.files_known);
}

Test(mount_health, nfs_stands_for_both_of_its_types_and_no_other)
{
    cr_expect(mount_type_fits(NULL, "ext4"));
    cr_expect(mount_type_fits("nfs", "nfs"));
    cr_expect(mount_type_fits("nfs", "nfs4"));
    cr_expect_not(mount_type_fits("nfs4", "nfs"));
    cr_expect_not(mount_type_fits("nfs", "nfsd"));
    cr_expect_not(mount_type_fits("nfs", "tmpfs"));
}
