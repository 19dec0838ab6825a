/*
 * lists - the plain containers that a configuration is made of: texts, and name=value pairs.
 *
 * An all-zero list is a valid empty one. Values may be secrets: they are overwritten before their
 * memory goes back.
 */
#ifndef EXPORTER_CONFIG_LISTS_H
#define EXPORTER_CONFIG_LISTS_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"

/* A list of owned texts, NULL-ended. */
struct text_list {
    char **items; /* NULL when empty */
    size_t count;
};

/* name=value, both owned. */
struct text_pair {
    char *name;
    char *value;
};

/* In the order they were added. A name may come more than once: its values are a list then. */
struct pair_list {
    struct text_pair *items;
    size_t count;
};

enum tristate { UNSET = -1, NO = 0, YES = 1 };

/* Append a copy. ERR_MEMORY leaves the list as it was. */
bool text_list_add(struct text_list *list, const char *text, struct err *err) MUST_USE;
bool text_list_has(const struct text_list *list, const char *text);
void text_list_done(struct text_list *list); /* the list is empty again */

/* Append copies of both. ERR_MEMORY leaves the list as it was. */
bool pair_list_add(struct pair_list *list, const char *name, const char *value,
                   struct err *err) MUST_USE;

/* The first value of a name, or NULL. Owned by the list. */
const char *pair_list_get(const struct pair_list *list, const char *name);

/* Remove every pair of that name. */
void pair_list_remove(struct pair_list *list, const char *name);
void pair_list_done(struct pair_list *list); /* the list is empty again */

/* Free one text, overwriting it first. Takes NULL; the second form is for CLEANUP(). */
void secret_free(char *text);
void secret_freep(char **text);

#endif
