#include "exporter/web/page_groups.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/web/page_judge.h"

static int compare(size_t one, size_t other)
{
    return (one > other) - (one < other);
}

static int compare_targets(const void *one, const void *other)
{
    const struct page_target *left = *(const struct page_target *const *)one;
    const struct page_target *right = *(const struct page_target *const *)other;
    int names = strcmp(left->group, right->group);
    if (names != 0)
        return names;
    int lead = compare(right->leads, left->leads);
    return lead != 0 ? lead : (left > right) - (left < right);
}

static const struct page_target *first_of(const struct page_group *group)
{
    const struct page_target *first = group->targets[0];
    for (size_t i = 1; i < group->count; i++)
        first = group->targets[i] < first ? group->targets[i] : first;
    return first;
}

static int compare_groups(const void *one, const void *other)
{
    const struct page_group *left = one, *right = other;
    int nameless = compare(*left->name == '\0', *right->name == '\0');
    if (nameless != 0)
        return nameless;
    int grade = compare(right->grade, left->grade);
    if (grade != 0)
        return grade;
    const struct page_target *first = first_of(left), *second = first_of(right);
    return (first > second) - (first < second);
}

static bool begins_group(const struct page_groups *groups, size_t index)
{
    return index == 0 ||
           strcmp(groups->targets[index - 1]->group, groups->targets[index]->group) != 0;
}

static void add_target(struct page_groups *groups, const struct page *page, size_t index)
{
    const struct page_target *target = groups->targets[index];
    enum grade grade = page_target_grade(page, target);
    if (begins_group(groups, index))
        groups->items[groups->count++] =
            (struct page_group){.targets = &groups->targets[index], .name = target->group};
    struct page_group *group = &groups->items[groups->count - 1];
    group->count++;
    group->grade = grade > group->grade ? grade : group->grade;
}

bool page_groups_make(const struct page *page, struct page_groups *ret)
{
    size_t count = page->target_count;
    struct page_groups groups = {
        .items = calloc(count + 1, sizeof *groups.items),
        .targets = calloc(count + 1, sizeof(const struct page_target *)),
    };
    if (!groups.items || !groups.targets) {
        page_groups_done(&groups);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        groups.targets[i] = &page->targets[i];
    qsort(groups.targets, count, sizeof(const struct page_target *), compare_targets);
    for (size_t i = 0; i < count; i++)
        add_target(&groups, page, i);
    qsort(groups.items, groups.count, sizeof *groups.items, compare_groups);
    *ret = groups;
    return true;
}

void page_groups_done(struct page_groups *groups)
{
    free(groups->items);
    free((void *)groups->targets);
    *groups = (struct page_groups){0};
}
