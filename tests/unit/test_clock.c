#include "exporter/base/clock.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

Test(clock, the_monotonic_clock_counts_milliseconds)
{
    int64_t before = clock_monotonic_ms();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    int64_t after = clock_monotonic_ms();
    cr_expect_geq(after - before, 19);
    cr_expect_lt(after - before, 10000);
}

Test(clock, the_wall_clock_is_the_systems_with_fractions)
{
    double before = (double)time(NULL);
    double now = clock_wall_seconds();
    cr_expect_geq(now, before - 1);
    cr_expect_lt(now, before + 10);
    double next = now;
    for (int i = 0; i < 1000000 && next == now; i++)
        next = clock_wall_seconds();
    cr_expect_lt(next - now, 1, "moves in steps of whole seconds");
}

Test(clock, the_wall_clock_counts_whole_milliseconds)
{
    for (int i = 0; i < 100; i++) {
        double now = clock_wall_seconds();
        cr_assert_eq(now, round(now * 1000) / 1000);
        nanosleep(&(struct timespec){.tv_nsec = 1234}, NULL);
    }
}

Test(clock, a_new_bound_has_its_whole_time_left)
{
    struct bound bound = bound_after(60000, 7);
    cr_expect_eq(bound.stop_fd, 7);
    cr_expect_leq(bound_remaining_ms(&bound), 60000);
    cr_expect_gt(bound_remaining_ms(&bound), 50000);
}

Test(clock, a_bound_that_is_over_has_0_left_and_never_less)
{
    struct bound now = bound_after(0, -1);
    struct bound long_ago = bound_after(-100000, -1);
    cr_expect_eq(bound_remaining_ms(&now), 0);
    cr_expect_eq(bound_remaining_ms(&long_ago), 0);
}

Test(clock, a_huge_bound_is_the_most_that_poll_takes)
{
    struct bound weeks = bound_after((int64_t)INT_MAX + 1000000, -1);
    struct bound endless = bound_after(INT64_MAX, -1);
    cr_expect_eq(bound_remaining_ms(&weeks), INT_MAX);
    cr_expect_eq(bound_remaining_ms(&endless), INT_MAX);
    cr_expect_eq(endless.deadline_ms, INT64_MAX);
}

Test(clock, a_bound_without_descriptor_is_never_stopped)
{
    struct bound bound = bound_after(1000, -1);
    cr_expect_not(bound_stopped(&bound));
}

Test(clock, a_bound_is_stopped_when_its_descriptor_is_readable)
{
    int stop = eventfd(0, EFD_CLOEXEC);
    struct bound bound = bound_after(1000, stop);
    cr_expect_not(bound_stopped(&bound));
    eventfd_write(stop, 1);
    cr_expect(bound_stopped(&bound));
    cr_expect(bound_stopped(&bound), "looking does not take the signal away");
    close(stop);
}
