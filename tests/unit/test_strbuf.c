#include "exporter/base/strbuf.h"

#include <criterion/criterion.h>
#include <stdint.h>

static struct strbuf buf;

static void free_buf(void)
{
    strbuf_done(&buf);
}

TestSuite(strbuf, .fini = free_buf);

Test(strbuf, an_empty_one_has_an_empty_text)
{
    cr_expect_str_eq(strbuf_text(&buf), "");
    cr_expect_eq(buf.length, 0);
}

Test(strbuf, additions_follow_each_other)
{
    strbuf_puts(&buf, "ab");
    strbuf_putc(&buf, 'c');
    strbuf_add(&buf, "defg", 2);
    strbuf_printf(&buf, "%d%s", 42, "!");
    cr_expect_str_eq(strbuf_text(&buf), "abcde42!");
    cr_expect_eq(buf.length, 8);
}

Test(strbuf, nul_bytes_are_kept)
{
    strbuf_add(&buf, "a\0b", 3);
    cr_expect_eq(buf.length, 3);
    cr_expect_eq(memcmp(strbuf_text(&buf), "a\0b", 4), 0);
}

Test(strbuf, nothing_added_changes_nothing)
{
    strbuf_add(&buf, NULL, 0);
    strbuf_puts(&buf, "");
    strbuf_printf(&buf, "%s", "");
    cr_expect_str_eq(strbuf_text(&buf), "");
    cr_expect_not(buf.failed);
}

Test(strbuf, grows_over_every_size_and_stays_terminated)
{
    for (size_t i = 0; i < 5000; i++) {
        strbuf_putc(&buf, (char)('a' + i % 26));
        cr_assert_eq(strlen(strbuf_text(&buf)), i + 1);
    }
    for (size_t i = 0; i < 5000; i++)
        cr_assert_eq(buf.data[i], (char)('a' + i % 26));
}

Test(strbuf, a_printf_longer_than_all_room_is_whole)
{
    strbuf_puts(&buf, "x");
    strbuf_printf(&buf, "%05000d|", 7);
    cr_assert_eq(buf.length, 5002);
    cr_expect_str_eq(buf.data + 4999, "07|");
}

Test(strbuf, a_printf_of_every_length_round_the_room_is_whole)
{
    for (int width = 50; width < 140; width++) {
        struct strbuf each CLEANUP(strbuf_done) = {0};
        strbuf_printf(&each, "%*d", width, 7);
        cr_expect_eq(each.length, (size_t)width);
        cr_expect_eq(strlen(strbuf_text(&each)), (size_t)width);
        cr_expect_eq(each.data[width - 1], '7');
    }
}

Test(strbuf, a_printf_that_cannot_be_done_fails)
{
    strbuf_printf(&buf, "%lc", (wint_t)0x20AC); /* not in the C locale */
    cr_expect(buf.failed);
}

Test(strbuf, exactly_the_limit_is_allowed)
{
    buf.limit = 3;
    strbuf_puts(&buf, "abc");
    cr_expect_not(buf.failed);
    cr_expect_str_eq(strbuf_text(&buf), "abc");
}

Test(strbuf, one_byte_more_than_the_limit_fails_and_adds_nothing)
{
    buf.limit = 3;
    strbuf_puts(&buf, "ab");
    strbuf_puts(&buf, "cd");
    cr_expect(buf.failed);
    cr_expect_str_eq(strbuf_text(&buf), "ab");
}

Test(strbuf, a_failure_is_remembered_even_when_later_additions_would_fit)
{
    buf.limit = 3;
    strbuf_puts(&buf, "abcd");
    strbuf_puts(&buf, "a");
    strbuf_printf(&buf, "%d", 1);
    cr_expect(buf.failed);
    cr_expect_str_eq(strbuf_text(&buf), "");
}

Test(strbuf, a_printf_beyond_the_limit_fails)
{
    buf.limit = 3;
    strbuf_printf(&buf, "%d", 1234);
    cr_expect(buf.failed);
    cr_expect_str_eq(strbuf_text(&buf), "");
}

Test(strbuf, a_reservation_that_no_memory_holds_fails)
{
    cr_expect_not(strbuf_reserve(&buf, SIZE_MAX));
    cr_expect(buf.failed);
}

Test(strbuf, reserved_room_can_be_written_directly)
{
    cr_assert(strbuf_reserve(&buf, 1000));
    memset(buf.data, 'x', 1000);
    buf.length = 1000;
    strbuf_puts(&buf, "y");
    cr_expect_eq(strlen(strbuf_text(&buf)), 1001);
}

Test(strbuf, truncating_keeps_the_start)
{
    strbuf_puts(&buf, "abcdef");
    strbuf_truncate(&buf, 2);
    strbuf_puts(&buf, "X");
    cr_expect_str_eq(strbuf_text(&buf), "abX");
}

Test(strbuf, truncating_an_empty_one_to_0_is_allowed)
{
    strbuf_truncate(&buf, 0);
    cr_expect_str_eq(strbuf_text(&buf), "");
}

Test(strbuf, stealing_hands_the_text_over_and_leaves_an_empty_one)
{
    strbuf_puts(&buf, "abc");
    char *text = strbuf_steal(&buf);
    cr_expect_str_eq(text, "abc");
    cr_expect_str_eq(strbuf_text(&buf), "");
    cr_expect_eq(buf.length, 0);
    free(text);
}

Test(strbuf, stealing_from_an_empty_one_gives_an_empty_text)
{
    char *text = strbuf_steal(&buf);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, "");
    free(text);
}

Test(strbuf, stealing_from_a_failed_one_gives_null_and_mends_it)
{
    buf.limit = 1;
    strbuf_puts(&buf, "ab");
    cr_expect_null(strbuf_steal(&buf));
    strbuf_puts(&buf, "a");
    cr_expect_str_eq(strbuf_text(&buf), "a");
}

Test(strbuf, a_word_for_a_shell_is_quoted_where_it_must_be)
{
    static const char *const words[][2] = {
        {"--repo=1", "--repo=1"}, {"", "''"},
        {"a b", "'a b'"},         {"~", "'~'"},
        {"it's", "'it'\\''s'"},   {"$(id)\n", "'$(id)\n'"},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        strbuf_truncate(&buf, 0);
        strbuf_shell_word(&buf, words[i][0]);
        cr_expect_str_eq(strbuf_text(&buf), words[i][1]);
    }
}

Test(strbuf, done_keeps_the_limit_and_may_be_called_twice)
{
    buf.limit = 2;
    strbuf_puts(&buf, "ab");
    strbuf_done(&buf);
    strbuf_done(&buf);
    strbuf_puts(&buf, "abc");
    cr_expect(buf.failed);
}
