#include "exporter/web/page_report.h"

#include <stddef.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/report/when.h"
#include "exporter/web/html.h"
#include "exporter/web/page_words.h"

#define HEADING_LOWEST 6
#define EVENTS_LISTED  20

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

/* The age of the moment that the text names, in place of that moment. */
static void add_with_age(struct strbuf *out, const struct page_view *view,
                         const struct report_item *verdict)
{
    struct strbuf moment CLEANUP(strbuf_done) = {0};
    struct strbuf head CLEANUP(strbuf_done) = {0};
    when_add_utc(&moment, verdict->time);
    const char *place =
        verdict->time > 0 && verdict->text ? strstr(verdict->text, strbuf_text(&moment)) : NULL;
    if (!place) {
        html_escape(out, verdict->text);
        return;
    }
    strbuf_add(&head, verdict->text, (size_t)(place - verdict->text));
    html_escape(out, strbuf_text(&head));
    strbuf_printf(out, "<span title=\"%s\">", strbuf_text(&moment));
    page_add_age(out, verdict->time, view->now);
    strbuf_puts(out, "</span>");
    html_escape(out, place + moment.length);
    out->failed |= moment.failed || head.failed;
}

void page_add_verdict(struct strbuf *out, const struct page_view *view,
                      const struct report_item *verdict)
{
    if (view->past) {
        strbuf_puts(out, "unknown since ");
        page_add_time(out, view->known_at, view->now);
        strbuf_puts(out, ", last known: ");
    }
    add_with_age(out, view, verdict);
}

/* How many bytes at the start say the grade already: "PROVEN (drill ...", "unknown: ...". */
static size_t length_of_grade(const char *text, const char *word)
{
    static const char between[] = " :";
    size_t length = strlen(word);
    if (length == 0 || strncasecmp(text, word, length) != 0)
        return 0;
    size_t gap = strspn(text + length, between);
    return gap > 0 || !text[length] ? length + gap : 0;
}

static void write_verdict(struct strbuf *out, const struct page_view *view,
                          const struct report_item *item)
{
    enum grade grade = page_view_grade(view, item->grade);
    struct report_item rest = *item;
    if (!view->past && rest.text)
        rest.text += length_of_grade(item->text, page_grade_word(grade));
    strbuf_puts(out, "<p class=\"verdict\">");
    page_add_grade(out, grade);
    page_add_verdict(out, view, &rest);
    strbuf_puts(out, "</p>\n");
}

static void write_fact(struct strbuf *out, const struct page_view *view,
                       const struct report_item *item)
{
    strbuf_puts(out, "<div><dt>");
    html_escape(out, item->title);
    strbuf_puts(out, "</dt><dd>");
    html_escape(out, item->text);
    if (item->text && item->time > 0)
        strbuf_putc(out, ' ');
    if (!item->text || item->time > 0) {
        page_add_time(out, item->time, view->now);
        page_add_local(out, item->time);
    }
    strbuf_puts(out, "</dd></div>\n");
}

static void add_word(struct strbuf *out, const char *word, size_t length)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    bool option = length > 2 && strncmp(word, "--", 2) == 0;
    strbuf_add(&text, word, length);
    out->failed |= text.failed;
    strbuf_puts(out, option ? "<span>" : "");
    html_escape(out, strbuf_text(&text));
    strbuf_puts(out, option ? "</span>" : "");
}

/* A line may break behind a hyphen; "-- repo" would be another command for who types it. */
static void add_command(struct strbuf *out, const char *command)
{
    while (*command) {
        size_t length = strcspn(command, " ");
        size_t gap = strspn(command + length, " ");
        add_word(out, command, length);
        strbuf_add(out, command + length, gap);
        command += length + gap;
    }
}

static void write_step(struct strbuf *out, UNUSED const struct page_view *view,
                       const struct report_item *item)
{
    strbuf_puts(out, "<li>");
    html_escape(out, item->text);
    if (item->command) {
        strbuf_puts(out, "<pre><code>");
        add_command(out, item->command);
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
     "<details><summary>Time line in words</summary><div class=\"scroll\"><table>\n<thead><tr>"
     "<th scope=\"col\">What</th><th scope=\"col\">Name</th><th scope=\"col\">When</th>"
     "<th scope=\"col\">How long</th></tr></thead>\n<tbody>\n",
     write_event, "</tbody></table></div></details>\n"},
    {REPORT_DETAIL, "", write_detail, ""},
};

struct writing {
    struct strbuf *out;
    const struct page_view *view;
    const struct part *part;
    size_t count; /* written so far */
    size_t left_out;
};

static void write_item(struct writing *writing, const struct report_item *item)
{
    if (item->kind == REPORT_EVENT && writing->count >= EVENTS_LISTED) {
        writing->left_out++;
        return;
    }
    if (writing->count++ == 0)
        strbuf_puts(writing->out, writing->part->before);
    writing->part->write(writing->out, writing->view, item);
}

static void write_graded(struct writing *writing, const struct report_item *group, enum grade grade)
{
    for (size_t i = 0; i < group->child_count; i++) {
        const struct report_item *item = group->children[i];
        if (item->kind == writing->part->kind && item->grade == grade)
            write_item(writing, item);
    }
}

/* The newest first: they were added in the order of time. */
static void write_events(struct writing *writing, const struct report_item *group)
{
    for (size_t i = group->child_count; i-- > 0;) {
        if (group->children[i]->kind == REPORT_EVENT)
            write_item(writing, group->children[i]);
    }
}

/* The worst first; what has no grade stays in its order. */
static void add_part(struct strbuf *out, const struct page_view *view,
                     const struct report_item *group, const struct part *part)
{
    struct writing writing = {.out = out, .view = view, .part = part};
    if (part->kind == REPORT_EVENT)
        write_events(&writing, group);
    for (enum grade grade = GRADE_FAILED; part->kind != REPORT_EVENT; grade--) {
        write_graded(&writing, group, grade);
        if (grade == GRADE_NONE)
            break;
    }
    if (writing.left_out > 0)
        strbuf_printf(out, "<tr><td colspan=\"4\">and %zu older ones</td></tr>\n",
                      writing.left_out);
    if (writing.count > 0)
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
