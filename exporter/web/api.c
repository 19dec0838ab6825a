#include "exporter/web/api.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "exporter/base/utf8.h"
#include "exporter/report/when.h"
#include "exporter/web/page_judge.h"

#define TARGETS_IN_FULL 500 /* of more only the verdicts are told: in full it took a second */

/* An object that is being written: what comes before its next member. */
struct object {
    struct strbuf *out;
    const char *before;
};

static struct object begin_object(struct strbuf *out)
{
    return (struct object){.out = out, .before = "{"};
}

static void end_object(struct object *object)
{
    strbuf_puts(object->out, *object->before == '{' ? "{}" : "}");
}

/* Names are ours and need no quoting. */
static struct strbuf *member(struct object *object, const char *name)
{
    strbuf_printf(object->out, "%s\"%s\":", object->before, name);
    object->before = ",";
    return object->out;
}

static void add_text(struct object *object, const char *name, const char *text)
{
    struct strbuf *out = member(object, name);
    if (text)
        utf8_add_quoted(out, text);
    else
        strbuf_puts(out, "null");
}

/* Left out when there is none. */
static void opt_text(struct object *object, const char *name, const char *text)
{
    if (text)
        add_text(object, name, text);
}

static void add_seconds(struct object *object, const char *name, double seconds)
{
    strbuf_printf(member(object, name), "%.3f", seconds);
}

/* RFC 3339; left out for what is no time. */
static void opt_time(struct object *object, const char *name, double time)
{
    struct tm utc;
    char text[40];
    time_t seconds = when_is_time(time) ? (time_t)time : 0;
    if (!seconds || !gmtime_r(&seconds, &utc))
        return;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    add_text(object, name, text);
}

static void add_grade(struct object *object, enum grade grade)
{
    add_text(object, "grade", grade == GRADE_NONE ? "none" : grade_name(grade));
}

/* ---- a report ---- */

static void add_items(struct strbuf *out, const struct report_item *group, bool brief);

static void add_item(struct strbuf *out, const struct report_item *item, bool brief)
{
    static const char *const kinds[] = {
        [REPORT_GROUP] = "group", [REPORT_VERDICT] = "verdict", [REPORT_FACT] = "fact",
        [REPORT_EVENT] = "event", [REPORT_STEP] = "step",       [REPORT_DETAIL] = "detail",
    };
    struct object object = begin_object(out);
    add_text(&object, "kind", kinds[item->kind]);
    if (item->kind == REPORT_GROUP || item->kind == REPORT_VERDICT)
        add_grade(&object, report_worst(item));
    opt_text(&object, "title", item->title);
    opt_text(&object, "text", item->text);
    opt_text(&object, "command", item->command);
    opt_time(&object, "time", item->time);
    if (item->kind == REPORT_EVENT)
        opt_time(&object, "end", item->end);
    if (item->kind == REPORT_GROUP)
        add_items(member(&object, "items"), item, brief);
    end_object(&object);
}

/* In brief: groups and verdicts only. */
static bool is_told(const struct report_item *item, bool brief)
{
    return !brief || item->kind == REPORT_GROUP || item->kind == REPORT_VERDICT;
}

static void add_items(struct strbuf *out, const struct report_item *group, bool brief)
{
    const char *before = "[";
    for (size_t i = 0; i < group->child_count; i++) {
        if (!is_told(group->children[i], brief))
            continue;
        strbuf_puts(out, before);
        add_item(out, group->children[i], brief);
        before = ",";
    }
    strbuf_puts(out, *before == '[' ? "[]" : "]");
}

/* ---- a target ---- */

static const char *state_of(const struct page_target *target)
{
    static const char *const outcomes[] = {
        [RUN_OK] = "ok", [RUN_DOWN] = "down", [RUN_FAILED] = "failed"};
    if (!target->has_run)
        return "pending";
    return target->current ? outcomes[target->outcome] : "out_of_date";
}

static void add_past(struct object *object, const struct page *page,
                     const struct page_target *target, bool brief)
{
    struct page_view view;
    const struct report *past = page_past_report(page, target, &view);
    if (!past)
        return;
    struct object known = begin_object(member(object, "last_known"));
    opt_time(&known, "time", view.known_at);
    add_items(member(&known, "report"), past->root, brief);
    end_object(&known);
}

static void add_target(struct strbuf *out, const struct page *page,
                       const struct page_target *target, bool brief)
{
    struct object object = begin_object(out);
    const struct report *report = page_present_report(target);
    add_text(&object, "stanza", *target->group ? target->group : NULL);
    add_text(&object, "collector", target->collector);
    add_text(&object, "target", target->target);
    add_text(&object, "state", state_of(target));
    add_grade(&object, page_target_grade(page, target));
    if (target->has_run && target->error && *target->error)
        add_text(&object, "error", target->error);
    if (target->has_run) {
        opt_time(&object, "looked_at", target->started_at);
        add_seconds(&object, "duration_seconds", target->duration_s);
    }
    if (target->running_s > 0)
        add_seconds(&object, "running_seconds", target->running_s);
    strbuf_printf(member(&object, "failures"), "%" PRIu64, target->failures);
    if (report)
        add_items(member(&object, "report"), report->root, brief);
    add_past(&object, page, target, brief);
    end_object(&object);
}

/* ---- the document ---- */

static bool is_wanted(const struct page *page, const struct page_target *target)
{
    return !page->only || !*target->group || strcmp(target->group, page->only) == 0;
}

static void add_targets(struct strbuf *out, const struct page *page)
{
    bool brief = !page->only && page->target_count > TARGETS_IN_FULL;
    const char *before = "[";
    for (size_t i = 0; i < page->target_count; i++) {
        if (!is_wanted(page, &page->targets[i]))
            continue;
        strbuf_puts(out, before);
        add_target(out, page, &page->targets[i], brief);
        before = ",";
    }
    strbuf_puts(out, *before == '[' ? "[]" : "]");
}

static void add_notices(struct strbuf *out, const struct page *page)
{
    strbuf_putc(out, '[');
    for (const char *const *notice = page->notices; notice && *notice; notice++) {
        strbuf_puts(out, notice > page->notices ? "," : "");
        utf8_add_quoted(out, *notice);
    }
    strbuf_putc(out, ']');
}

/* What was not judged is unknown, and so is a page with nothing on it. */
static enum grade worst_of(const struct page *page)
{
    enum grade worst = page_least_grade(page);
    for (size_t i = 0; i < page->target_count; i++) {
        enum grade grade = page_target_grade(page, &page->targets[i]);
        if (is_wanted(page, &page->targets[i]) && grade > worst)
            worst = grade;
    }
    return worst == GRADE_NONE ? GRADE_UNKNOWN : worst;
}

void api_render(struct strbuf *out, const struct page *page)
{
    struct object object = begin_object(out);
    add_text(&object, "program", page->program);
    add_text(&object, "version", page->version);
    opt_text(&object, "host", page->host);
    opt_time(&object, "time", page->now);
    add_grade(&object, worst_of(page));
    add_notices(member(&object, "notices"), page);
    add_targets(member(&object, "targets"), page);
    end_object(&object);
    strbuf_putc(out, '\n');
}
