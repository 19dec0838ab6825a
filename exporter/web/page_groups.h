/*
 * page_groups - which targets of a page belong together, the worst group first. No HTML.
 */
#ifndef EXPORTER_WEB_PAGE_GROUPS_H
#define EXPORTER_WEB_PAGE_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/web/page.h"

/* Its targets in the order of the page, those that lead before the others. Nothing is owned. */
struct page_group {
    const struct page_target *const *targets;
    size_t count;
    const char *name; /* "" for those that belong to no group */
    enum grade grade; /* the worst of them */
};

/* All-zero: none. */
struct page_groups {
    struct page_group *items;
    size_t count;
    const struct page_target **targets; /* of all groups, one behind the other */
};

/*
 * The groups of the page, the worst first, of equal ones in the order of their first targets; what
 * belongs to no group is the last. False: no memory. Released by page_groups_done().
 */
bool page_groups_make(const struct page *page, struct page_groups *ret) MUST_USE;
void page_groups_done(struct page_groups *groups);

#endif
