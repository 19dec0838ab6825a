#include "exporter/web/summary.h"

#include <string.h>

#include "exporter/web/page_judge.h"
#include "exporter/web/page_words.h"

struct worst {
    enum grade grade;
    size_t count;                /* of the findings that are as bad */
    struct page_finding finding; /* the first of them */
};

static void take_worst(void *context, const struct page_finding *finding)
{
    struct worst *worst = context;
    if (finding->grade > worst->grade)
        *worst = (struct worst){.grade = finding->grade, .finding = *finding};
    if (finding->grade == worst->grade)
        worst->count++;
}

static void add_name(struct strbuf *out, const struct page_finding *finding)
{
    const struct page_target *target = finding->target;
    if (finding->group && finding->group->title)
        strbuf_printf(out, "%s%s%s: ", target->group, *target->group ? ", " : "",
                      finding->group->title);
    else
        strbuf_printf(out, "%s %s: ", target->collector, target->target);
}

static const char *state_of(const struct page_target *target)
{
    if (!target->has_run)
        return "not looked at yet";
    if (!target->current)
        return "out of date";
    return target->error && *target->error ? target->error : "unknown";
}

static void add_finding(struct strbuf *out, const struct worst *worst)
{
    const struct page_finding *finding = &worst->finding;
    const struct report_item *verdict = finding->verdict;
    strbuf_puts(out, page_grade_word(worst->grade));
    if (worst->count > 1)
        strbuf_printf(out, " (%zu)", worst->count);
    strbuf_puts(out, ": ");
    add_name(out, finding);
    if (verdict && verdict->grade != finding->grade)
        strbuf_puts(out, "last known: ");
    strbuf_puts(out, verdict ? verdict->text : state_of(finding->target));
}

static bool is_inside_a_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Errors have lines and any length. */
static void add_as_one_line(struct strbuf *out, struct strbuf *text)
{
    static const char dots[] = "...";
    if (text->failed) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < text->length; i++) {
        if ((unsigned char)text->data[i] < ' ' || text->data[i] == 0x7F)
            text->data[i] = ' ';
    }
    if (text->length > SUMMARY_MOST_BYTES) {
        size_t end = SUMMARY_MOST_BYTES - strlen(dots);
        while (end > 0 && is_inside_a_character(text->data[end]))
            end--;
        strbuf_truncate(text, end);
        strbuf_puts(text, dots);
    }
    strbuf_puts(out, strbuf_text(text));
}

void summary_write(struct strbuf *out, const struct page *page)
{
    struct worst worst = {.grade = GRADE_NONE};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    page_visit_findings(page, take_worst, &worst);
    if (page->target_count == 0)
        strbuf_puts(&text, "Nothing is watched");
    else if (worst.grade == GRADE_NONE)
        strbuf_puts(&text, "Nothing is judged yet");
    else if (worst.grade < GRADE_UNKNOWN)
        strbuf_printf(&text, "%s: nothing known to be wrong", page_grade_word(worst.grade));
    else
        add_finding(&text, &worst);
    add_as_one_line(out, &text);
}
