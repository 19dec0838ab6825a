#include "exporter/web/page.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/web/html.h"
#include "exporter/web/page_card.h"
#include "exporter/web/page_groups.h"
#include "exporter/web/page_judge.h"
#include "exporter/web/page_lines.h"
#include "exporter/web/page_report.h"
#include "exporter/web/page_style.h"
#include "exporter/web/page_table.h"
#include "exporter/web/page_timeline.h"
#include "exporter/web/page_words.h"
#include "exporter/web/timeline_svg.h"

#define GRADE_COUNT     (GRADE_FAILED + 1)
#define PROBLEMS_LISTED 25

static const char *const headlines[GRADE_COUNT] = {
    [GRADE_NONE] = "nothing has been judged",
    [GRADE_PROVEN] = "everything was tried, and it worked",
    [GRADE_OK] = "nothing is known to be wrong",
    [GRADE_UNKNOWN] = "not everything can be judged now",
    [GRADE_WARNING] = "something needs attention",
    [GRADE_FAILED] = "something needs you now",
};

/* Headline */

static void count_finding(void *context, const struct page_finding *finding)
{
    size_t *counts = context;
    counts[finding->grade]++;
}

/* Unknown when nothing was judged: an empty page must not look good. */
static enum grade worst_counted(const size_t counts[GRADE_COUNT])
{
    for (enum grade grade = GRADE_FAILED; grade > GRADE_NONE; grade--) {
        if (counts[grade])
            return grade;
    }
    return GRADE_UNKNOWN;
}

static void add_counts(struct strbuf *out, const size_t counts[GRADE_COUNT])
{
    const char *before = "<p class=\"counts\">";
    const char *after = "";
    for (enum grade grade = GRADE_FAILED; grade > GRADE_NONE; grade--) {
        if (!counts[grade])
            continue;
        strbuf_printf(out, "%s%zu %s", before, counts[grade], grade_name(grade));
        before = ", ";
        after = "</p>\n";
    }
    strbuf_puts(out, after);
}

/* Where more is said of it: among many groups on a page of its own. */
static void add_link(struct strbuf *out, const struct page_groups *groups,
                     const struct page_finding *finding)
{
    const char *group = finding->target->group;
    strbuf_puts(out, "<a href=\"");
    if (*group && groups->count > PAGE_GROUPS_IN_FULL)
        page_add_group_address(out, group);
    else
        strbuf_printf(out, "#t%zu", page_number_of(finding->page, finding->target));
    strbuf_puts(out, "\">");
}

struct problem_list {
    struct strbuf *out;
    const struct page_groups *groups;
    enum grade grade; /* what is listed now */
    size_t count;     /* so far, those beyond the limit too */
};

static void list_problem(void *context, const struct page_finding *finding)
{
    struct problem_list *list = context;
    struct strbuf *out = list->out;
    if (finding->grade != list->grade)
        return;
    strbuf_puts(out, list->count == 0 ? "<ul class=\"problems\">\n" : "");
    if (list->count++ >= PROBLEMS_LISTED)
        return;
    strbuf_puts(out, "<li>");
    page_add_grade(out, finding->grade);
    add_link(out, list->groups, finding);
    page_add_finding_name(out, finding);
    strbuf_puts(out, "</a>: ");
    if (finding->verdict)
        page_add_verdict(out, &finding->view, finding->verdict);
    else
        page_add_state(out, finding->page, finding->target);
    strbuf_puts(out, "</li>\n");
}

static void add_problems(struct strbuf *out, const struct page *page,
                         const struct page_groups *groups, enum grade worst)
{
    struct problem_list list = {.out = out, .groups = groups, .grade = worst};
    if (page->target_count == 0 || worst < GRADE_UNKNOWN)
        return;
    for (; list.grade >= GRADE_UNKNOWN; list.grade--)
        page_visit_findings(page, list_problem, &list);
    if (list.count > PROBLEMS_LISTED)
        strbuf_printf(out, "<li>and %zu more</li>\n", list.count - PROBLEMS_LISTED);
    strbuf_puts(out, list.count > 0 ? "</ul>\n" : "");
}

static bool has_any_run(const struct page *page)
{
    for (size_t i = 0; i < page->target_count; i++) {
        if (page->targets[i].has_run)
            return true;
    }
    return false;
}

static void add_headline(struct strbuf *out, const struct page *page,
                         const struct page_groups *groups, const size_t counts[GRADE_COUNT])
{
    enum grade worst = worst_counted(counts);
    const char *text = headlines[worst];
    if (page_least_grade(page) != GRADE_NONE)
        text = "nothing of this name is watched";
    else if (!has_any_run(page))
        text = page->target_count ? "nothing has been looked at yet" : "nothing is watched";
    strbuf_printf(out, "<div class=\"headline %s\">\n<h1>", page_grade_class(worst));
    page_add_grade(out, worst);
    strbuf_printf(out, "%s</h1>\n", text);
    add_counts(out, counts);
    add_problems(out, page, groups, worst);
    strbuf_puts(out, "</div>\n");
}

/* Groups */

static void add_cards(struct strbuf *out, const struct page *page, const struct page_group *group,
                      bool leads)
{
    bool begun = false;
    for (size_t i = 0; i < group->count; i++) {
        const struct page_target *target = group->targets[i];
        if (target->leads != leads || !page_has_card(target))
            continue;
        if (!begun)
            strbuf_printf(out, "<div class=\"cards%s\">\n", leads ? " first" : "");
        begun = true;
        page_add_card(out, page, target);
    }
    strbuf_puts(out, begun ? "</div>\n" : "");
}

static bool has_cards(const struct page_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (page_has_card(group->targets[i]))
            return true;
    }
    return false;
}

static void add_group(struct strbuf *out, const struct page *page, const struct page_group *group)
{
    if (!has_cards(group))
        return;
    strbuf_puts(out, "<section>\n<h2>");
    html_escape(out, *group->name ? page->group_noun : "Other");
    strbuf_puts(out, *group->name ? " " : "");
    html_escape(out, group->name);
    strbuf_puts(out, "</h2>\n");
    page_add_timeline(out, page, group);
    add_cards(out, page, group, true);
    add_cards(out, page, group, false);
    strbuf_puts(out, "</section>\n");
}

static void add_groups(struct strbuf *out, const struct page *page,
                       const struct page_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (page_is_in_full(groups, i) && *groups->items[i].name)
            add_group(out, page, &groups->items[i]);
    }
    page_add_lines(out, page, groups);
    if (groups->count > 0 && !*groups->items[groups->count - 1].name)
        add_group(out, page, &groups->items[groups->count - 1]);
}

/* The whole page */

static void add_head(struct strbuf *out, const struct page *page, enum grade worst)
{
    strbuf_puts(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    strbuf_printf(out, "%s - ", page_grade_word(worst));
    html_escape(out, page->host ? page->host : page->program);
    strbuf_puts(out, "</title>\n<style>\n");
    strbuf_puts(out, page_style);
    strbuf_puts(out, page_style_timeline);
    strbuf_puts(out, "</style>\n</head>\n<body>\n");
}

static void add_bar(struct strbuf *out, const struct page *page)
{
    strbuf_puts(out, "<header class=\"bar\"><b>");
    html_escape(out, page->host ? page->host : page->program);
    strbuf_puts(out, "</b><span>as of ");
    page_add_clock(out, page->now);
    page_add_local(out, page->now);
    strbuf_puts(out, "</span>");
    if (page->only) {
        strbuf_puts(out, "<nav><a href=\"?\">all</a></nav>");
    }
    strbuf_puts(out, "</header>\n");
}

static void add_notices(struct strbuf *out, const struct page *page)
{
    for (const char *const *notice = page->notices; notice && *notice; notice++) {
        strbuf_puts(out, "<p class=\"notice\">");
        html_escape(out, *notice);
        strbuf_puts(out, "</p>\n");
    }
}

static void add_footer(struct strbuf *out, const struct page *page)
{
    strbuf_puts(out, "<footer>");
    html_escape(out, page->program);
    strbuf_putc(out, ' ');
    html_escape(out, page->version);
    if (page->metrics_path) {
        strbuf_puts(out, " - <a href=\"");
        html_escape(out, page->metrics_path);
        strbuf_puts(out, "\">metrics</a>");
    }
    strbuf_puts(out, " - this page does not change by itself: load it again for news</footer>\n");
}

/* Whether it is shown: all are, or those of one group and what belongs to none. */
static bool is_wanted(const struct page *page, const struct page_target *target)
{
    return !page->only || !*target->group || strcmp(target->group, page->only) == 0;
}

static void add_body(struct strbuf *out, const struct page *page, const struct page_groups *groups,
                     const size_t counts[GRADE_COUNT])
{
    timeline_svg_shapes(out);
    strbuf_puts(out, "<main>\n");
    add_headline(out, page, groups, counts);
    add_notices(out, page);
    add_groups(out, page, groups);
    page_add_table(out, page, groups);
    strbuf_puts(out, "</main>\n");
}

static void render(struct strbuf *out, const struct page *page)
{
    size_t counts[GRADE_COUNT] = {0};
    struct page_groups groups CLEANUP(page_groups_done) = {0};
    if (!page_groups_make(page, &groups)) {
        out->failed = true;
        return;
    }
    counts[page_least_grade(page)]++;
    page_visit_findings(page, count_finding, counts);
    add_head(out, page, worst_counted(counts));
    add_bar(out, page);
    add_body(out, page, &groups, counts);
    add_footer(out, page);
    strbuf_puts(out, "</body>\n</html>\n");
}

void page_render(struct strbuf *out, const struct page *page)
{
    struct page shown = *page;
    struct page_target *targets = calloc(page->target_count + 1, sizeof *targets);
    if (!targets) {
        out->failed = true;
        return;
    }
    shown.targets = targets;
    shown.target_count = 0;
    for (size_t i = 0; i < page->target_count; i++) {
        if (is_wanted(page, &page->targets[i]))
            targets[shown.target_count++] = page->targets[i];
    }
    render(out, &shown);
    free(targets);
}
