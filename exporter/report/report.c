#include "exporter/report/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

#define FIRST_CAPACITY 4

static void item_free(struct report_item *item)
{
    if (!item)
        return;
    for (size_t i = 0; i < item->child_count; i++)
        item_free(item->children[i]);
    free(item->children);
    free(item->title);
    free(item->text);
    free(item->command);
    free(item);
}

struct report *report_new(void)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report)
        return NULL;
    report->root = calloc(1, sizeof *report->root);
    if (!report->root) {
        free(report);
        return NULL;
    }
    report->root->kind = REPORT_GROUP;
    return report;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    item_free(report->root);
    free(report);
}

/* Room for one more child. There is room until the count reaches the next power of two. */
static bool reserve_child(struct report_item *group)
{
    size_t count = group->child_count;
    bool full = count == 0 || (count >= FIRST_CAPACITY && (count & (count - 1)) == 0);
    if (!full)
        return true;
    size_t capacity = count ? count * 2 : FIRST_CAPACITY;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
    struct report_item **children = reallocarray(group->children, capacity, sizeof *children);
    if (!children)
        return false;
    group->children = children;
    return true;
}

/* A new child of group (NULL: the root), or NULL when out of memory. */
static struct report_item *add(struct report *report, struct report_item *group,
                               enum report_kind kind)
{
    if (!report)
        return NULL;
    if (!group)
        group = report->root;
    struct report_item *item = reserve_child(group) ? calloc(1, sizeof *item) : NULL;
    if (!item) {
        report->failed = true;
        return NULL;
    }
    item->kind = kind;
    group->children[group->child_count++] = item;
    return item;
}

/* An owned, printable copy; NULL stays NULL. */
static char *copy(struct report *report, const char *text)
{
    if (!text)
        return NULL;
    struct strbuf buf = {0};
    utf8_repair_printable(&buf, text, strlen(text));
    char *repaired = strbuf_steal(&buf);
    if (!repaired)
        report->failed = true;
    return repaired;
}

PRINTF(2, 0)
static char *format_text(struct report *report, const char *format, va_list values)
{
    char *text = NULL;
    if (vasprintf(&text, format, values) < 0) {
        report->failed = true;
        return NULL;
    }
    char *repaired = copy(report, text);
    free(text);
    return repaired;
}

struct report_item *report_group(struct report *report, struct report_item *group,
                                 const char *title)
{
    struct report_item *item = add(report, group, REPORT_GROUP);
    if (item)
        item->title = copy(report, title);
    return item;
}

void report_verdict(struct report *report, struct report_item *group, enum grade grade,
                    const char *format, ...)
{
    struct report_item *item = add(report, group, REPORT_VERDICT);
    if (!item)
        return;
    va_list values;
    va_start(values, format);
    item->grade = grade;
    item->text = format_text(report, format, values);
    va_end(values);
}

/* NOLINTNEXTLINE(readability-function-size): a verdict and the moment that it speaks of */
void report_verdict_of(struct report *report, struct report_item *group, enum grade grade,
                       double time, const char *format, ...)
{
    struct report_item *item = add(report, group, REPORT_VERDICT);
    if (!item)
        return;
    va_list values;
    va_start(values, format);
    item->grade = grade;
    item->time = time;
    item->text = format_text(report, format, values);
    va_end(values);
}

void report_fact(struct report *report, struct report_item *group, const char *title,
                 const char *format, ...)
{
    struct report_item *item = add(report, group, REPORT_FACT);
    if (!item)
        return;
    va_list values;
    va_start(values, format);
    item->title = copy(report, title);
    item->text = format_text(report, format, values);
    va_end(values);
}

void report_time(struct report *report, struct report_item *group, const char *title, double time)
{
    report_since(report, group, title, NULL, time);
}

void report_since(struct report *report, struct report_item *group, const char *title,
                  const char *text, double time)
{
    struct report_item *item = add(report, group, REPORT_FACT);
    if (!item)
        return;
    item->title = copy(report, title);
    item->text = copy(report, text);
    item->time = time;
    item->end = time;
}

/* NOLINTNEXTLINE(readability-function-size): an event has four values, none of them optional */
void report_event(struct report *report, struct report_item *group, const char *kind,
                  const char *label, double time, double end)
{
    struct report_item *item = add(report, group, REPORT_EVENT);
    if (!item)
        return;
    item->title = copy(report, kind);
    item->text = copy(report, label);
    item->time = time;
    item->end = end;
}

void report_step(struct report *report, struct report_item *group, const char *sentence,
                 const char *command)
{
    struct report_item *item = add(report, group, REPORT_STEP);
    if (!item)
        return;
    item->text = copy(report, sentence);
    item->command = copy(report, command);
}

void report_detail(struct report *report, struct report_item *group, const char *title,
                   const char *text)
{
    struct report_item *item = add(report, group, REPORT_DETAIL);
    if (!item)
        return;
    item->title = copy(report, title);
    item->text = copy(report, text);
}

enum grade report_worst(const struct report_item *item)
{
    if (!item)
        return GRADE_NONE;
    enum grade worst = item->grade;
    for (size_t i = 0; i < item->child_count; i++) {
        enum grade grade = report_worst(item->children[i]);
        if (grade > worst)
            worst = grade;
    }
    return worst;
}

const char *grade_name(enum grade grade)
{
    static const char *const names[] = {
        [GRADE_NONE] = "",           [GRADE_PROVEN] = "proven",   [GRADE_OK] = "ok",
        [GRADE_UNKNOWN] = "unknown", [GRADE_WARNING] = "warning", [GRADE_FAILED] = "failed",
    };
    return names[grade];
}
