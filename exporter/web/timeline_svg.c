#include "exporter/web/timeline_svg.h"

#include <math.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/report/when.h"
#include "exporter/web/html.h"

#define LEFT           1.5  /* % of the width, so that the marks at both ends are whole */
#define WIDTH          96.0 /* % from the first moment to now */
#define SLOTS          400  /* marks of one kind in the same slot are drawn once */
#define LEAST_SPAN     0.6  /* %: what is shorter would not be seen */
#define LABEL_GAP      17.0 /* %: labels closer than that would touch on a phone */
#define LABEL_HALF     6.5  /* %: of one on a phone */
#define LABEL_GAP_WIDE 3.8

enum form { SPAN, POINT };

/* In the order in which they are drawn, one over the other. */
static const struct look {
    const char *kind;
    const char *name; /* of its shape and its class */
    enum form form;
} looks[] = {
    {"window", "window", SPAN},
    {"gap", "gap", SPAN},
    {"incr", "incr", POINT},
    {"diff", "diff", POINT},
    {"full", "full", POINT},
    {NULL, "other", POINT},
    {"not restorable", "broken", POINT},
    {"drill", "drill", POINT},
    {"latest moment", "latest", POINT},
};

static const struct tick {
    double age;
    const char *label;
} ticks[] = {
    {300, "5 min"},       {900, "15 min"},      {3600, "1 h"},         {6 * 3600, "6 h"},
    {86400, "1 d"},       {3 * 86400, "3 d"},   {7 * 86400, "1 wk"},   {14 * 86400, "2 wk"},
    {30 * 86400, "30 d"}, {90 * 86400, "90 d"}, {365 * 86400, "1 yr"}, {1095 * 86400.0, "3 yr"},
};

/* Events in a tree */

typedef void event_visitor(void *context, const struct report_item *event);

/* The newest first, as far as they were added in order. */
static void visit(const struct report_item *item, event_visitor *visitor, void *context)
{
    for (size_t i = item->child_count; i-- > 0;) {
        const struct report_item *child = item->children[i];
        if (child->kind == REPORT_GROUP)
            visit(child, visitor, context);
        else if (child->kind == REPORT_EVENT && when_is_time(child->time))
            visitor(context, child);
    }
}

static void visit_all(const struct report *report, event_visitor *visitor, void *context)
{
    if (report)
        visit(report->root, visitor, context);
}

static void count_one(void *context, const struct report_item *event UNUSED)
{
    ++*(size_t *)context;
}

size_t timeline_count(const struct report *report)
{
    size_t count = 0;
    visit_all(report, count_one, &count);
    return count;
}

static void take_earlier(void *context, const struct report_item *event)
{
    double *first = context;
    if (event->time < *first)
        *first = event->time;
}

double timeline_first(const struct report *report, double first)
{
    visit_all(report, take_earlier, &first);
    return first;
}

static const char *kind_of(const struct report_item *event)
{
    return event->title ? event->title : "";
}

struct search {
    const char *kind;
    double time;
};

static void take_later(void *context, const struct report_item *event)
{
    struct search *search = context;
    if (strcmp(kind_of(event), search->kind) == 0 && event->time > search->time)
        search->time = event->time;
}

double timeline_last(const struct report *report, const char *kind)
{
    struct search search = {.kind = kind};
    visit_all(report, take_later, &search);
    return search.time;
}

/* Places */

static double place_of_age(const struct timeline_axis *axis, double age)
{
    double range = axis->now - axis->first;
    double part = range > 0 ? age / range : 0;
    return LEFT + WIDTH * (1 - cbrt(fmin(fmax(part, 0), 1)));
}

static double place_of(const struct timeline_axis *axis, double time)
{
    return place_of_age(axis, axis->now - time);
}

/* Marks */

struct drawing {
    struct strbuf *out;
    const struct timeline_axis *axis;
    const struct look *look; /* that is drawn now */
    bool drawn[SLOTS + 1];   /* of that look */
};

static bool is_known(const char *kind)
{
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        if (looks[i].kind && strcmp(looks[i].kind, kind) == 0)
            return true;
    }
    return false;
}

static bool is_look_of(const struct look *look, const struct report_item *event)
{
    const char *kind = kind_of(event);
    return look->kind ? strcmp(look->kind, kind) == 0 : !is_known(kind);
}

static void add_tip(struct strbuf *out, const struct report_item *event)
{
    strbuf_puts(out, "<title>");
    html_escape_line(out, kind_of(event));
    strbuf_puts(out, ": ");
    html_escape_line(out, event->text);
    strbuf_puts(out, ", ");
    when_add_utc(out, event->time);
    if (event->end > event->time) {
        strbuf_puts(out, " to ");
        when_add_utc(out, event->end);
    }
    strbuf_puts(out, "</title>");
}

static void draw_span(struct drawing *drawing, const struct report_item *event)
{
    double from = place_of(drawing->axis, event->time);
    double width = fmax(place_of(drawing->axis, event->end) - from, LEAST_SPAN);
    strbuf_printf(drawing->out,
                  "<rect class=\"%s\" x=\"%.2f%%\" y=\"20\" width=\"%.2f%%\" "
                  "height=\"24\" rx=\"4\">",
                  drawing->look->name, from, width);
    add_tip(drawing->out, event);
    strbuf_puts(drawing->out, "</rect>");
}

/* A backup stands for the moment at which it ended. */
static void draw_point(struct drawing *drawing, const struct report_item *event)
{
    double at = place_of(drawing->axis, event->end > event->time ? event->end : event->time);
    size_t slot = (size_t)(at * SLOTS / 100);
    if (drawing->drawn[slot])
        return;
    drawing->drawn[slot] = true;
    strbuf_printf(drawing->out, "<use href=\"#s-%s\" class=\"%s\" x=\"%.2f%%\" y=\"32\">",
                  drawing->look->name, drawing->look->name, at);
    add_tip(drawing->out, event);
    strbuf_puts(drawing->out, "</use>");
}

static void draw(void *context, const struct report_item *event)
{
    struct drawing *drawing = context;
    if (!is_look_of(drawing->look, event))
        return;
    if (drawing->look->form == SPAN)
        draw_span(drawing, event);
    else
        draw_point(drawing, event);
}

/* From the latest moment that can be reached until now. */
static void draw_loss(struct strbuf *out, const struct timeline_axis *axis,
                      const struct report *report)
{
    double latest = timeline_last(report, "latest moment");
    if (latest <= 0 || latest >= axis->now)
        return;
    double from = place_of(axis, latest);
    strbuf_printf(out,
                  "<rect class=\"lost\" x=\"%.2f%%\" y=\"24\" width=\"%.2f%%\" height=\"16\">"
                  "<title>a restore now would lose this</title></rect>",
                  from, place_of(axis, axis->now) - from);
}

static void draw_grid(struct strbuf *out, const struct timeline_axis *axis)
{
    for (size_t i = 0; i < COUNT_OF(ticks) && ticks[i].age < axis->now - axis->first; i++) {
        double at = place_of_age(axis, ticks[i].age);
        strbuf_printf(out, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y2=\"64\"/>", at, at);
    }
    double now = place_of(axis, axis->now);
    strbuf_printf(out,
                  "<line class=\"base\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"32\" y2=\"32\"/>"
                  "<line class=\"now\" x1=\"%.2f%%\" x2=\"%.2f%%\" y2=\"64\"/>",
                  LEFT, now, now, now);
}

static void draw_all(struct strbuf *out, const struct timeline_axis *axis,
                     const struct report *report)
{
    draw_grid(out, axis);
    draw_loss(out, axis, report);
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        struct drawing drawing = {.out = out, .axis = axis, .look = &looks[i]};
        visit_all(report, draw, &drawing);
    }
}

/* Words for those who do not see it */

struct tally {
    const struct look *look;
    size_t count;
};

static void count_look(void *context, const struct report_item *event)
{
    struct tally *tally = context;
    tally->count += is_look_of(tally->look, event);
}

static void add_description(struct strbuf *out, const struct timeline_axis *axis,
                            const struct report *report)
{
    const char *before = ": ";
    double latest = timeline_last(report, "latest moment");
    strbuf_puts(out, "Since ");
    when_add_utc(out, timeline_first(report, axis->now));
    for (size_t i = 0; i + 1 < COUNT_OF(looks); i++) {
        struct tally tally = {.look = &looks[i]};
        visit_all(report, count_look, &tally);
        if (tally.count == 0)
            continue;
        strbuf_printf(out, "%s%zu %s", before, tally.count,
                      looks[i].kind ? looks[i].kind : "others");
        before = ", ";
    }
    if (latest > 0) {
        strbuf_puts(out, ". A restore reaches ");
        when_add_utc(out, latest);
    }
    strbuf_puts(out, ". Now is ");
    when_add_utc(out, axis->now);
}

void timeline_svg_shapes(struct strbuf *out)
{
    strbuf_puts(out, "<svg class=\"shapes\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
                     "<circle id=\"s-full\" r=\"9\"/>"
                     "<path id=\"s-diff\" d=\"M0-8L8 0 0 8-8 0z\"/>"
                     "<circle id=\"s-incr\" r=\"4\"/><circle id=\"s-other\" r=\"3\"/>"
                     "<path id=\"s-broken\" d=\"M-7-7L7 7M7-7L-7 7\"/>"
                     "<path id=\"s-drill\" d=\"M-6-24L-1-19 7-29\"/>"
                     "<path id=\"s-latest\" d=\"M0-20V20M-5-26H5L0-18z\"/></defs></svg>\n");
}

void timeline_svg_row(struct strbuf *out, const struct timeline_axis *axis,
                      const struct timeline_row *row)
{
    size_t number = row->number;
    strbuf_printf(out,
                  "<svg class=\"line %s\" width=\"100%%\" height=\"64\" role=\"img\" "
                  "aria-labelledby=\"l%zu-t l%zu-d\"><title id=\"l%zu-t\">Time line of ",
                  row->grade == GRADE_UNKNOWN ? "unknown" : "known", number, number, number);
    html_escape(out, row->title);
    strbuf_printf(out, "</title><desc id=\"l%zu-d\">", number);
    add_description(out, axis, row->report);
    strbuf_puts(out, "</desc>");
    draw_all(out, axis, row->report);
    strbuf_puts(out, "</svg>\n");
}

static void add_label(struct strbuf *out, double at, const char *label, bool wide)
{
    strbuf_printf(out, "<text%s x=\"%.2f%%\" y=\"14\" text-anchor=\"middle\">%s</text>",
                  wide ? " class=\"wide\"" : "", at, label);
}

/* Where all labels have no room, those between are for wide screens only. */
void timeline_svg_axis(struct strbuf *out, const struct timeline_axis *axis)
{
    double now = place_of(axis, axis->now);
    double last = now, last_of_any = now;
    strbuf_printf(out,
                  "<svg class=\"axis\" width=\"100%%\" height=\"20\" aria-hidden=\"true\">"
                  "<text class=\"now\" x=\"%.2f%%\" y=\"14\" text-anchor=\"middle\">now</text>",
                  now);
    for (size_t i = 0; i < COUNT_OF(ticks) && ticks[i].age < axis->now - axis->first; i++) {
        double at = place_of_age(axis, ticks[i].age);
        bool wide = last - at < LABEL_GAP;
        if (last_of_any - at < LABEL_GAP_WIDE || at < LABEL_HALF)
            continue;
        last_of_any = at;
        last = wide ? last : at;
        add_label(out, at, ticks[i].label, wide);
    }
    strbuf_puts(out, "</svg>\n");
}
