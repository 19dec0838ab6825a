#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "exporter/config/lists.h"

static struct err err;

Test(lists, a_text_list_ends_with_null)
{
    struct text_list list CLEANUP(text_list_done) = {0};
    cr_assert(text_list_add(&list, "a", &err));
    cr_assert(text_list_add(&list, "b", &err));
    cr_expect_eq(list.count, 2);
    cr_expect_str_eq(list.items[0], "a");
    cr_expect_str_eq(list.items[1], "b");
    cr_expect_null(list.items[2]);
}

Test(lists, a_text_is_in_the_list_when_all_of_it_is)
{
    struct text_list list CLEANUP(text_list_done) = {0};
    cr_expect_not(text_list_has(&list, "main"));
    cr_assert(text_list_add(&list, "other", &err));
    cr_assert(text_list_add(&list, "main", &err));
    cr_expect(text_list_has(&list, "main"));
    cr_expect_not(text_list_has(&list, "mai"));
    cr_expect_not(text_list_has(&list, "main2"));
}

Test(lists, they_keep_copies)
{
    struct text_list texts CLEANUP(text_list_done) = {0};
    struct pair_list pairs CLEANUP(pair_list_done) = {0};
    char name[] = "name", value[] = "value";
    cr_assert(text_list_add(&texts, name, &err));
    cr_assert(pair_list_add(&pairs, name, value, &err));
    name[0] = value[0] = 'X';
    cr_expect_str_eq(texts.items[0], "name");
    cr_expect_str_eq(pair_list_get(&pairs, "name"), "value");
}

Test(lists, a_name_may_come_twice_and_its_first_value_is_found)
{
    struct pair_list list CLEANUP(pair_list_done) = {0};
    cr_assert(pair_list_add(&list, "a", "1", &err));
    cr_assert(pair_list_add(&list, "b", "2", &err));
    cr_assert(pair_list_add(&list, "a", "3", &err));
    cr_expect_eq(list.count, 3);
    cr_expect_str_eq(pair_list_get(&list, "a"), "1");
    cr_expect_str_eq(list.items[2].value, "3");
}

Test(lists, a_name_that_is_not_there_has_no_value)
{
    struct pair_list list CLEANUP(pair_list_done) = {0};
    cr_expect_null(pair_list_get(&list, "a"));
    cr_assert(pair_list_add(&list, "ab", "1", &err));
    cr_expect_null(pair_list_get(&list, "a"));
}

Test(lists, a_removed_name_goes_with_all_its_values)
{
    struct pair_list list CLEANUP(pair_list_done) = {0};
    cr_assert(pair_list_add(&list, "a", "1", &err));
    cr_assert(pair_list_add(&list, "b", "2", &err));
    cr_assert(pair_list_add(&list, "a", "3", &err));
    cr_assert(pair_list_add(&list, "c", "4", &err));
    pair_list_remove(&list, "a");
    cr_assert_eq(list.count, 2);
    cr_expect_null(pair_list_get(&list, "a"));
    cr_expect_str_eq(list.items[0].name, "b");
    cr_expect_str_eq(list.items[1].name, "c");
}

Test(lists, removing_what_is_not_there_changes_nothing)
{
    struct pair_list list CLEANUP(pair_list_done) = {0};
    pair_list_remove(&list, "a");
    cr_assert(pair_list_add(&list, "b", "2", &err));
    pair_list_remove(&list, "a");
    cr_expect_eq(list.count, 1);
    cr_expect_str_eq(pair_list_get(&list, "b"), "2");
}

Test(lists, a_list_that_is_done_is_empty_and_can_be_used_again)
{
    struct text_list texts = {0};
    struct pair_list pairs = {0};
    for (int i = 0; i < 2; i++) {
        cr_assert(text_list_add(&texts, "a", &err));
        cr_assert(pair_list_add(&pairs, "a", "1", &err));
        cr_expect(texts.count == 1 && pairs.count == 1);
        text_list_done(&texts);
        pair_list_done(&pairs);
        cr_expect(texts.count == 0 && !texts.items && pairs.count == 0 && !pairs.items);
    }
    text_list_done(&texts);
    pair_list_done(&pairs);
}

/*
 * A secret longer than what the allocator writes into memory that was given back. The memory is
 * looked at through the kernel: reading it ourselves would be a use after free.
 */
#define SECRET "0123456789abcdef0123456789abcdef-geheim-geheim-geheim"

static bool still_holds_secret(uintptr_t address)
{
    char seen[sizeof SECRET] = "";
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    cr_assert(memory >= 0);
    cr_assert_eq(pread(memory, seen, sizeof seen, (off_t)address), (ssize_t)sizeof seen);
    close(memory);
    return memmem(seen, sizeof seen, "geheim", strlen("geheim"));
}

Test(lists, a_secret_is_overwritten_before_its_memory_goes_back)
{
    char *secret = strdup(SECRET);
    uintptr_t address = (uintptr_t)secret;
    cr_assert(still_holds_secret(address), "the test cannot see the memory");
    secret_free(secret);
    cr_expect_not(still_holds_secret(address));
    secret_free(NULL);
}

Test(lists, a_secret_of_a_scope_is_overwritten_at_its_end)
{
    uintptr_t address = 0;
    {
        char *secret CLEANUP(secret_freep) = strdup(SECRET);
        address = (uintptr_t)secret;
    }
    cr_expect_not(still_holds_secret(address));
}

Test(lists, every_value_is_overwritten_however_it_leaves_its_list)
{
    struct text_list texts = {0};
    struct pair_list done = {0}, removed CLEANUP(pair_list_done) = {0};
    cr_assert(text_list_add(&texts, SECRET, &err));
    cr_assert(pair_list_add(&done, "key", SECRET, &err));
    cr_assert(pair_list_add(&removed, "key", SECRET, &err));
    const uintptr_t addresses[] = {(uintptr_t)texts.items[0], (uintptr_t)done.items[0].value,
                                   (uintptr_t)removed.items[0].value};
    text_list_done(&texts);
    pair_list_done(&done);
    pair_list_remove(&removed, "key");
    for (size_t i = 0; i < COUNT_OF(addresses); i++)
        cr_expect_not(still_holds_secret(addresses[i]), "value %zu", i);
}
