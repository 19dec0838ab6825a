/*
 * timeline_svg - events as pictures: rows on one shared axis of time that ends now, in SVG.
 *
 * What happened lately matters most, so time ago is drawn by its cube root: the last hour of a
 * month has a tenth of the width. All places are percentages: a row is as wide as its page.
 * It draws these kinds of events: the spans "window" and "gap"; the points "full", "diff", "incr",
 * "not restorable" and "drill"; and "latest moment", from which on to now all would be lost. Every
 * other kind is a dot.
 */
#ifndef EXPORTER_WEB_TIMELINE_SVG_H
#define EXPORTER_WEB_TIMELINE_SVG_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"

/* s since 1970 */
struct timeline_axis {
    double first; /* the earliest moment to show; not after now */
    double now;
};

/* Nothing is owned. */
struct timeline_row {
    size_t number;               /* unique on its page */
    const char *title;           /* whose it is */
    enum grade grade;            /* what is unknown does not look good */
    const struct report *report; /* all events in it are drawn */
};

/* How many events a report has. */
size_t timeline_count(const struct report *report);

/* When the earliest of them was that is not after `first`; else `first`. */
double timeline_first(const struct report *report, double first);

/* When the last event of that kind was; 0: there is none. */
double timeline_last(const struct report *report, const char *kind);

/* The shapes that the rows use; once on a page, before them. */
void timeline_svg_shapes(struct strbuf *out);

/* One row, with a title and a description for those who do not see it. */
void timeline_svg_row(struct strbuf *out, const struct timeline_axis *axis,
                      const struct timeline_row *row);

/* The labels of the axis, below the rows. */
void timeline_svg_axis(struct strbuf *out, const struct timeline_axis *axis);

#endif
