/*
 * page_card - what the status page says of one target.
 */
#ifndef EXPORTER_WEB_PAGE_CARD_H
#define EXPORTER_WEB_PAGE_CARD_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/strbuf.h"
#include "exporter/web/page.h"
#include "exporter/web/page_judge.h"

/* A sound target that reports nothing has none. */
bool page_has_card(const struct page_target *target);

void page_add_card(struct strbuf *out, const struct page *page, const struct page_target *target);

/* The only group of what a card shows, whose title names the target better than we could; NULL when
 * it has none, or several. */
const struct report_item *page_title_group(const struct page *page,
                                           const struct page_target *target);

/* "main, Repository 1 (nas)": a group's title does not say whose it is. */
void page_add_finding_name(struct strbuf *out, const struct page_finding *finding);

/* The state of a target that is not sound: "down: ...", in one line. */
void page_add_state(struct strbuf *out, const struct page *page, const struct page_target *target);

/* The fragment of its address is "t" and this. */
size_t page_number_of(const struct page *page, const struct page_target *target);

#endif
