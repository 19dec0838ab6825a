/*
 * page_report - one report as HTML: verdicts, facts, what to do, time line, details.
 */
#ifndef EXPORTER_WEB_PAGE_REPORT_H
#define EXPORTER_WEB_PAGE_REPORT_H

#include <stdbool.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"

/* How to look at a report. */
struct page_view {
    double now;
    bool past;       /* its findings were true once; whether they are now is not known */
    double known_at; /* past: when they were last known to be true */
};

/* The grade to show: what is not known now is unknown at best, and a failure stays one. */
enum grade page_view_grade(const struct page_view *view, enum grade grade);

/* The sentence of a verdict, behind "unknown since TIME, last known:" when it is of the past. */
void page_add_verdict(struct strbuf *out, const struct page_view *view,
                      const struct report_item *verdict);

/* All of a group. Groups in it get headings of that level (h4 for 4) and below. */
void page_add_group(struct strbuf *out, const struct page_view *view,
                    const struct report_item *group, int heading);

#endif
