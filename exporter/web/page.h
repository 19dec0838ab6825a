/*
 * page - the status page: what the collectors found, for a person who was just woken up.
 *
 * Made on the server, without script and without anything from elsewhere. Each judgement is said
 * in words first, its colour only repeats them. What cannot be known now is never shown as good.
 */
#ifndef EXPORTER_WEB_PAGE_H
#define EXPORTER_WEB_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"
#include "exporter/schedule/poller.h"
#include "exporter/schedule/snapshot.h"

/* One target of one collector. Everything is borrowed; times are s since 1970, 0 for never. */
struct page_target {
    const char *group; /* what it belongs to ("main"), "" when to nothing in particular */
    const char *collector;
    const char *target;
    bool leads;               /* it combines the others' findings and is shown before them */
    bool has_run;             /* false: no run has ended yet, and nothing below is known */
    bool current;             /* false: its newest run is too old to be called the present */
    enum run_outcome outcome; /* of its newest run, as are the next four */
    const char *error;
    double started_at;
    double duration_s;
    const struct report *report;           /* NULL: none */
    double last_good_at;                   /* the last good run before it */
    const struct report *last_good_report; /* NULL: none */
    double running_s;                      /* 0: it does not run at the moment */
    uint64_t failures;
};

struct page {
    const char *program;
    const char *version;
    const char *host;         /* NULL: is not shown */
    const char *metrics_path; /* NULL: no link */
    const char *group_noun;   /* what a group is: "Stanza" */
    const char *only;         /* show this group and what belongs to none; NULL: all of them */
    double now;
    const char *const *notices; /* what the reader must know first; NULL-ended, may be NULL */
    const struct page_target *targets;
    size_t target_count;
};

/*
 * How the page shows a target at `now_ms` (monotonic); its group is the value of the label named
 * group_label. Valid as long as the status is.
 */
struct page_target page_target_of(const struct poller_status *status, const char *group_label,
                                  int64_t now_ms);

/*
 * Append the whole HTML document. Of many groups the worst are shown in full and the others in one
 * line each, with a link to the page of that group alone (its argument is "stanza"). A failure (no
 * memory) shows in out->failed. Does not block.
 */
void page_render(struct strbuf *out, const struct page *page);

#endif
