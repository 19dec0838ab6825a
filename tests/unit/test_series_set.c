#include <criterion/criterion.h>

#include "exporter/metrics/series_set.h"

static bool add(struct series_set *set, const char *series)
{
    cr_assert(series_set_reserve(set, 1));
    return series_set_add(set, series_hash(series, strlen(series)), series);
}

Test(series_set, refuses_the_second_of_two_equal_series)
{
    struct series_set set = {0};
    char again[] = "up{stanza=\"main\"}";
    cr_expect(add(&set, "up{stanza=\"main\"}"));
    cr_expect(add(&set, "up{stanza=\"other\"}"));
    cr_expect_not(add(&set, again));
    cr_expect_eq(set.count, 2);
    series_set_done(&set);
}

Test(series_set, tells_series_of_equal_hash_apart)
{
    struct series_set set = {0};
    cr_assert(series_set_reserve(&set, 3));
    cr_expect(series_set_add(&set, 7, "a"));
    cr_expect(series_set_add(&set, 7, "b"));
    cr_expect_not(series_set_add(&set, 7, "b"));
    cr_expect(series_set_has(&set, 7, "a"));
    cr_expect_not(series_set_has(&set, 7, "c"));
    series_set_done(&set);
}

Test(series_set, an_empty_set_has_nothing)
{
    struct series_set set = {0};
    cr_expect_not(series_set_has(&set, 0, ""));
    series_set_done(&set);
}

Test(series_set, keeps_everything_while_it_grows)
{
    enum { COUNT = 5000, SIZE = 8 };
    static char names[COUNT][SIZE];
    struct series_set set = {0};
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], SIZE, "s%zu", i);
        cr_assert(add(&set, names[i]));
    }
    for (size_t i = 0; i < COUNT; i++)
        cr_assert(series_set_has(&set, series_hash(names[i], strlen(names[i])), names[i]));
    cr_expect_geq(set.size, set.count * 2, "probes stay short in a set that is half empty");
    series_set_done(&set);
}

Test(series_set, fails_instead_of_overflowing)
{
    struct series_set set = {0};
    cr_expect_not(series_set_reserve(&set, SIZE_MAX));
    cr_expect_not(series_set_reserve(&set, SIZE_MAX / 8));
    series_set_done(&set);
}

Test(series_set, hashes_as_fnv_1a_does)
{
    cr_expect_eq(series_hash("", 0), 0xcbf29ce484222325U);
    cr_expect_eq(series_hash("foobar", 6), 0x85944171f73967e8U);
}
