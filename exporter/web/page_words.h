/*
 * page_words - how the status page says grades, times and durations.
 */
#ifndef EXPORTER_WEB_PAGE_WORDS_H
#define EXPORTER_WEB_PAGE_WORDS_H

#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"

/* "Failed", for people; "" for GRADE_NONE. Static. */
const char *page_grade_word(enum grade grade);

/* The style sheet's class of a grade: its name, or "none". Static. */
const char *page_grade_class(enum grade grade);

/* The grade's word in its colour, as HTML; nothing for GRADE_NONE. */
void page_add_grade(struct strbuf *out, enum grade grade);

/* How long something took: "12 ms", "3.4 s", "2 min 5 s". */
void page_add_duration(struct strbuf *out, double seconds);

/*
 * A time (s since 1970) as HTML: UTC and how long before now; "never" for 0, and for what is no
 * time in the years 1970 to 9999.
 */
void page_add_time(struct strbuf *out, double time, double now);

/* The same without how long ago that was. */
void page_add_clock(struct strbuf *out, double time);

/* The same moment by the clocks of this host, in brackets; nothing where they show UTC. */
void page_add_local(struct strbuf *out, double time);

/* "3 h 12 min ago", "in 45 s", "never". */
void page_add_age(struct strbuf *out, double time, double now);

#endif
