/*
 * json - typed reading of JSON texts, with errors that name the place.
 *
 * A place (struct json_at) is a value and the way to it; it lives on the reader's stack and points
 * to the place above it, so an error can say "[0].backup[3].timestamp.stop is a string, expected
 * an integer" at no cost while all is well.
 *
 * jansson itself exports json_object(), json_array(), json_integer() and json_is_object(): hence
 * json_get_... and json_expect_... here.
 */
#ifndef EXPORTER_SOURCES_JSON_H
#define EXPORTER_SOURCES_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

struct json_t; /* jansson's */

struct json_at {
    const struct json_t *value;   /* NULL: an optional value that is absent or null */
    const struct json_at *parent; /* NULL at the root; must outlive this one */
    const char *key;              /* name in its object, or NULL for an element */
    size_t index;                 /* place in its array */
};

/*
 * Parse a whole text of `length` bytes. What pgBackRest really prints is repaired first: malformed
 * UTF-8 and NUL become U+FFFD, raw control bytes inside texts are escaped, integers that 64 bits
 * with a sign cannot hold are kept as texts for json_opt_uint64(). Depth is limited by jansson.
 * ERR_PROTOCOL with line and column (of the repaired text), ERR_MEMORY. *ret is freed by
 * json_free().
 */
bool json_parse(const char *text, size_t length, struct json_t **ret, struct err *err) MUST_USE;
void json_free(struct json_t *root);
void json_freep(struct json_t **root);

struct json_at json_root(const struct json_t *root);

/*
 * Members. The first three want them there and of the kind named, the json_opt_ ones accept absent
 * and null (then ret gets a NULL value, or the fallback). ERR_PROTOCOL names the full path.
 * `at` must outlive *ret. Texts belong to the root.
 */
bool json_get_object(const struct json_at *at, const char *key, struct json_at *ret,
                     struct err *err) MUST_USE;
bool json_get_array(const struct json_at *at, const char *key, struct json_at *ret,
                    struct err *err) MUST_USE;
bool json_get_text(const struct json_at *at, const char *key, const char **ret,
                   struct err *err) MUST_USE;
bool json_get_integer(const struct json_at *at, const char *key, int64_t *ret,
                      struct err *err) MUST_USE;
bool json_opt_object(const struct json_at *at, const char *key, struct json_at *ret,
                     struct err *err) MUST_USE;
bool json_opt_array(const struct json_at *at, const char *key, struct json_at *ret,
                    struct err *err) MUST_USE;
bool json_opt_text(const struct json_at *at, const char *key, const char **ret,
                   struct err *err) MUST_USE;
bool json_opt_integer(const struct json_at *at, const char *key, int64_t fallback, int64_t *ret,
                      struct err *err) MUST_USE;
bool json_opt_bool(const struct json_at *at, const char *key, bool fallback, bool *ret,
                   struct err *err) MUST_USE;
/* 64 bits unsigned: pgBackRest's system-id is printed as one and needs all of them from 2038 on. */
bool json_opt_uint64(const struct json_at *at, const char *key, uint64_t fallback, uint64_t *ret,
                     struct err *err) MUST_USE;

/*
 * The members of an object place, in the order of the text. *cursor is NULL at the start; false
 * after the last one. ret->key is the member's name.
 */
bool json_next_member(const struct json_at *object, void **cursor, struct json_at *ret);

/* Elements of an array place, members of an object place; 0 for an absent one. */
size_t json_count(const struct json_at *at);
/* Element `index` (below json_count), of any kind; check it with json_expect_object(). */
struct json_at json_element(const struct json_at *array, size_t index);
/* ERR_PROTOCOL unless the place holds an object / an array / a text. */
bool json_expect_object(const struct json_at *at, struct err *err) MUST_USE;
bool json_expect_array(const struct json_at *at, struct err *err) MUST_USE;
bool json_expect_text(const struct json_at *at, const char **ret, struct err *err) MUST_USE;

#endif
