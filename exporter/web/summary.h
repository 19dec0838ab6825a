/*
 * summary - the status page in one line of plain text: how bad it is, and what is worst.
 */
#ifndef EXPORTER_WEB_SUMMARY_H
#define EXPORTER_WEB_SUMMARY_H

#include "exporter/base/strbuf.h"
#include "exporter/web/page.h"

/* Longest line; what is longer is cut at a character and ends in "...". */
#define SUMMARY_MOST_BYTES 240

/*
 * Append it: "Failed (2): main, repo2 r2: NOT restorable: no full backup", the first of the two
 * that are as bad. One line, in printable UTF-8. Does not block.
 */
void summary_write(struct strbuf *out, const struct page *page);

#endif
