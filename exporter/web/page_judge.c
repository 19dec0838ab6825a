#include "exporter/web/page_judge.h"

#include <stddef.h>
#include <string.h>

#include "exporter/base/attrs.h"

struct visit {
    page_finding_visitor *visitor;
    void *context;
};

struct page_view page_present_view(const struct page *page)
{
    return (struct page_view){.now = page->now};
}

const struct report *page_present_report(const struct page_target *target)
{
    return target->has_run && target->current ? target->report : NULL;
}

bool page_target_is_sound(const struct page_target *target)
{
    return target->has_run && target->current && target->outcome == RUN_OK;
}

const struct report *page_past_report(const struct page *page, const struct page_target *target,
                                      struct page_view *ret_view)
{
    if (!target->has_run || page_target_is_sound(target))
        return NULL;
    bool itself = target->outcome == RUN_OK;
    *ret_view = (struct page_view){.now = page->now,
                                   .past = true,
                                   .known_at = itself ? target->started_at : target->last_good_at};
    return itself ? target->report : target->last_good_report;
}

static enum grade worst_of(const struct report *report)
{
    return report ? report_worst(report->root) : GRADE_NONE;
}

enum grade page_state_grade(const struct page_target *target)
{
    if (!target->has_run || !target->current || target->outcome == RUN_FAILED)
        return GRADE_UNKNOWN;
    bool says_nothing = target->outcome == RUN_DOWN && worst_of(target->report) == GRADE_NONE;
    return says_nothing ? GRADE_FAILED : GRADE_NONE;
}

enum grade page_least_grade(const struct page *page)
{
    if (!page->only)
        return GRADE_NONE;
    for (size_t i = 0; i < page->target_count; i++) {
        if (*page->only && strcmp(page->targets[i].group, page->only) == 0)
            return GRADE_NONE;
    }
    return GRADE_UNKNOWN;
}

enum grade page_target_grade(const struct page *page, const struct page_target *target)
{
    struct page_view past = {0};
    enum grade grades[] = {
        page_state_grade(target),
        worst_of(page_present_report(target)),
        worst_of(page_past_report(page, target, &past)),
    };
    enum grade worst = GRADE_NONE;
    grades[2] = page_view_grade(&past, grades[2]);
    for (size_t i = 0; i < COUNT_OF(grades); i++)
        worst = grades[i] > worst ? grades[i] : worst;
    return worst;
}

static void visit_group(const struct visit *visit, struct page_finding *finding,
                        const struct report_item *group)
{
    for (size_t i = 0; i < group->child_count; i++) {
        const struct report_item *item = group->children[i];
        if (item->kind == REPORT_GROUP)
            visit_group(visit, finding, item);
        if (item->kind != REPORT_VERDICT)
            continue;
        finding->grade = page_view_grade(&finding->view, item->grade);
        finding->group = group;
        finding->verdict = item;
        visit->visitor(visit->context, finding);
    }
}

static void visit_target(const struct visit *visit, const struct page *page,
                         const struct page_target *target)
{
    struct page_view past = {0};
    const struct report *before = page_past_report(page, target, &past);
    const struct report *present = page_present_report(target);
    struct page_finding finding = {.page = page,
                                   .target = target,
                                   .view = page_present_view(page),
                                   .grade = page_state_grade(target)};

    /* "Unknown" once is enough: the last known verdicts say it in better words. */
    bool said = finding.grade == GRADE_UNKNOWN && worst_of(before) != GRADE_NONE;
    if (finding.grade != GRADE_NONE && !said)
        visit->visitor(visit->context, &finding);
    if (present)
        visit_group(visit, &finding, present->root);
    finding.view = past;
    if (before)
        visit_group(visit, &finding, before->root);
}

void page_visit_findings(const struct page *page, page_finding_visitor *visitor, void *context)
{
    struct visit visit = {.visitor = visitor, .context = context};
    for (size_t i = 0; i < page->target_count; i++)
        visit_target(&visit, page, &page->targets[i]);
}

static void fill_from_run(struct page_target *target, const struct snapshot *snapshot,
                          int64_t now_ms)
{
    const struct snapshot *good = snapshot->last_good;
    target->has_run = true;
    target->current = now_ms < snapshot->expires_ms;
    target->outcome = snapshot->outcome;
    target->error = snapshot->error.text;
    target->started_at = snapshot->started_at;
    target->duration_s = snapshot->duration_s;
    target->report = snapshot->report;
    target->last_good_at = good ? good->started_at : 0;
    target->last_good_report = good ? good->report : NULL;
}

struct page_target page_target_of(const struct poller_status *status, const char *group_label,
                                  int64_t now_ms)
{
    struct page_target target = {
        .group = label_get(status->labels, group_label),
        .collector = status->collector->name,
        .target = status->target,
        .leads = status->combines,
        .running_s = status->running_s,
        .failures = status->failures,
    };
    if (status->snapshot)
        fill_from_run(&target, status->snapshot, now_ms);
    return target;
}
