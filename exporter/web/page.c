#include "exporter/web/page.h"

#include <stddef.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/web/html.h"
#include "exporter/web/page_judge.h"
#include "exporter/web/page_report.h"
#include "exporter/web/page_style.h"
#include "exporter/web/page_words.h"

#define GRADE_COUNT (GRADE_FAILED + 1)

static const char *const headlines[GRADE_COUNT] = {
    [GRADE_NONE] = "nothing has been judged",
    [GRADE_PROVEN] = "everything was tried, and it worked",
    [GRADE_OK] = "nothing is known to be wrong",
    [GRADE_UNKNOWN] = "not everything can be judged now",
    [GRADE_WARNING] = "something needs attention",
    [GRADE_FAILED] = "something needs you now",
};

static void add_state(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    if (!target->has_run) {
        strbuf_puts(out, "has not been looked at yet");
    } else if (!target->current) {
        strbuf_puts(out, "no news since ");
        page_add_time(out, target->started_at, page->now);
    } else {
        strbuf_puts(out, target->outcome == RUN_DOWN ? "down: " : "could not be looked at: ");
        html_escape_line(out, target->error);
    }
}

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

/* The report's only group, whose title names the target better than we could; else NULL. */
static const struct report_item *only_group(const struct report *report)
{
    bool one = report && report->root->child_count == 1;
    return one && report->root->children[0]->kind == REPORT_GROUP ? report->root->children[0]
                                                                  : NULL;
}

static void add_origin(struct strbuf *out, const struct page_target *target)
{
    html_escape(out, target->collector);
    strbuf_putc(out, ' ');
    html_escape(out, target->target);
}

/* The only group of what a card shows; NULL when it has none, or several. */
static const struct report_item *title_group(const struct page *page,
                                             const struct page_target *target)
{
    struct page_view unused;
    const struct report_item *group = only_group(page_present_report(target));
    return group ? group : only_group(page_past_report(page, target, &unused));
}

static size_t number_of(const struct page *page, const struct page_target *target)
{
    return (size_t)(target - page->targets);
}

/* A group's title ("repo1 nas") does not say whose it is. */
static void add_finding_name(struct strbuf *out, const struct page_finding *finding)
{
    const struct report_item *group = finding->group;
    if (!group)
        group = title_group(finding->page, finding->target);
    if (!group || !group->title) {
        add_origin(out, finding->target);
        return;
    }
    html_escape(out, finding->target->group);
    strbuf_puts(out, *finding->target->group ? ", " : "");
    html_escape(out, group->title);
}

struct problem_list {
    struct strbuf *out;
    enum grade grade; /* what is listed now */
};

static void list_problem(void *context, const struct page_finding *finding)
{
    const struct problem_list *list = context;
    struct strbuf *out = list->out;
    if (finding->grade != list->grade)
        return;
    strbuf_puts(out, "<li>");
    page_add_grade(out, finding->grade);
    strbuf_printf(out, "<a href=\"#t%zu\">", number_of(finding->page, finding->target));
    add_finding_name(out, finding);
    strbuf_puts(out, "</a>: ");
    if (finding->verdict)
        page_add_verdict(out, &finding->view, finding->verdict);
    else
        add_state(out, finding->page, finding->target);
    strbuf_puts(out, "</li>\n");
}

static void add_problems(struct strbuf *out, const struct page *page, enum grade worst)
{
    struct problem_list list = {.out = out, .grade = worst};
    if (page->target_count == 0 || worst < GRADE_UNKNOWN)
        return;
    strbuf_puts(out, "<ul class=\"problems\">\n");
    for (; list.grade >= GRADE_UNKNOWN; list.grade--)
        page_visit_findings(page, list_problem, &list);
    strbuf_puts(out, "</ul>\n");
}

static void add_headline(struct strbuf *out, const struct page *page,
                         const size_t counts[GRADE_COUNT])
{
    enum grade worst = worst_counted(counts);
    const char *text = page->target_count ? headlines[worst] : "nothing is watched";
    strbuf_printf(out, "<div class=\"headline %s\">\n<h1>", page_grade_class(worst));
    page_add_grade(out, worst);
    strbuf_printf(out, "%s</h1>\n", text);
    add_counts(out, counts);
    add_problems(out, page, worst);
    strbuf_puts(out, "</div>\n");
}

/* Cards */

static void add_error(struct strbuf *out, const struct page_target *target)
{
    if (page_target_is_sound(target) || !target->error || !*target->error)
        return;
    strbuf_puts(out, "<details><summary>The whole error</summary><pre>");
    html_escape(out, target->error);
    strbuf_puts(out, "</pre></details>\n");
}

static void add_state_verdict(struct strbuf *out, const struct page *page,
                              const struct page_target *target)
{
    if (page_target_is_sound(target))
        return;
    enum grade grade = page_state_grade(target);
    strbuf_puts(out, "<p class=\"verdict\">");
    page_add_grade(out, grade);
    add_state(out, page, target);
    strbuf_puts(out, "</p>\n");
}

/* The items of a report, without the title that the card already has. */
static void add_report(struct strbuf *out, const struct page_view *view,
                       const struct report *report)
{
    const struct report_item *only = only_group(report);
    page_add_group(out, view, only ? only : report->root, 4);
}

static void add_reports(struct strbuf *out, const struct page *page,
                        const struct page_target *target)
{
    struct page_view view = page_present_view(page);
    struct page_view past = {0};
    const struct report *present = page_present_report(target);
    const struct report *before = page_past_report(page, target, &past);

    if (present)
        add_report(out, &view, present);
    add_error(out, target);
    if (!before || before->root->child_count == 0)
        return;
    strbuf_puts(out, "<div class=\"past\">\n<p class=\"origin\">As it was ");
    page_add_age(out, past.known_at, page->now);
    strbuf_puts(out, "</p>\n");
    add_report(out, &past, before);
    strbuf_puts(out, "</div>\n");
}

/* A sound target that reports nothing is in the table of collectors only. */
static bool has_card(const struct page_target *target)
{
    const struct report *report = page_present_report(target);
    return !page_target_is_sound(target) || (report && report->root->child_count > 0);
}

/* The title, and in small what it does not say itself. */
static void add_card_title(struct strbuf *out, const struct page *page,
                           const struct page_target *target)
{
    const struct report_item *group = title_group(page, target);
    if (group)
        html_escape(out, group->title);
    else
        add_origin(out, target);
    strbuf_puts(out, "</h3>\n<p class=\"origin\">");
    if (group) {
        add_origin(out, target);
        strbuf_puts(out, ", ");
    }
    strbuf_puts(out, target->has_run ? "looked at " : "looked at: ");
    page_add_age(out, target->has_run ? target->started_at : 0, page->now);
    strbuf_puts(out, "</p>\n");
}

static void add_card(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    if (!has_card(target))
        return;
    strbuf_printf(out, "<article class=\"card %s%s\" id=\"t%zu\">\n<h3>",
                  page_grade_class(page_target_grade(page, target)), target->leads ? " leads" : "",
                  number_of(page, target));
    add_card_title(out, page, target);
    add_state_verdict(out, page, target);
    add_reports(out, page, target);
    strbuf_puts(out, "</article>\n");
}

/* Groups */

static bool same_group(const struct page_target *one, const struct page_target *other)
{
    return strcmp(one->group, other->group) == 0;
}

static bool is_first_of_its_group(const struct page *page, const struct page_target *target)
{
    for (const struct page_target *before = page->targets; before < target; before++) {
        if (same_group(before, target))
            return false;
    }
    return true;
}

static bool group_has_cards(const struct page *page, const struct page_target *first)
{
    for (size_t i = 0; i < page->target_count; i++) {
        if (same_group(&page->targets[i], first) && has_card(&page->targets[i]))
            return true;
    }
    return false;
}

static void add_cards(struct strbuf *out, const struct page *page, const struct page_target *first,
                      bool leads)
{
    for (size_t i = 0; i < page->target_count; i++) {
        const struct page_target *target = &page->targets[i];
        if (same_group(target, first) && target->leads == leads)
            add_card(out, page, target);
    }
}

static void add_group(struct strbuf *out, const struct page *page, const struct page_target *first)
{
    if (!group_has_cards(page, first))
        return;
    strbuf_puts(out, "<section>\n<h2>");
    html_escape(out, *first->group ? page->group_noun : "Other");
    strbuf_puts(out, *first->group ? " " : "");
    html_escape(out, first->group);
    strbuf_puts(out, "</h2>\n<div class=\"cards\">\n");
    add_cards(out, page, first, true);
    add_cards(out, page, first, false);
    strbuf_puts(out, "</div>\n</section>\n");
}

/* What belongs to no group comes last. */
static void add_groups(struct strbuf *out, const struct page *page)
{
    for (int last = 0; last < 2; last++) {
        for (size_t i = 0; i < page->target_count; i++) {
            const struct page_target *target = &page->targets[i];
            if ((*target->group == '\0') == (last == 1) && is_first_of_its_group(page, target))
                add_group(out, page, target);
        }
    }
}

/* Collectors */

static const char *result_word(const struct page_target *target)
{
    static const char *const outcomes[] = {
        [RUN_OK] = "ok", [RUN_DOWN] = "down", [RUN_FAILED] = "failed"};
    if (!target->has_run)
        return "not yet";
    return target->current ? outcomes[target->outcome] : "out of date";
}

static void add_result(struct strbuf *out, const struct page *page,
                       const struct page_target *target)
{
    if (has_card(target))
        strbuf_printf(out, "<td><a href=\"#t%zu\">%s</a>", number_of(page, target),
                      result_word(target));
    else
        strbuf_printf(out, "<td>%s", result_word(target));
    if (target->running_s > 0) {
        strbuf_puts(out, ", running for ");
        page_add_duration(out, target->running_s);
    }
    strbuf_puts(out, "</td>");
}

static void add_row(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    strbuf_puts(out, "<tr><th scope=\"row\">");
    html_escape(out, target->collector);
    strbuf_puts(out, "</th><td>");
    html_escape(out, target->target);
    strbuf_puts(out, "</td>");
    add_result(out, page, target);
    strbuf_puts(out, "<td>");
    page_add_age(out, target->has_run ? target->started_at : 0, page->now);
    strbuf_puts(out, "</td><td class=\"number\">");
    if (target->has_run)
        page_add_duration(out, target->duration_s);
    strbuf_printf(out, "</td><td class=\"number\">%ju</td></tr>\n", (uintmax_t)target->failures);
}

static void add_table(struct strbuf *out, const struct page *page)
{
    if (page->target_count == 0)
        return;
    strbuf_puts(out,
                "<section>\n<h2 id=\"collectors\">Collectors</h2>\n<div class=\"scroll\" "
                "tabindex=\"0\" role=\"region\" aria-labelledby=\"collectors\"><table>\n"
                "<caption>How this program itself is getting on with its work</caption>\n<thead>"
                "<tr><th scope=\"col\">Collector</th><th scope=\"col\">Target</th>"
                "<th scope=\"col\">Result</th><th scope=\"col\">Last run</th>"
                "<th scope=\"col\" class=\"number\">Took</th>"
                "<th scope=\"col\" class=\"number\">Failures</th></tr></thead>\n"
                "<tbody>\n");
    for (size_t i = 0; i < page->target_count; i++)
        add_row(out, page, &page->targets[i]);
    strbuf_puts(out, "</tbody></table></div>\n</section>\n");
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
    strbuf_puts(out, "</style>\n</head>\n<body>\n");
}

static void add_bar(struct strbuf *out, const struct page *page)
{
    strbuf_puts(out, "<header class=\"bar\"><b>");
    html_escape(out, page->host ? page->host : page->program);
    strbuf_puts(out, "</b><span>as of ");
    page_add_clock(out, page->now);
    strbuf_puts(out, "</span></header>\n");
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

void page_render(struct strbuf *out, const struct page *page)
{
    size_t counts[GRADE_COUNT] = {0};
    page_visit_findings(page, count_finding, counts);
    add_head(out, page, worst_counted(counts));
    add_bar(out, page);
    strbuf_puts(out, "<main>\n");
    add_headline(out, page, counts);
    add_notices(out, page);
    add_groups(out, page);
    add_table(out, page);
    strbuf_puts(out, "</main>\n");
    add_footer(out, page);
    strbuf_puts(out, "</body>\n</html>\n");
}
