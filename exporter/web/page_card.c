#include "exporter/web/page_card.h"

#include <string.h>

#include "exporter/web/html.h"
#include "exporter/web/page_report.h"
#include "exporter/web/page_words.h"

void page_add_state(struct strbuf *out, const struct page *page, const struct page_target *target)
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

/* The report's only group, or NULL. */
static const struct report_item *only_group(const struct report *report)
{
    bool one = report && report->root->child_count == 1;
    return one && report->root->children[0]->kind == REPORT_GROUP ? report->root->children[0]
                                                                  : NULL;
}

const struct report_item *page_title_group(const struct page *page,
                                           const struct page_target *target)
{
    struct page_view unused;
    const struct report_item *group = only_group(page_present_report(target));
    return group ? group : only_group(page_past_report(page, target, &unused));
}

size_t page_number_of(const struct page *page, const struct page_target *target)
{
    return (size_t)(target - page->targets);
}

static void add_origin(struct strbuf *out, const struct page_target *target)
{
    html_escape(out, target->collector);
    strbuf_putc(out, ' ');
    html_escape(out, target->target);
}

void page_add_finding_name(struct strbuf *out, const struct page_finding *finding)
{
    const struct report_item *group = finding->group;
    if (!group)
        group = page_title_group(finding->page, finding->target);
    if (!group || !group->title) {
        add_origin(out, finding->target);
        return;
    }
    html_escape(out, finding->target->group);
    strbuf_puts(out, *finding->target->group ? ", " : "");
    html_escape(out, group->title);
}

/* Of what has one line all was said already. */
static void add_error(struct strbuf *out, const struct page_target *target)
{
    if (page_target_is_sound(target) || !target->error || !strpbrk(target->error, "\r\n"))
        return;
    strbuf_puts(out, "<details><summary>The whole error</summary><pre>");
    html_escape(out, target->error);
    strbuf_puts(out, "</pre></details>\n");
}

/* Whether one of the verdicts below tells the text. */
static bool is_told(const struct report_item *item, const char *text)
{
    for (size_t i = 0; i < item->child_count; i++) {
        const struct report_item *child = item->children[i];
        bool told = child->kind == REPORT_VERDICT && child->text && strstr(child->text, text);
        if (told || is_told(child, text))
            return true;
    }
    return false;
}

/* Whether the present report speaks of the state itself, in better words. */
static bool is_in_report(const struct page_target *target)
{
    const struct report *report = page_present_report(target);
    return report && target->outcome == RUN_DOWN && target->error && *target->error &&
           is_told(report->root, target->error);
}

static void add_state_verdict(struct strbuf *out, const struct page *page,
                              const struct page_target *target)
{
    if (page_target_is_sound(target) || is_in_report(target))
        return;
    enum grade grade = page_state_grade(target);
    strbuf_puts(out, "<p class=\"verdict\">");
    page_add_grade(out, grade);
    page_add_state(out, page, target);
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

/* Titles alone say nothing. */
static bool says_something(const struct report_item *item)
{
    for (size_t i = 0; i < item->child_count; i++) {
        if (item->children[i]->kind != REPORT_GROUP || says_something(item->children[i]))
            return true;
    }
    return false;
}

bool page_has_card(const struct page_target *target)
{
    const struct report *report = page_present_report(target);
    return !page_target_is_sound(target) || (report && says_something(report->root));
}

/* The title, and in small what it does not say itself. */
static void add_title(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    const struct report_item *group = page_title_group(page, target);
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

void page_add_card(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    if (!page_has_card(target))
        return;
    strbuf_printf(out, "<article class=\"card %s%s\" id=\"t%zu\">\n<h3>",
                  page_grade_class(page_target_grade(page, target)), target->leads ? " leads" : "",
                  page_number_of(page, target));
    add_title(out, page, target);
    add_state_verdict(out, page, target);
    add_reports(out, page, target);
    strbuf_puts(out, "</article>\n");
}
