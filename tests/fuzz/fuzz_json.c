/*
 * fuzz_json - any bytes are either refused with a reason or give a tree that can be walked.
 */
#include "exporter/sources/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void read_members(const struct json_at *at)
{
    struct json_at place;
    const char *text;
    int64_t integer;
    uint64_t wide;
    bool flag;
    struct err err = {0};
    bool sound =
        json_opt_object(at, "a", &place, &err) && json_opt_array(at, "b", &place, &err) &&
        json_opt_text(at, "c", &text, &err) && json_opt_integer(at, "d", 0, &integer, &err) &&
        json_opt_uint64(at, "e", 0, &wide, &err) && json_opt_bool(at, "f", false, &flag, &err);
    require(sound || (err.code == ERR_PROTOCOL && err.text[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_t *root CLEANUP(json_freep) = NULL;
    struct err err = {0};
    if (!json_parse((const char *)data, size, &root, &err)) {
        require(root == NULL && err.code == ERR_PROTOCOL && err.text[0] != '\0');
        return 0;
    }
    struct json_at top = json_root(root);
    read_members(&top);
    for (size_t i = 0; i < json_count(&top); i++) {
        struct json_at element = json_element(&top, i);
        read_members(&element);
    }
    return 0;
}
