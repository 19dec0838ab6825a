#include "exporter/config/lists.h"

#include <stdlib.h>
#include <string.h>

void secret_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void secret_freep(char **text)
{
    secret_free(*text);
}

bool text_list_add(struct text_list *list, const char *text, struct err *err)
{
    char **items = reallocarray(list->items, list->count + 2, sizeof *items);
    if (!items)
        return err_memory(err);
    list->items = items;
    items[list->count] = strdup(text);
    if (!items[list->count])
        return err_memory(err);
    items[++list->count] = NULL;
    return true;
}

bool text_list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

void text_list_done(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        secret_free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

static void pair_done(struct text_pair *pair)
{
    secret_free(pair->name);
    secret_free(pair->value);
}

bool pair_list_add(struct pair_list *list, const char *name, const char *value, struct err *err)
{
    struct text_pair *items = reallocarray(list->items, list->count + 1, sizeof *items);
    if (!items)
        return err_memory(err);
    list->items = items;
    struct text_pair pair = {.name = strdup(name), .value = strdup(value)};
    if (!pair.name || !pair.value) {
        pair_done(&pair);
        return err_memory(err);
    }
    items[list->count++] = pair;
    return true;
}

const char *pair_list_get(const struct pair_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return list->items[i].value;
    }
    return NULL;
}

void pair_list_remove(struct pair_list *list, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            pair_done(&list->items[i]);
        else
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

void pair_list_done(struct pair_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pair_done(&list->items[i]);
    free(list->items);
    *list = (struct pair_list){0};
}
