/*
 * report - findings for people: what was found, how bad it is, what to do next.
 *
 * A tree. It knows nothing of what it speaks about: collectors build it, the status page, the API
 * and the doctor render it. All texts are copied and repaired to printable UTF-8 when they are
 * added; a renderer still escapes for its own format. Built by one thread; once published it is
 * never changed.
 */
#ifndef EXPORTER_REPORT_REPORT_H
#define EXPORTER_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/* From best to worst; a group's grade is the worst of what is in it. "Unknown" is never good. */
enum grade {
    GRADE_NONE,    /* says nothing about health */
    GRADE_PROVEN,  /* tried, and it worked */
    GRADE_OK,      /* nothing known to be wrong */
    GRADE_UNKNOWN, /* could not be looked at now */
    GRADE_WARNING,
    GRADE_FAILED,
};

enum report_kind {
    REPORT_GROUP,   /* title; has children */
    REPORT_VERDICT, /* grade and a sentence: the first thing to read of its group */
    REPORT_FACT,    /* title and a text, a time, or both ("all that was written since", a time) */
    REPORT_EVENT,   /* a point or span of time on the group's time line */
    REPORT_STEP,    /* what to do next: a sentence, and a command that can be pasted */
    REPORT_DETAIL,  /* a long text, as it came: the last full error */
};

struct report_item {
    enum report_kind kind;
    enum grade grade;
    char *title;   /* group: its name; fact: its label; event: its kind ("full") */
    char *text;    /* verdict, step, detail: the sentence; fact, event: the value or label */
    char *command; /* step: the exact command line, or NULL */
    double time;   /* fact, event: seconds since 1970; 0 for none. Renderers show UTC and age, of a
                      fact behind its text. Verdict: a moment that its text names as
                      when_add_utc() does; renderers may show its age there instead */
    double end;    /* event: end of its span; equal to time for a point */
    struct report_item **children; /* group only */
    size_t child_count;
};

struct report {
    struct report_item *root; /* a group without a title */
    bool failed;              /* something could not be stored: out of memory */
};

struct report *report_new(void) MUST_USE;
void report_free(struct report *report); /* takes NULL */

/*
 * Add to a group (NULL: the root). Each returns the new item, or NULL when out of memory; NULL is
 * accepted as a group then, so that a builder looks at report->failed once, at the end. A NULL
 * text stays NULL; with a NULL report nothing is done.
 */
struct report_item *report_group(struct report *report, struct report_item *group,
                                 const char *title);
void report_verdict(struct report *report, struct report_item *group, enum grade grade,
                    const char *format, ...) PRINTF(4, 5);
void report_verdict_of(struct report *report, struct report_item *group, enum grade grade,
                       double time, const char *format, ...) PRINTF(5, 6);
void report_fact(struct report *report, struct report_item *group, const char *title,
                 const char *format, ...) PRINTF(4, 5);
void report_time(struct report *report, struct report_item *group, const char *title, double time);
void report_since(struct report *report, struct report_item *group, const char *title,
                  const char *text, double time);
void report_event(struct report *report, struct report_item *group, const char *kind,
                  const char *label, double time, double end);
void report_step(struct report *report, struct report_item *group, const char *sentence,
                 const char *command);
void report_detail(struct report *report, struct report_item *group, const char *title,
                   const char *text);

/* The worst grade in an item and below it; GRADE_NONE when nothing was graded. */
enum grade report_worst(const struct report_item *item);

const char *grade_name(enum grade grade); /* "proven", "ok", "unknown", "warning", "failed", "" */

#endif
