#include "exporter/sources/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "exporter/base/strbuf.h"

static struct json_t *parse_bytes(const char *text, size_t length)
{
    struct err err = {0};
    struct json_t *root = NULL;
    cr_assert(json_parse(text, length, &root, &err), "%s", err.text);
    return root;
}

static struct json_t *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void assert_refused(const char *text, const char *wanted)
{
    struct err err = {0};
    struct json_t *root = NULL;
    cr_assert(!json_parse(text, strlen(text), &root, &err), "accepted: %s", text);
    cr_assert_null(root);
    cr_assert_eq(err.code, ERR_PROTOCOL);
    cr_assert(strstr(err.text, wanted), "%s", err.text);
}

Test(json, reads_members_of_every_kind)
{
    struct json_t *root CLEANUP(json_freep) = parse(
        "{\"text\": \"a\", \"integer\": -3, \"list\": [1, 2], \"object\": {}, \"flag\": true}");
    struct json_at at = json_root(root);
    struct json_at list, object;
    const char *text = NULL;
    int64_t integer = 0;
    bool flag = false;
    struct err err = {0};
    cr_assert(json_get_text(&at, "text", &text, &err));
    cr_assert_str_eq(text, "a");
    cr_assert(json_get_integer(&at, "integer", &integer, &err));
    cr_assert_eq(integer, -3);
    cr_assert(json_get_array(&at, "list", &list, &err));
    cr_assert_eq(json_count(&list), 2);
    cr_assert(json_get_object(&at, "object", &object, &err));
    cr_assert(json_opt_bool(&at, "flag", false, &flag, &err));
    cr_assert(flag);
}

/* [0].backup[1].timestamp.stop of the given text. */
static bool read_stop(const char *json, int64_t *ret, struct err *err)
{
    struct json_t *root CLEANUP(json_freep) = parse(json);
    struct json_at top = json_root(root);
    struct json_at stanza = json_element(&top, 0);
    struct json_at backups, backup, timestamp;
    if (!json_get_array(&stanza, "backup", &backups, err))
        return false;
    backup = json_element(&backups, 1);
    return json_get_object(&backup, "timestamp", &timestamp, err) &&
           json_get_integer(&timestamp, "stop", ret, err);
}

Test(json, error_names_the_full_path)
{
    static const struct {
        const char *json;
        const char *wanted;
    } cases[] = {
        {"[{\"backup\": [{}, {\"timestamp\": {\"stop\": \"x\"}}]}]",
         "[0].backup[1].timestamp.stop is a string, expected an integer"},
        {"[{\"backup\": [{}, {\"timestamp\": {\"stop\": 1.5}}]}]",
         "[0].backup[1].timestamp.stop is a number, expected an integer"},
        {"[{\"backup\": [{}, {\"timestamp\": {\"stop\": null}}]}]",
         "[0].backup[1].timestamp.stop is null, expected an integer"},
        {"[{\"backup\": [{}, {\"timestamp\": {}}]}]",
         "[0].backup[1].timestamp.stop is missing, expected an integer"},
        {"[{\"backup\": [{}, {\"timestamp\": []}]}]",
         "[0].backup[1].timestamp is an array, expected an object"},
        {"[{\"backup\": [{}, true]}]", "[0].backup[1] is a boolean, expected an object"},
        {"[{\"backup\": {}}]", "[0].backup is an object, expected an array"},
        {"[3]", "[0] is an integer, expected an object"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        int64_t stop = 7;
        cr_assert(!read_stop(cases[i].json, &stop, &err));
        cr_assert_eq(err.code, ERR_PROTOCOL);
        cr_assert_str_eq(err.text, cases[i].wanted);
        cr_assert_eq(stop, 7, "written on failure");
    }
}

Test(json, error_at_the_root_speaks_of_the_document)
{
    struct json_t *root CLEANUP(json_freep) = parse("{}");
    struct json_at at = json_root(root);
    struct err err = {0};
    cr_assert(!json_expect_array(&at, &err));
    cr_assert_str_eq(err.text, "the document is an object, expected an array");
}

Test(json, path_of_a_member_of_the_root_has_no_leading_dot)
{
    struct json_t *root CLEANUP(json_freep) = parse("{\"name\": 1}");
    struct json_at at = json_root(root);
    const char *text = NULL;
    struct err err = {0};
    cr_assert(!json_get_text(&at, "name", &text, &err));
    cr_assert_str_eq(err.text, "name is an integer, expected a string");
}

Test(json, optional_members_fall_back_when_absent_or_null)
{
    struct json_t *root CLEANUP(json_freep) = parse("{\"nothing\": null}");
    struct json_at at = json_root(root);
    static const char *const keys[] = {"nothing", "absent"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct json_at object = at, array = at;
        const char *text = "x";
        int64_t integer = 0;
        uint64_t wide = 0;
        bool flag = false;
        cr_assert(json_opt_object(&at, keys[i], &object, NULL));
        cr_assert_null(object.value);
        cr_assert(json_opt_array(&at, keys[i], &array, NULL));
        cr_assert_eq(json_count(&array), 0);
        cr_assert(json_opt_text(&at, keys[i], &text, NULL));
        cr_assert_null(text);
        cr_assert(json_opt_integer(&at, keys[i], 5, &integer, NULL));
        cr_assert_eq(integer, 5);
        cr_assert(json_opt_uint64(&at, keys[i], 6, &wide, NULL));
        cr_assert_eq(wide, 6);
        cr_assert(json_opt_bool(&at, keys[i], true, &flag, NULL));
        cr_assert(flag);
    }
}

Test(json, members_of_an_absent_object_are_absent)
{
    struct json_t *root CLEANUP(json_freep) = parse("{}");
    struct json_at at = json_root(root);
    struct json_at lock, backup;
    int64_t value = 0;
    struct err err = {0};
    cr_assert(json_opt_object(&at, "lock", &lock, &err));
    cr_assert(json_opt_object(&lock, "backup", &backup, &err));
    cr_assert(json_opt_integer(&backup, "size", 9, &value, &err));
    cr_assert_eq(value, 9);
    cr_assert(!json_get_integer(&backup, "size", &value, &err));
    cr_assert_str_eq(err.text, "lock.backup.size is missing, expected an integer");
}

Test(json, optional_members_of_the_wrong_kind_are_errors)
{
    struct json_t *root CLEANUP(json_freep) = parse("{\"a\": 1.5}");
    struct json_at at = json_root(root), place;
    const char *text;
    int64_t integer;
    uint64_t wide;
    bool flag;
    cr_assert(!json_opt_object(&at, "a", &place, NULL));
    cr_assert(!json_opt_array(&at, "a", &place, NULL));
    cr_assert(!json_opt_text(&at, "a", &text, NULL));
    cr_assert(!json_opt_integer(&at, "a", 0, &integer, NULL));
    cr_assert(!json_opt_uint64(&at, "a", 0, &wide, NULL));
    cr_assert(!json_opt_bool(&at, "a", false, &flag, NULL));
}

Test(json, elements_are_checked_one_by_one)
{
    struct json_t *root CLEANUP(json_freep) = parse("[{}, [], \"x\"]");
    struct json_at at = json_root(root);
    struct json_at first = json_element(&at, 0), second = json_element(&at, 1),
                   third = json_element(&at, 2);
    const char *text = NULL;
    struct err err = {0};
    cr_assert(json_expect_object(&first, &err));
    cr_assert(json_expect_array(&second, &err));
    cr_assert(json_expect_text(&third, &text, &err));
    cr_assert_str_eq(text, "x");
    cr_assert(!json_expect_text(&second, &text, &err));
    cr_assert_str_eq(err.text, "[1] is an array, expected a string");
}

static void assert_first_text(const char *json, size_t length, const char *wanted)
{
    struct json_t *root CLEANUP(json_freep) = parse_bytes(json, length);
    struct json_at top = json_root(root);
    struct json_at first = json_element(&top, 0);
    const char *text = NULL;
    struct err err = {0};
    cr_assert(json_expect_text(&first, &text, &err), "%s", err.text);
    cr_assert_str_eq(text, wanted);
}

Test(json, malformed_utf8_becomes_the_replacement_character)
{
    static const char json[] = "[\"a\xFF\x80z\"]";
    assert_first_text(json, sizeof json - 1, "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

Test(json, raw_control_bytes_in_texts_are_kept_as_they_are)
{
    static const char json[] = "[\"a\x1b[31m\r\n\tz\"]";
    assert_first_text(json, sizeof json - 1, "a\x1b[31m\r\n\tz");
}

Test(json, a_nul_byte_does_not_end_a_text)
{
    static const char raw[] = "[\"a\0z\"]", escaped[] = "[\"a\\u0000z\"]";
    assert_first_text(raw, sizeof raw - 1, "a\xEF\xBF\xBDz");
    assert_first_text(escaped, sizeof escaped - 1, "a\xEF\xBF\xBDz");
}

Test(json, escapes_are_not_taken_for_the_end_of_a_text)
{
    static const char json[] = "[\"a\\\"\\\\\", 12345678901234567890]";
    assert_first_text(json, sizeof json - 1, "a\"\\");
}

Test(json, digits_inside_a_text_are_no_number)
{
    static const char json[] = "[\"a\\\" 99999999999999999999 z\"]";
    assert_first_text(json, sizeof json - 1, "a\" 99999999999999999999 z");
}

Test(json, whitespace_outside_texts_is_no_error)
{
    struct json_t *root CLEANUP(json_freep) = parse("\r\n\t [ \n1\t,\r2 ]\n\n");
    struct json_at at = json_root(root);
    cr_assert_eq(json_count(&at), 2);
}

static bool read_id(const char *value, uint64_t *ret, struct err *err)
{
    char json[80];
    snprintf(json, sizeof json, "{\"system-id\" : %s }", value);
    struct json_t *root CLEANUP(json_freep) = parse(json);
    struct json_at at = json_root(root);
    return json_opt_uint64(&at, "system-id", 0, ret, err);
}

Test(json, unsigned_integers_keep_all_64_bits)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0", 0},
        {"6941966298907810297", 6941966298907810297},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", (uint64_t)INT64_MAX + 1},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t id = 1;
        struct err err = {0};
        cr_assert(read_id(cases[i].text, &id, &err), "%s", err.text);
        cr_assert_eq(id, cases[i].value, "%s", cases[i].text);
    }
}

Test(json, what_is_no_unsigned_integer_is_refused)
{
    static const char *const cases[] = {
        "18446744073709551616",
        "-1",
        "-9223372036854775809",
        "1.5",
        "1e3",
        "\"\"",
        "\" 1\"",
        "\"+1\"",
        "\"1x\"",
        "{}",
        "true",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t id = 7;
        struct err err = {0};
        cr_assert(!read_id(cases[i], &id, &err), "accepted: %s", cases[i]);
        cr_assert(strstr(err.text, "expected an integer from 0 to"), "%s", err.text);
        cr_assert_eq(id, 7);
    }
}

Test(json, an_integer_beyond_64_bits_spoils_only_itself)
{
    struct json_t *root CLEANUP(json_freep) =
        parse("{\"big\":99999999999999999999,\"small\":-99999999999999999999,\"good\":1}");
    struct json_at at = json_root(root);
    int64_t value = 0;
    struct err err = {0};
    cr_assert(json_get_integer(&at, "good", &value, &err));
    cr_assert_eq(value, 1);
    cr_assert(!json_get_integer(&at, "big", &value, &err));
    cr_assert(!json_get_integer(&at, "small", &value, &err));
}

Test(json, repair_makes_no_broken_document_valid)
{
    assert_refused("{99999999999999999999: 1}", "too big integer");
    assert_refused("{99999999999999999999\n: 1}", "too big integer");
    assert_refused("[099999999999999999999]", "invalid");
    assert_refused("[-]", "invalid");
}

Test(json, trailing_garbage_is_refused)
{
    assert_refused("[] x", "end of file expected");
    assert_refused("[][]", "end of file expected");
}

Test(json, syntax_error_names_line_and_column)
{
    assert_refused("[\n1,\n2 3]", "line 3, column 3");
}

Test(json, empty_input_is_refused)
{
    assert_refused("", "line 1");
    assert_refused("  \n", "line 2");
}

Test(json, a_document_cut_at_any_byte_is_refused)
{
    static const char json[] =
        "[{\"a\": \"b\\u0041\", \"c\": [1, 2.5, null], \"d\": 99999999999999999999}]";
    for (size_t length = 0; length < sizeof json - 1; length++) {
        struct json_t *root = NULL;
        struct err err = {0};
        cr_assert(!json_parse(json, length, &root, &err), "cut at %zu was accepted", length);
        cr_assert_eq(err.code, ERR_PROTOCOL);
    }
    json_free(parse(json));
}

Test(json, nesting_without_end_is_refused)
{
    size_t depth = 1000000;
    char *json = malloc(depth);
    cr_assert(json);
    memset(json, '[', depth);
    struct json_t *root = NULL;
    struct err err = {0};
    cr_assert(!json_parse(json, depth, &root, &err));
    cr_assert(strstr(err.text, "depth"), "%s", err.text);
    free(json);
}

Test(json, members_come_in_the_order_of_the_text)
{
    struct json_t *root = parse("{\"b\": 1, \"a\": 2, \"c\": null}");
    struct json_at at = json_root(root), member;
    struct strbuf seen CLEANUP(strbuf_done) = {0};
    void *cursor = NULL;
    while (json_next_member(&at, &cursor, &member))
        strbuf_puts(&seen, member.key);
    cr_expect_str_eq(strbuf_text(&seen), "bac");
    json_free(root);
}

Test(json, what_is_no_object_has_no_members)
{
    struct json_t *root = parse("[1]");
    struct json_at at = json_root(root), member;
    void *cursor = NULL;
    cr_expect_not(json_next_member(&at, &cursor, &member));
    json_free(root);
}

Test(json, free_takes_null)
{
    struct json_t *root = NULL;
    json_free(NULL);
    json_freep(&root);
}
