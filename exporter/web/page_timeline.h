/*
 * page_timeline - the time lines of a group, one row for each of its targets that has events.
 */
#ifndef EXPORTER_WEB_PAGE_TIMELINE_H
#define EXPORTER_WEB_PAGE_TIMELINE_H

#include "exporter/base/strbuf.h"
#include "exporter/web/page_groups.h"

/*
 * Append the figure; nothing without events. Several collectors may watch a target of one name: the
 * first that has events, in the order of the group, speaks for it.
 */
void page_add_timeline(struct strbuf *out, const struct page *page, const struct page_group *group);

#endif
