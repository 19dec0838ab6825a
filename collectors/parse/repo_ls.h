/*
 * repo_ls - what `pgbackrest repo-ls --output=json` prints of one folder of a repository.
 *
 * Pure. A folder that does not exist is printed like one that is empty (seen with 2.45).
 */
#ifndef COLLECTORS_PARSE_REPO_LS_H
#define COLLECTORS_PARSE_REPO_LS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

enum repo_file_type { REPO_FILE, REPO_FOLDER, REPO_LINK };

struct repo_file {
    const char *name; /* with --recurse: the way from the folder that was listed */
    enum repo_file_type type;
    int64_t size; /* bytes of a file as stored, else 0 */
    int64_t time; /* when a file was last written, s since 1970, else 0 */
};

/* All texts live until repo_listing_done(). */
struct repo_listing {
    struct repo_file *files; /* by name; the folder itself is left out */
    size_t count;
    struct json_t *root;
};

/*
 * Parse the whole output, messages before the JSON included. ERR_PROTOCOL names the place,
 * ERR_MEMORY. *ret is released by repo_listing_done().
 */
bool repo_ls_parse(const char *output, size_t length, struct repo_listing *ret,
                   struct err *err) MUST_USE;
void repo_listing_done(struct repo_listing *listing); /* the listing is empty again */

/* The entry of that name, or NULL. */
const struct repo_file *repo_listing_find(const struct repo_listing *listing, const char *name);

#endif
