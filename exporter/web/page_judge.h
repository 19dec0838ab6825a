/*
 * page_judge - what the status page makes of each target: what is so now, what was known before,
 * and how bad it is. No HTML.
 */
#ifndef EXPORTER_WEB_PAGE_JUDGE_H
#define EXPORTER_WEB_PAGE_JUDGE_H

#include <stdbool.h>

#include "exporter/report/report.h"
#include "exporter/web/page.h"
#include "exporter/web/page_report.h"

/* Whether its newest run went well and is not too old. */
bool page_target_is_sound(const struct page_target *target);

struct page_view page_present_view(const struct page *page);

/* What its newest run reports; NULL for nothing, or when that is too old to be the present. */
const struct report *page_present_report(const struct page_target *target);

/*
 * What the last good run reported, for a target that is not sound now; NULL for nothing. A good
 * run that has become too old is itself the last good one. *ret_view is filled only with a report.
 */
const struct report *page_past_report(const struct page *page, const struct page_target *target,
                                      struct page_view *ret_view);

/* What the state of a target says by itself; GRADE_NONE when that is left to its report. */
enum grade page_state_grade(const struct page_target *target);

/*
 * The least that can be said of the whole page, however good its targets are: GRADE_UNKNOWN when
 * only one group is wanted and no target is of that one, else GRADE_NONE.
 */
enum grade page_least_grade(const struct page *page);

/* The worst of all that is said of it. */
enum grade page_target_grade(const struct page *page, const struct page_target *target);

/* One judgement. */
struct page_finding {
    const struct page *page;
    const struct page_target *target;
    struct page_view view;
    enum grade grade;
    const struct report_item *group;   /* that the verdict stands in */
    const struct report_item *verdict; /* NULL: the state of the target itself is the finding */
};

typedef void page_finding_visitor(void *context, const struct page_finding *finding);

/* Show each judgement of the page to the visitor, in the order of the targets. */
void page_visit_findings(const struct page *page, page_finding_visitor *visitor, void *context);

#endif
