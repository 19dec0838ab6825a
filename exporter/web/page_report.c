#include "exporter/web/page_report.h"

#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/web/html.h"
#include "exporter/web/page_words.h"

#define HEADING_LOWEST 6

/* Writes the items of one kind; each kind has its own frame around them. */
typedef void item_writer(struct strbuf *out, const struct page_view *view,
                         const struct report_item *item);

struct part {
    enum report_kind kind;
    const char *before;
    item_writer *write;
    const char *after;
};

enum grade page_view_grade(const struct page_view *view, enum grade grade)
{
    bool better = grade != GRADE_NONE && grade < GRADE_UNKNOWN;
    return view->past && better ? GRADE_UNKNOWN : grade;
}

void page_add_verdict(struct strbuf *out, const struct page_view *view,
                      const struct report_item *verdict)
{
    if (view->past) {
        strbuf_puts(out, "unknown since ");
        page_add_time(out, view->known_at, view->now);
        strbuf_puts(out, ", last known: ");
    }
    html_escape(out, verdict->text);
}

static void write_verdict(struct strbuf *out, const struct page_view *view,
                          const struct report_item *item)
{
    strbuf_puts(out, "<p class=\"verdict\">");
    page_add_grade(out, page_view_grade(view, item->grade));
    page_add_verdict(out, view, item);
    strbuf_puts(out, "</p>\n");
}

static void write_fact(struct strbuf *out, const struct page_view *view,
                       const struct report_item *item)
{
    strbuf_puts(out, "<div><dt>");
    html_escape(out, item->title);
    strbuf_puts(out, "</dt><dd>");
    if (item->text)
        html_escape(out, item->text);
    else
        page_add_time(out, item->time, view->now);
    strbuf_puts(out, "</dd></div>\n");
}

static void write_step(struct strbuf *out, UNUSED const struct page_view *view,
                       const struct report_item *item)
{
    strbuf_puts(out, "<li>");
    html_escape(out, item->text);
    if (item->command) {
        strbuf_puts(out, "<pre><code>");
        html_escape(out, item->command);
        strbuf_puts(out, "</code></pre>");
    }
    strbuf_puts(out, "</li>\n");
}

static void write_event(struct strbuf *out, const struct page_view *view,
                        const struct report_item *item)
{
    strbuf_puts(out, "<tr><th scope=\"row\">");
    html_escape(out, item->title);
    strbuf_puts(out, "</th><td>");
    html_escape(out, item->text);
    strbuf_puts(out, "</td><td>");
    page_add_time(out, item->time, view->now);
    strbuf_puts(out, "</td><td class=\"number\">");
    if (item->end > item->time)
        page_add_duration(out, item->end - item->time);
    strbuf_puts(out, "</td></tr>\n");
}

static void write_detail(struct strbuf *out, UNUSED const struct page_view *view,
                         const struct report_item *item)
{
    strbuf_puts(out, "<details><summary>");
    html_escape(out, item->title);
    strbuf_puts(out, "</summary><pre>");
    html_escape(out, item->text);
    strbuf_puts(out, "</pre></details>\n");
}

/* In the order in which a reader needs them. */
static const struct part parts[] = {
    {REPORT_VERDICT, "", write_verdict, ""},
    {REPORT_STEP, "<ul class=\"steps\">\n", write_step, "</ul>\n"},
    {REPORT_FACT, "<dl>\n", write_fact, "</dl>\n"},
    {REPORT_EVENT,
     "<details><summary>Time line</summary><div class=\"scroll\"><table>\n<thead><tr>"
     "<th scope=\"col\">What</th><th scope=\"col\">Name</th><th scope=\"col\">When</th>"
     "<th scope=\"col\">How long</th></tr></thead>\n<tbody>\n",
     write_event, "</tbody></table></div></details>\n"},
    {REPORT_DETAIL, "", write_detail, ""},
};

static void add_part(struct strbuf *out, const struct page_view *view,
                     const struct report_item *group, const struct part *part)
{
    bool begun = false;
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind != part->kind)
            continue;
        if (!begun)
            strbuf_puts(out, part->before);
        begun = true;
        part->write(out, view, group->children[i]);
    }
    if (begun)
        strbuf_puts(out, part->after);
}

static void add_subgroup(struct strbuf *out, const struct page_view *view,
                         const struct report_item *group, int heading)
{
    int level = heading < HEADING_LOWEST ? heading : HEADING_LOWEST;
    strbuf_printf(out, "<section>\n<h%d>", level);
    html_escape(out, group->title);
    strbuf_printf(out, "</h%d>\n", level);
    page_add_group(out, view, group, level + 1);
    strbuf_puts(out, "</section>\n");
}

void page_add_group(struct strbuf *out, const struct page_view *view,
                    const struct report_item *group, int heading)
{
    bool begun = false;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        add_part(out, view, group, &parts[i]);
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind != REPORT_GROUP)
            continue;
        if (!begun)
            strbuf_puts(out, "<div class=\"parts\">\n");
        begun = true;
        add_subgroup(out, view, group->children[i], heading);
    }
    if (begun)
        strbuf_puts(out, "</div>\n");
}
