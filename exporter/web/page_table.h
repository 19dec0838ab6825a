/*
 * page_table - how the collectors themselves are getting on.
 */
#ifndef EXPORTER_WEB_PAGE_TABLE_H
#define EXPORTER_WEB_PAGE_TABLE_H

#include "exporter/base/strbuf.h"
#include "exporter/web/page_groups.h"

/* Append a row for each target of the groups that are shown in full; nothing without targets. */
void page_add_table(struct strbuf *out, const struct page *page, const struct page_groups *groups);

#endif
