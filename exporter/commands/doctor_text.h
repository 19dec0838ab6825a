/*
 * doctor_text - what was found, for a person at a terminal: what is worst first, and under each
 * failure what to do next.
 */
#ifndef EXPORTER_COMMANDS_DOCTOR_TEXT_H
#define EXPORTER_COMMANDS_DOCTOR_TEXT_H

#include <stdbool.h>

#include "exporter/base/strbuf.h"
#include "exporter/web/page.h"

/*
 * Append it. Findings of one grade keep the order of the page's targets, so that a cause stands
 * before what follows from it. A failure (no memory) shows in out->failed.
 */
void doctor_text(struct strbuf *out, const struct page *page, bool coloured);

/* The worst that was found; a page with nothing on it is unknown. */
enum grade doctor_worst(const struct page *page);

#endif
