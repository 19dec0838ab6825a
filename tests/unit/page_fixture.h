/*
 * page_fixture - what a page is made of, for tests of the page and of what says the same in other
 * forms.
 */
#ifndef TESTS_UNIT_PAGE_FIXTURE_H
#define TESTS_UNIT_PAGE_FIXTURE_H

#include "exporter/report/report.h"
#include "exporter/web/page.h"

#define NOW 1795379400.0 /* 2026-11-22 20:30:00 UTC */

/* Empty; freed with all others by free_reports(), a suite's fini. */
struct report *new_report(void);
void free_reports(void);

/* A target that has run well 5 s before NOW. Takes nothing over. */
struct page_target target_that_ran(const char *group, const char *collector, const char *name,
                                   const struct report *report);

#endif
