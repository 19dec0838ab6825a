/*
 * page_lines - groups in one line each, where there are too many for more, and links to them.
 */
#ifndef EXPORTER_WEB_PAGE_LINES_H
#define EXPORTER_WEB_PAGE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/strbuf.h"
#include "exporter/web/page_groups.h"

/* How many groups the page shows in full. */
#define PAGE_GROUPS_IN_FULL 6

/* Whether that one is: the worst are, and what belongs to no group. */
bool page_is_in_full(const struct page_groups *groups, size_t index);

/* Append the address of the page about one group only, as it stands in an attribute. */
void page_add_group_address(struct strbuf *out, const char *name);

/* Append the groups that are not shown in full; nothing when all are. */
void page_add_lines(struct strbuf *out, const struct page *page, const struct page_groups *groups);

#endif
