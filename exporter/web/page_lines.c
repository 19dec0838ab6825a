#include "exporter/web/page_lines.h"

#include <string.h>

#include "exporter/web/html.h"
#include "exporter/web/page_judge.h"
#include "exporter/web/page_words.h"

#define TEXT_MOST_BYTES 120 /* of a sentence in a line */

bool page_is_in_full(const struct page_groups *groups, size_t index)
{
    return index < PAGE_GROUPS_IN_FULL || *groups->items[index].name == '\0';
}

void page_add_group_address(struct strbuf *out, const char *name)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    strbuf_puts(out, "?stanza=");
    for (; *name; name++) {
        if (strchr(plain, *name))
            strbuf_putc(out, *name);
        else
            strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)*name);
    }
}

/* The first of the worst verdicts of a report. */
static const struct report_item *worst_verdict(const struct report_item *item, enum grade grade)
{
    for (size_t i = 0; i < item->child_count; i++) {
        const struct report_item *child = item->children[i];
        if (child->kind == REPORT_VERDICT && child->grade == grade)
            return child;
        const struct report_item *below = worst_verdict(child, grade);
        if (below)
            return below;
    }
    return NULL;
}

static const struct report_item *reason_of(const struct page_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct report *report = page_present_report(group->targets[i]);
        const struct report_item *verdict =
            report ? worst_verdict(report->root, group->grade) : NULL;
        if (verdict)
            return verdict;
    }
    return NULL;
}

/* What is cut inside a character is repaired when it is escaped. */
static void add_reason(struct strbuf *out, const char *text)
{
    struct strbuf head CLEANUP(strbuf_done) = {0};
    size_t length = strlen(text);
    strbuf_add(&head, text, length < TEXT_MOST_BYTES ? length : TEXT_MOST_BYTES);
    strbuf_puts(&head, length < TEXT_MOST_BYTES ? "" : " ...");
    out->failed |= head.failed;
    strbuf_puts(out, ": ");
    html_escape_line(out, strbuf_text(&head));
}

static void add_line(struct strbuf *out, const struct page_group *group)
{
    const struct report_item *reason = group->grade >= GRADE_UNKNOWN ? reason_of(group) : NULL;
    strbuf_puts(out, "<li>");
    page_add_grade(out, group->grade);
    strbuf_puts(out, "<a href=\"");
    page_add_group_address(out, group->name);
    strbuf_puts(out, "\">");
    html_escape(out, group->name);
    strbuf_puts(out, "</a>");
    if (reason)
        add_reason(out, reason->text);
    strbuf_puts(out, "</li>\n");
}

void page_add_lines(struct strbuf *out, const struct page *page, const struct page_groups *groups)
{
    bool begun = false;
    for (size_t i = 0; i < groups->count; i++) {
        if (page_is_in_full(groups, i))
            continue;
        if (!begun) {
            strbuf_puts(out, "<section>\n<h2>");
            html_escape(out, page->group_noun);
            strbuf_puts(out, ": all others, the worst first</h2>\n<ul class=\"lines\">\n");
        }
        begun = true;
        add_line(out, &groups->items[i]);
    }
    strbuf_puts(out, begun ? "</ul>\n</section>\n" : "");
}
