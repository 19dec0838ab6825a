#include "exporter/web/page_timeline.h"

#include <math.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/web/html.h"
#include "exporter/web/page_card.h"
#include "exporter/web/page_judge.h"
#include "exporter/web/page_words.h"
#include "exporter/web/timeline_svg.h"

#define LEAST_RANGE_S 7200
#define ROOM          1.04 /* to the left of the first event */

/* What its time line shows: the present, else what was known before. */
static const struct report *report_of(const struct page *page, const struct page_target *target)
{
    struct page_view unused;
    const struct report *present = page_present_report(target);
    return timeline_count(present) > 0 ? present : page_past_report(page, target, &unused);
}

static bool has_events(const struct page *page, const struct page_target *target)
{
    return timeline_count(report_of(page, target)) > 0;
}

static bool has_row(const struct page *page, const struct page_group *group, size_t index)
{
    const struct page_target *target = group->targets[index];
    for (size_t i = 0; i < index; i++) {
        if (strcmp(group->targets[i]->target, target->target) == 0 &&
            has_events(page, group->targets[i]))
            return false;
    }
    return has_events(page, target);
}

static struct timeline_axis axis_of(const struct page *page, const struct page_group *group)
{
    double first = page->now;
    for (size_t i = 0; i < group->count; i++)
        first = timeline_first(report_of(page, group->targets[i]), first);
    double range = fmax((page->now - first) * ROOM, LEAST_RANGE_S);
    return (struct timeline_axis){.first = page->now - range, .now = page->now};
}

static void add_title(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    const struct report_item *group = page_title_group(page, target);
    html_escape(out, group && group->title ? group->title : target->target);
}

static void add_row(struct strbuf *out, const struct page *page, const struct timeline_axis *axis,
                    const struct page_target *target)
{
    const struct report *report = report_of(page, target);
    const struct report_item *group = page_title_group(page, target);
    double latest = timeline_last(report, "latest moment");
    strbuf_puts(out, "<p class=\"row\">");
    page_add_grade(out, page_target_grade(page, target));
    strbuf_puts(out, "<b>");
    add_title(out, page, target);
    strbuf_puts(out, "</b>");
    if (latest > 0) {
        bool known = page_target_grade(page, target) != GRADE_UNKNOWN;
        strbuf_printf(out, " <span class=\"age\">%s ", known ? "reaches" : "last known to reach");
        page_add_age(out, latest, page->now);
        strbuf_puts(out, "</span>");
    }
    strbuf_puts(out, "</p>\n");
    timeline_svg_row(
        out, axis,
        &(struct timeline_row){.number = page_number_of(page, target),
                               .title = group && group->title ? group->title : target->target,
                               .grade = page_target_grade(page, target),
                               .report = report});
}

static void add_legend(struct strbuf *out)
{
    static const char *const entries[][2] = {
        {"full", "full"},
        {"diff", "diff"},
        {"incr", "incr backup"},
        {"broken", "not restorable"},
        {"drill", "drill that worked"},
    };
    strbuf_puts(out, "<ul class=\"legend\"><li><i class=\"window\"></i>every moment can be "
                     "restored</li><li><i class=\"gap\"></i>WAL is missing</li>"
                     "<li><i class=\"lost\"></i>would be lost</li>");
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        strbuf_printf(out,
                      "<li><svg width=\"20\" height=\"20\" aria-hidden=\"true\"><use "
                      "href=\"#s-%s\" class=\"%s\" x=\"10\" y=\"%d\"/></svg>%s</li>",
                      entries[i][0], entries[i][0], strcmp(entries[i][0], "drill") == 0 ? 34 : 10,
                      entries[i][1]);
    strbuf_puts(out, "</ul>\n");
}

void page_add_timeline(struct strbuf *out, const struct page *page, const struct page_group *group)
{
    struct timeline_axis axis = axis_of(page, group);
    bool begun = false;
    for (size_t i = 0; i < group->count; i++) {
        if (!has_row(page, group, i))
            continue;
        if (!begun)
            strbuf_puts(out, "<figure class=\"timeline\">\n<figcaption>What can be restored, and "
                             "from when; the nearer to now, the wider</figcaption>\n");
        begun = true;
        add_row(out, page, &axis, group->targets[i]);
    }
    if (!begun)
        return;
    timeline_svg_axis(out, &axis);
    add_legend(out);
    strbuf_puts(out, "</figure>\n");
}
