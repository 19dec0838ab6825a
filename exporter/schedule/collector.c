#include "exporter/schedule/collector.h"

#include <stdlib.h>
#include <string.h>

bool run_is_down(struct run *run, const struct err *err)
{
    run->down = true;
    run->down_error = *err;
    return true;
}

bool run_says_down(struct run *run, size_t up_metric, const struct err *err)
{
    sink_add(run->sink, up_metric, 0, NULL);
    return run_is_down(run, err);
}

void run_observe(struct run *run, void *observation, void (*free_observation)(void *))
{
    if (run->observation)
        run->observation_free(run->observation);
    run->observation = observation;
    run->observation_free = free_observation;
}

const char *label_get(const struct label *labels, const char *name)
{
    for (const struct label *label = labels; label && label->name; label++) {
        if (strcmp(label->name, name) == 0)
            return label->value;
    }
    return "";
}

void label_list_free(struct label *labels)
{
    for (struct label *label = labels; label && label->name; label++) {
        free((void *)(uintptr_t)label->name);
        free((void *)(uintptr_t)label->value);
    }
    free(labels);
}

static size_t label_count(const struct label *labels)
{
    size_t count = 0;
    while (labels && labels[count].name)
        count++;
    return count;
}

bool label_lists_agree(const struct label *one, const struct label *other)
{
    for (; one->name; one++) {
        const char *value = label_get(other, one->name);
        if (*value && strcmp(value, one->value) != 0)
            return false;
    }
    return true;
}

struct label *label_list_copy(const struct label *labels)
{
    size_t count = label_count(labels);
    struct label *copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = (struct label){.name = strdup(labels[i].name), .value = strdup(labels[i].value)};
        if (!copy[i].name || !copy[i].value) {
            free((void *)(uintptr_t)copy[i].value);
            free((void *)(uintptr_t)copy[i].name);
            copy[i].name = NULL; /* ends the list for the release of what came before */
            label_list_free(copy);
            return NULL;
        }
    }
    return copy;
}

void target_done(struct target *target)
{
    free(target->name);
    free(target->fingerprint);
    label_list_free(target->labels);
    *target = (struct target){0};
}

struct target *target_add(struct target_list *list, const char *name, const char *fingerprint,
                          const struct label *labels)
{
    struct target *items = reallocarray(list->items, list->count + 1, sizeof *items);
    if (!items)
        return NULL;
    list->items = items;
    struct target *target = &items[list->count];
    *target = (struct target){
        .name = strdup(name),
        .fingerprint = strdup(fingerprint),
        .labels = label_list_copy(labels),
    };
    if (!target->name || !target->fingerprint || !target->labels) {
        target_done(target);
        return NULL;
    }
    list->count++;
    return target;
}

void target_list_done(struct target_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        target_done(&list->items[i]);
    free(list->items);
    *list = (struct target_list){0};
}

static bool labels_are_equal(const struct label *one, const struct label *other)
{
    if (label_count(one) != label_count(other))
        return false;
    for (size_t i = 0; one && one[i].name; i++) {
        if (strcmp(one[i].name, other[i].name) != 0 || strcmp(one[i].value, other[i].value) != 0)
            return false;
    }
    return true;
}

bool target_is_same(const struct target *one, const struct target *other)
{
    return strcmp(one->name, other->name) == 0 &&
           strcmp(one->fingerprint, other->fingerprint) == 0 &&
           labels_are_equal(one->labels, other->labels);
}
