#include "exporter/commands/doctor_text.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/report/when.h"
#include "exporter/web/page_judge.h"

/* Of a long text, its first lines. */
#define DETAIL_LINES 10

#define PLAIN "\033[0m"

static const struct section {
    const char *title;
    const char *colour; /* of the title, on a terminal */
    enum grade from, to;
    const char *counted; /* in the last line */
    bool tells_steps;
} sections[] = {
    {"FAILED", "\033[1;31m", GRADE_FAILED, GRADE_FAILED, "failed", true},
    {"WARNING", "\033[1;33m", GRADE_WARNING, GRADE_WARNING, "warning", true},
    {"UNKNOWN", "\033[1;35m", GRADE_UNKNOWN, GRADE_UNKNOWN, "unknown", true},
    {"OK", "\033[1;32m", GRADE_PROVEN, GRADE_OK, "ok", false},
    {"NOT JUDGED", "\033[1m", GRADE_NONE, GRADE_NONE, NULL, false},
};

struct writer {
    struct strbuf *out;
    const struct section *section;
    const struct report_item *group; /* of the finding before */
    size_t count;                    /* of the section's findings */
    bool coloured;
    bool many; /* stanzas: each finding says its own */
};

/* ---- what belongs to a verdict ---- */

static void add_step(struct strbuf *out, const struct report_item *step)
{
    strbuf_printf(out, "      next: %s\n", step->text);
    if (step->command)
        strbuf_printf(out, "        $ %s\n", step->command);
}

/* The steps that follow it; several verdicts in a row have them in common. */
static void add_steps(struct strbuf *out, const struct report_item *group,
                      const struct report_item *verdict)
{
    size_t i = 0;
    while (i < group->child_count && group->children[i] != verdict)
        i++;
    while (i < group->child_count && group->children[i]->kind == REPORT_VERDICT)
        i++;
    for (; i < group->child_count && group->children[i]->kind == REPORT_STEP; i++)
        add_step(out, group->children[i]);
}

static void add_detail(struct strbuf *out, const struct report_item *detail)
{
    const char *text = detail->text ? detail->text : "";
    strbuf_printf(out, "      %s:\n", detail->title);
    for (int lines = 0; *text && lines < DETAIL_LINES; lines++) {
        size_t length = strcspn(text, "\n");
        strbuf_printf(out, "        | %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
    if (*text)
        strbuf_puts(out, "        | ...\n");
}

static void add_details(struct strbuf *out, const struct report_item *group)
{
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind == REPORT_DETAIL)
            add_detail(out, group->children[i]);
    }
}

/* ---- a finding ---- */

static void add_state(struct strbuf *out, const struct page_target *target)
{
    strbuf_printf(out, "collector %s of %s: ", target->collector, target->target);
    if (!target->has_run)
        strbuf_puts(out, "no answer in time");
    else if (target->error && *target->error)
        strbuf_puts(out, target->error);
    else
        strbuf_puts(out, "it says nothing of now");
}

static void add_verdict(struct strbuf *out, const struct page_finding *finding)
{
    if (finding->group->title)
        strbuf_printf(out, "%s: ", finding->group->title);
    if (finding->view.past)
        strbuf_puts(out, "last known: ");
    strbuf_puts(out, finding->verdict->text);
}

static void add_finding(struct writer *writer, const struct page_finding *finding)
{
    strbuf_puts(writer->out, "  * ");
    if (writer->many && *finding->target->group)
        strbuf_printf(writer->out, "%s: ", finding->target->group);
    if (finding->verdict)
        add_verdict(writer->out, finding);
    else
        add_state(writer->out, finding->target);
    strbuf_putc(writer->out, '\n');
}

static void add_title(const struct writer *writer)
{
    const struct section *section = writer->section;
    strbuf_printf(writer->out, "\n%s%s%s\n", writer->coloured ? section->colour : "",
                  section->title, writer->coloured ? PLAIN : "");
}

static void write_finding(void *context, const struct page_finding *finding)
{
    struct writer *writer = context;
    const struct section *section = writer->section;
    if (finding->grade < section->from || finding->grade > section->to)
        return;
    if (writer->count++ == 0)
        add_title(writer);
    add_finding(writer, finding);
    if (!finding->verdict || !section->tells_steps)
        return;
    add_steps(writer->out, finding->group, finding->verdict);
    if (writer->group != finding->group)
        add_details(writer->out, finding->group);
    writer->group = finding->group;
}

/* ---- all of them ---- */

static bool has_many_groups(const struct page *page)
{
    const char *first = NULL;
    for (size_t i = 0; i < page->target_count; i++) {
        const char *group = page->targets[i].group;
        if (*group && first && strcmp(first, group) != 0)
            return true;
        first = *group ? group : first;
    }
    return false;
}

static void add_head(struct strbuf *out, const struct page *page)
{
    strbuf_printf(out, "%s %s looked at %s, ", page->program, page->version,
                  page->host ? page->host : "this host");
    when_add_utc(out, page->now);
    strbuf_putc(out, '\n');
}

void doctor_text(struct strbuf *out, const struct page *page, bool coloured)
{
    struct strbuf counts CLEANUP(strbuf_done) = {0};
    bool many = has_many_groups(page);
    add_head(out, page);
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        struct writer writer = {
            .out = out, .section = &sections[i], .coloured = coloured, .many = many};
        page_visit_findings(page, write_finding, &writer);
        if (sections[i].counted)
            strbuf_printf(&counts, "%s%zu %s", i > 0 ? ", " : "", writer.count,
                          sections[i].counted);
    }
    strbuf_printf(out, "\n%s\n", strbuf_text(&counts));
    out->failed = out->failed || counts.failed;
}

enum grade doctor_worst(const struct page *page)
{
    enum grade worst = GRADE_NONE;
    for (size_t i = 0; i < page->target_count; i++) {
        enum grade grade = page_target_grade(page, &page->targets[i]);
        worst = grade > worst ? grade : worst;
    }
    return worst == GRADE_NONE ? GRADE_UNKNOWN : worst;
}
