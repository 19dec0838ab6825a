#include "exporter/base/utf8.h"

#include <criterion/criterion.h>
#include <stdint.h>

#define MARK "\xEF\xBF\xBD" /* U+FFFD */

/* Write one code point as its form of `width` bytes, overlong or not; not for width 1. */
static void encode(uint32_t point, size_t width, char *ret)
{
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = width - 1; i > 0; i--, point >>= 6)
        ret[i] = (char)(0x80 | (point & 0x3F));
    ret[0] = (char)(leads[width] | point);
}

static size_t width_of(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/* The length found for a form, with sound bytes behind it that must not count. */
static size_t length_of(uint32_t point, size_t width)
{
    char text[8] = "zzzzzzz";
    if (width == 1)
        text[0] = (char)point;
    else
        encode(point, width, text);
    return utf8_char_length(text, sizeof text - 1);
}

Test(utf8, every_code_point_but_surrogates_is_sound)
{
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        cr_assert_eq(length_of(point, width_of(point)), surrogate ? 0 : width_of(point), "U+%04X",
                     point);
    }
}

Test(utf8, values_above_the_last_code_point_are_not)
{
    for (uint32_t point = 0x110000; point < 0x200000; point++)
        cr_assert_eq(length_of(point, 4), 0, "U+%04X", point);
}

Test(utf8, overlong_forms_are_not)
{
    for (uint32_t point = 0; point < 0x80; point++)
        cr_assert_eq(length_of(point, 2), 0, "U+%04X in 2", point);
    for (uint32_t point = 0; point < 0x800; point++)
        cr_assert_eq(length_of(point, 3), 0, "U+%04X in 3", point);
    for (uint32_t point = 0; point < 0x10000; point++)
        cr_assert_eq(length_of(point, 4), 0, "U+%04X in 4", point);
}

Test(utf8, bytes_that_start_nothing_are_not)
{
    for (int byte = 0x80; byte <= 0xFF; byte++) {
        const char text[] = {(char)byte, 'z', 'z', 'z', '\0'};
        cr_assert_eq(utf8_char_length(text, 4), 0, "%02X", byte);
    }
}

Test(utf8, no_byte_is_no_character)
{
    cr_expect_eq(utf8_char_length("a", 0), 0);
}

Test(utf8, a_character_with_one_wrong_byte_is_none)
{
    static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        for (size_t wrong = 1; wrong < strlen(characters[i]); wrong++) {
            char text[5] = "";
            memcpy(text, characters[i], strlen(characters[i]));
            text[wrong] = 'z';
            cr_expect_eq(utf8_char_length(text, strlen(characters[i])), 0);
        }
    }
}

Test(utf8, a_cut_at_every_byte_keeps_whole_characters_only)
{
    static const char text[] = "a\xC3\xA9"
                               "b\xE2\x82\xAC"
                               "\xF0\x9F\x98\x80"
                               "c";
    static const size_t whole[] = {0, 1, 1, 3, 4, 4, 4, 7, 7, 7, 7, 11, 12};
    for (size_t length = 0; length < COUNT_OF(whole); length++) {
        cr_expect_eq(utf8_whole_length(text, length), whole[length], "cut at %zu", length);
        /* The bytes alone, so that a look beyond them is seen by the sanitizer. */
        char *alone = malloc(length + 1);
        cr_assert_not_null(alone);
        memmove(alone + 1, text, length);
        cr_expect_eq(utf8_whole_length(alone + 1, length), whole[length]);
        free(alone);
    }
}

Test(utf8, bytes_that_belong_to_no_character_are_not_taken_for_a_cut_one)
{
    cr_expect_eq(utf8_whole_length("a\x80", 2), 2);
    cr_expect_eq(utf8_whole_length("\xFF", 1), 1);
    cr_expect_eq(utf8_whole_length("\xC3\xA9\x80", 3), 3);
    cr_expect_eq(utf8_whole_length("\x80\x80\x80\x80\x80", 5), 5);
    cr_expect_eq(utf8_whole_length("\xE0\x80", 2), 2); /* overlong: no character begins so */
    cr_expect_eq(utf8_whole_length("\xED\xA0", 2), 2); /* a surrogate */
}

static void expect_repaired(const char *text, size_t length, const char *plain,
                            const char *printable)
{
    struct strbuf first CLEANUP(strbuf_done) = {0};
    struct strbuf second CLEANUP(strbuf_done) = {0};
    utf8_repair(&first, text, length);
    utf8_repair_printable(&second, text, length);
    cr_expect_str_eq(strbuf_text(&first), plain);
    cr_expect_str_eq(strbuf_text(&second), printable);
}

Test(utf8, sound_text_stays_as_it_is)
{
    const char *text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n\t~";
    expect_repaired(text, strlen(text), text, text);
}

Test(utf8, each_malformed_byte_becomes_one_mark)
{
    expect_repaired("a\xFF"
                    "b",
                    3, "a" MARK "b", "a" MARK "b");
    expect_repaired("\xE2\x82", 2, MARK MARK, MARK MARK);
    expect_repaired("\xE2\x82z", 3, MARK MARK "z", MARK MARK "z");
    expect_repaired("\xC0\xAF", 2, MARK MARK, MARK MARK);
}

Test(utf8, control_characters_become_marks_for_people_only)
{
    expect_repaired("\x1B[31m\r\x7F", 7, "\x1B[31m\r\x7F", MARK "[31m" MARK MARK);
}

Test(utf8, control_characters_of_two_bytes_become_marks_too)
{
    expect_repaired("\xC2\x9B\xC2\xA0", 4, "\xC2\x9B\xC2\xA0", MARK "\xC2\xA0");
}

Test(utf8, nul_bytes_are_kept_or_marked)
{
    struct strbuf plain CLEANUP(strbuf_done) = {0};
    utf8_repair(&plain, "a\0b", 3);
    cr_expect_eq(plain.length, 3);
    struct strbuf printable CLEANUP(strbuf_done) = {0};
    utf8_repair_printable(&printable, "a\0b", 3);
    cr_expect_str_eq(strbuf_text(&printable), "a" MARK "b");
}

Test(utf8, any_two_bytes_become_sound_text)
{
    for (int pair = 0; pair < 0x10000; pair++) {
        const char text[] = {(char)(pair >> 8), (char)(pair & 0xFF)};
        struct strbuf out CLEANUP(strbuf_done) = {0};
        utf8_repair_printable(&out, text, sizeof text);
        for (size_t at = 0; at < out.length;) {
            size_t width = utf8_char_length(out.data + at, out.length - at);
            cr_assert_gt(width, 0, "%04X", pair);
            at += width;
        }
    }
}

Test(utf8, a_quoted_text_is_a_json_string)
{
    struct strbuf out CLEANUP(strbuf_done) = {0};
    utf8_add_quoted(&out, "a \"b\" \\ \n\t\x1B\xFF");
    cr_expect_str_eq(strbuf_text(&out), "\"a \\\"b\\\" \\\\ \\n\\t" MARK MARK "\"");
}
