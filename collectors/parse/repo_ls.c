#include "collectors/parse/repo_ls.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/sources/json.h"

/* pgBackRest's names, by enum repo_file_type; anything else (a socket, say) is left out. */
static const char *const type_names[] = {"file", "path", "link"};

/* Since 2.55 warnings come before the JSON, in lines of their own. */
static size_t message_length(const char *output, size_t length)
{
    size_t start = 0;
    while (start < length && output[start] != '{') {
        const char *newline = memchr(output + start, '\n', length - start);
        start = newline ? (size_t)(newline - output) + 1 : length;
    }
    return start;
}

static bool find_type(const char *name, enum repo_file_type *ret)
{
    for (size_t i = 0; i < COUNT_OF(type_names); i++) {
        if (strcmp(name, type_names[i]) != 0)
            continue;
        *ret = (enum repo_file_type)i;
        return true;
    }
    return false;
}

static size_t count_members(const struct json_at *object)
{
    struct json_at member;
    void *cursor = NULL;
    size_t count = 0;
    while (json_next_member(object, &cursor, &member))
        count++;
    return count;
}

static bool add_file(struct repo_listing *listing, const struct json_at *at, struct err *err)
{
    struct repo_file file = {.name = at->key};
    const char *type = NULL;
    if (!json_expect_object(at, err) || !json_get_text(at, "type", &type, err))
        return false;
    if (strcmp(file.name, ".") == 0 || !find_type(type, &file.type))
        return true;
    if (file.type == REPO_FILE && (!json_get_integer(at, "size", &file.size, err) ||
                                   !json_get_integer(at, "time", &file.time, err)))
        return false;
    listing->files[listing->count++] = file;
    return true;
}

static bool add_files(struct repo_listing *listing, struct err *err)
{
    struct json_at root = json_root(listing->root), member;
    void *cursor = NULL;
    if (!json_expect_object(&root, err))
        return false;
    listing->files = calloc(count_members(&root) + 1, sizeof *listing->files);
    if (!listing->files)
        return err_memory(err);
    while (json_next_member(&root, &cursor, &member)) {
        if (!add_file(listing, &member, err))
            return false;
    }
    return true;
}

static int compare_files(const void *one, const void *other)
{
    const struct repo_file *left = one, *right = other;
    return strcmp(left->name, right->name);
}

bool repo_ls_parse(const char *output, size_t length, struct repo_listing *ret, struct err *err)
{
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    size_t messages = message_length(output, length);
    if (!json_parse(output + messages, length - messages, &listing.root, err) ||
        !add_files(&listing, err))
        return false;
    qsort(listing.files, listing.count, sizeof *listing.files, compare_files);
    *ret = listing;
    listing = (struct repo_listing){0};
    return true;
}

void repo_listing_done(struct repo_listing *listing)
{
    free(listing->files);
    json_free(listing->root);
    *listing = (struct repo_listing){0};
}

const struct repo_file *repo_listing_find(const struct repo_listing *listing, const char *name)
{
    struct repo_file key = {.name = name};
    if (listing->count == 0)
        return NULL;
    return bsearch(&key, listing->files, listing->count, sizeof key, compare_files);
}
