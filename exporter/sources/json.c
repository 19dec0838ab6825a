#include "exporter/sources/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

/*
 * The repairing pass reads the text once, as a lexer would: strings, numbers, all else. It makes
 * no invalid document valid but for the three things that json.h names.
 */
struct reader {
    const char *next;
    const char *end;
    struct strbuf *out;
};

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->next);
}

static void copy_bytes(struct reader *reader, size_t count)
{
    strbuf_add(reader->out, reader->next, count);
    reader->next += count;
}

static void repair_control_byte(struct reader *reader)
{
    unsigned char byte = (unsigned char)*reader->next++;
    if (byte == 0)
        strbuf_puts(reader->out, "\\ufffd"); /* would end the text early in C */
    else
        strbuf_printf(reader->out, "\\u%04x", byte);
}

static void copy_escape(struct reader *reader)
{
    static const char nul[] = "\\u0000";
    size_t length = sizeof nul - 1;
    if (left(reader) >= length && memcmp(reader->next, nul, length) == 0) {
        strbuf_puts(reader->out, "\\ufffd");
        reader->next += length;
        return;
    }
    copy_bytes(reader, left(reader) < 2 ? 1 : 2);
}

static void copy_string(struct reader *reader)
{
    copy_bytes(reader, 1);
    while (left(reader) > 0 && *reader->next != '"') {
        if ((unsigned char)*reader->next < 0x20)
            repair_control_byte(reader);
        else if (*reader->next == '\\')
            copy_escape(reader);
        else
            copy_bytes(reader, 1);
    }
    if (left(reader) > 0)
        copy_bytes(reader, 1);
}

static bool is_number_byte(char byte)
{
    return isdigit((unsigned char)byte) || (byte != '\0' && strchr("+-.eE", byte));
}

/* Whether it is an integer as JSON writes them, and one that int64_t cannot hold. */
static bool is_long_integer(const char *token, size_t length)
{
    char digits[40]; /* twice the longest that 64 bits can mean */
    if (length >= sizeof digits)
        return false;
    memcpy(digits, token, length);
    digits[length] = '\0';
    const char *first = digits[0] == '-' ? digits + 1 : digits;
    if (*first < '1' || *first > '9' || first[strspn(first, "0123456789")] != '\0')
        return false;
    errno = 0;
    (void)strtoll(digits, NULL, 10);
    return errno == ERANGE;
}

static bool is_key(const char *after, const char *end)
{
    while (after < end && strchr(" \t\r\n", *after) && *after != '\0')
        after++;
    return after < end && *after == ':';
}

static void copy_number(struct reader *reader)
{
    size_t length = 0;
    while (length < left(reader) && is_number_byte(reader->next[length]))
        length++;
    bool quote =
        is_long_integer(reader->next, length) && !is_key(reader->next + length, reader->end);
    if (quote)
        strbuf_putc(reader->out, '"');
    copy_bytes(reader, length);
    if (quote)
        strbuf_putc(reader->out, '"');
}

static void repair(struct reader *reader)
{
    while (left(reader) > 0) {
        if (*reader->next == '"')
            copy_string(reader);
        else if (is_number_byte(*reader->next))
            copy_number(reader);
        else
            copy_bytes(reader, 1);
    }
}

bool json_parse(const char *text, size_t length, struct json_t **ret, struct err *err)
{
    struct strbuf utf8 CLEANUP(strbuf_done) = {0};
    struct strbuf sound CLEANUP(strbuf_done) = {0};
    utf8_repair(&utf8, text, length);
    const char *start = strbuf_text(&utf8);
    repair(&(struct reader){.next = start, .end = start + utf8.length, .out = &sound});
    if (utf8.failed || sound.failed)
        return err_memory(err);

    json_error_t error;
    struct json_t *root = json_loadb(strbuf_text(&sound), sound.length, 0, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return err_memory(err);
    if (!root)
        return err_set(err, ERR_PROTOCOL, "no valid JSON at line %d, column %d: %s", error.line,
                       error.column, error.text);
    *ret = root;
    return true;
}

void json_free(struct json_t *root)
{
    json_decref(root);
}

void json_freep(struct json_t **root)
{
    json_free(*root);
}

struct json_at json_root(const struct json_t *root)
{
    return (struct json_at){.value = root};
}

static const char *kind_name(const struct json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",    [JSON_NULL] = "null",
    };
    return value ? names[json_typeof(value)] : "missing";
}

/* The way to a place from the root: "[0].backup[3]". Deep recursion is ruled out: jansson's limit.
 */
static void add_path(struct strbuf *out, const struct json_at *at)
{
    if (!at->parent)
        return;
    add_path(out, at->parent);
    if (!at->key)
        strbuf_printf(out, "[%zu]", at->index);
    else
        strbuf_printf(out, "%s%s", out->length > 0 ? "." : "", at->key);
}

static bool expected(const struct json_at *at, const char *what, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    add_path(&path, at);
    return err_set(err, ERR_PROTOCOL, "%s is %s, expected %s",
                   path.length > 0 ? strbuf_text(&path) : "the document", kind_name(at->value),
                   what);
}

/* A member as it is; a NULL value when the object is an absent one or has no such member. */
static bool member(const struct json_at *at, const char *key, struct json_at *ret, struct err *err)
{
    if (at->value && !json_is_object(at->value))
        return expected(at, "an object", err);
    *ret = (struct json_at){
        .value = at->value ? json_object_get(at->value, key) : NULL, .parent = at, .key = key};
    return true;
}

/* The same, with null read as absent. */
static bool opt_member(const struct json_at *at, const char *key, struct json_at *ret,
                       struct err *err)
{
    if (!member(at, key, ret, err))
        return false;
    if (ret->value && json_is_null(ret->value))
        ret->value = NULL;
    return true;
}

bool json_expect_object(const struct json_at *at, struct err *err)
{
    return json_is_object(at->value) || expected(at, "an object", err);
}

bool json_expect_array(const struct json_at *at, struct err *err)
{
    return json_is_array(at->value) || expected(at, "an array", err);
}

bool json_expect_text(const struct json_at *at, const char **ret, struct err *err)
{
    if (!json_is_string(at->value))
        return expected(at, "a string", err);
    *ret = json_string_value(at->value);
    return true;
}

static bool expect_integer(const struct json_at *at, int64_t *ret, struct err *err)
{
    if (!json_is_integer(at->value))
        return expected(at, "an integer", err);
    *ret = json_integer_value(at->value);
    return true;
}

bool json_get_object(const struct json_at *at, const char *key, struct json_at *ret,
                     struct err *err)
{
    struct json_at found = {0};
    if (!member(at, key, &found, err) || !json_expect_object(&found, err))
        return false;
    *ret = found;
    return true;
}

bool json_get_array(const struct json_at *at, const char *key, struct json_at *ret, struct err *err)
{
    struct json_at found = {0};
    if (!member(at, key, &found, err) || !json_expect_array(&found, err))
        return false;
    *ret = found;
    return true;
}

bool json_get_text(const struct json_at *at, const char *key, const char **ret, struct err *err)
{
    struct json_at found = {0};
    return member(at, key, &found, err) && json_expect_text(&found, ret, err);
}

bool json_get_integer(const struct json_at *at, const char *key, int64_t *ret, struct err *err)
{
    struct json_at found = {0};
    return member(at, key, &found, err) && expect_integer(&found, ret, err);
}

bool json_opt_object(const struct json_at *at, const char *key, struct json_at *ret,
                     struct err *err)
{
    struct json_at found = {0};
    if (!opt_member(at, key, &found, err) || (found.value && !json_expect_object(&found, err)))
        return false;
    *ret = found;
    return true;
}

bool json_opt_array(const struct json_at *at, const char *key, struct json_at *ret, struct err *err)
{
    struct json_at found = {0};
    if (!opt_member(at, key, &found, err) || (found.value && !json_expect_array(&found, err)))
        return false;
    *ret = found;
    return true;
}

bool json_opt_text(const struct json_at *at, const char *key, const char **ret, struct err *err)
{
    struct json_at found = {0};
    if (!opt_member(at, key, &found, err))
        return false;
    if (found.value)
        return json_expect_text(&found, ret, err);
    *ret = NULL;
    return true;
}

bool json_opt_integer(const struct json_at *at, const char *key, int64_t fallback, int64_t *ret,
                      struct err *err)
{
    struct json_at found = {0};
    if (!opt_member(at, key, &found, err))
        return false;
    if (found.value)
        return expect_integer(&found, ret, err);
    *ret = fallback;
    return true;
}

bool json_opt_bool(const struct json_at *at, const char *key, bool fallback, bool *ret,
                   struct err *err)
{
    struct json_at found = {0};
    if (!opt_member(at, key, &found, err))
        return false;
    if (found.value && !json_is_boolean(found.value))
        return expected(&found, "a boolean", err);
    *ret = found.value ? json_is_true(found.value) : fallback;
    return true;
}

/* The digits of an integer that repair() had to keep as a text. */
static bool read_uint64(const char *digits, uint64_t *ret)
{
    if (!isdigit((unsigned char)*digits)) /* strtoull would take blanks and signs */
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret = value;
    return true;
}

bool json_opt_uint64(const struct json_at *at, const char *key, uint64_t fallback, uint64_t *ret,
                     struct err *err)
{
    static const char wanted[] = "an integer from 0 to 18446744073709551615";
    struct json_at found = {0};
    if (!opt_member(at, key, &found, err))
        return false;
    if (!found.value) {
        *ret = fallback;
        return true;
    }
    if (json_is_string(found.value))
        return read_uint64(json_string_value(found.value), ret) || expected(&found, wanted, err);
    if (!json_is_integer(found.value) || json_integer_value(found.value) < 0)
        return expected(&found, wanted, err);
    *ret = (uint64_t)json_integer_value(found.value);
    return true;
}

bool json_next_member(const struct json_at *object, void **cursor, struct json_at *ret)
{
    /* jansson wants it writable, but only to hand out writable values. */
    json_t *value = (json_t *)(uintptr_t)object->value;
    *cursor = *cursor ? json_object_iter_next(value, *cursor) : json_object_iter(value);
    if (!*cursor)
        return false;
    *ret = (struct json_at){
        .value = json_object_iter_value(*cursor),
        .parent = object,
        .key = json_object_iter_key(*cursor),
    };
    return true;
}

size_t json_count(const struct json_at *at)
{
    if (json_is_object(at->value))
        return json_object_size(at->value);
    return json_array_size(at->value); /* 0 for NULL and for what is no array */
}

struct json_at json_element(const struct json_at *array, size_t index)
{
    return (struct json_at){
        .value = json_array_get(array->value, index), .parent = array, .index = index};
}
