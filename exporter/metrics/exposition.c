#include "exporter/metrics/exposition.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/metrics/series_set.h"

#define FIRST_CAPACITY 256

/* A sample to write; its number in the order of addition keeps that order within its family. */
struct line {
    const struct sample *sample;
    size_t number;
};

struct exposition {
    double now;
    struct line *lines;
    size_t count;
    size_t capacity;
    bool failed;
};

struct exposition *exposition_new(double now)
{
    struct exposition *exposition = calloc(1, sizeof *exposition);
    if (exposition)
        exposition->now = now;
    return exposition;
}

void exposition_free(struct exposition *exposition)
{
    if (!exposition)
        return;
    free(exposition->lines);
    free(exposition);
}

static bool reserve(struct exposition *exposition)
{
    if (exposition->count < exposition->capacity)
        return true;
    size_t capacity = exposition->capacity ? exposition->capacity * 2 : FIRST_CAPACITY;
    struct line *lines = reallocarray(exposition->lines, capacity, sizeof *lines);
    if (!lines)
        return false;
    exposition->lines = lines;
    exposition->capacity = capacity;
    return true;
}

void exposition_add(struct exposition *exposition, const struct sample_set *set, unsigned which)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct sample *sample = &set->items[i];
        if (!(which & 1u << sample->desc->keeps))
            continue;
        if (!reserve(exposition)) {
            exposition->failed = true;
            return;
        }
        exposition->lines[exposition->count] =
            (struct line){.sample = sample, .number = exposition->count};
        exposition->count++;
    }
}

static int compare_families(const struct line *a, const struct line *b)
{
    if (a->sample->desc == b->sample->desc)
        return 0; /* the usual case, without a look at the names */
    return strcmp(a->sample->desc->name, b->sample->desc->name);
}

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = left;
    const struct line *b = right;
    int order = compare_families(a, b);
    if (order != 0)
        return order;
    return (a->number > b->number) - (a->number < b->number);
}

/* A decimal number of at most 2^53, with so many of its digits behind the point. */
static void add_decimal(struct strbuf *out, uint64_t digits, unsigned places)
{
    char text[24];
    size_t at = sizeof text;
    for (unsigned written = 0; digits > 0 || written <= places; written++) {
        if (written == places && places > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + digits % 10);
        digits /= 10;
    }
    strbuf_add(out, text + at, sizeof text - at);
}

#define LARGEST_EXACT 9007199254740992.0 /* 2^53: every whole number up to it is a double */

static bool add_whole(struct strbuf *out, double magnitude)
{
    if (magnitude > LARGEST_EXACT || (double)(uint64_t)magnitude != magnitude)
        return false;
    add_decimal(out, (uint64_t)magnitude, 0);
    return true;
}

/*
 * A number with few places, as durations have. Digits and power are exact doubles, so their
 * quotient is rounded once, just as a reader of the text rounds: when it is the number itself,
 * the text reads back equal. The fewest places that do so make the shortest text.
 */
static bool add_short(struct strbuf *out, double magnitude)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    if (magnitude < 1e-4)
        return false; /* shorter with an exponent */
    for (unsigned places = 1; places < COUNT_OF(powers); places++) {
        double scaled = magnitude * powers[places];
        if (scaled > LARGEST_EXACT / 2)
            return false;
        uint64_t digits = (uint64_t)(scaled + 0.5);
        if ((double)digits / powers[places] == magnitude) {
            add_decimal(out, digits, places);
            return true;
        }
    }
    return false;
}

static void add_any(struct strbuf *out, double magnitude)
{
    char text[48];
    /* Any 15 digits survive in a double, so no text is shorter: but for the smallest of all. */
    for (int digits = magnitude < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, magnitude);
        if (strtod(text, NULL) == magnitude)
            break;
    }
    strbuf_puts(out, text);
}

void exposition_add_number(struct strbuf *out, double value)
{
    if (isnan(value)) {
        strbuf_puts(out, "NaN");
        return;
    }
    if (isinf(value)) {
        strbuf_puts(out, value < 0 ? "-Inf" : "+Inf");
        return;
    }
    double magnitude = fabs(value);
    if (signbit(value))
        strbuf_putc(out, '-');
    if (!add_whole(out, magnitude) && !add_short(out, magnitude))
        add_any(out, magnitude);
}

static void add_help(struct strbuf *out, const char *help, enum exposition_format format)
{
    /* OpenMetrics escapes quotes in help too; the older text must not. */
    const char *escaped = format == EXPOSITION_OPENMETRICS ? "\\\n\"" : "\\\n";
    for (;;) {
        size_t plain = strcspn(help, escaped);
        strbuf_add(out, help, plain);
        help += plain;
        if (!*help)
            return;
        strbuf_putc(out, '\\');
        strbuf_putc(out, *help == '\n' ? 'n' : *help);
        help++;
    }
}

/* What a family is called and what type it has in a format. */
struct head {
    size_t name_length;
    const char *type;
};

/* In OpenMetrics a counter's family has no _total, its samples must: others are no counters. */
static struct head head_of(const struct metric_desc *desc, enum exposition_format format)
{
    struct head head = {strlen(desc->name), metric_type_name(desc->type)};
    if (format == EXPOSITION_TEXT || desc->type != METRIC_COUNTER)
        return head;
    if (metric_desc_is_total(desc))
        head.name_length -= strlen(METRIC_TOTAL);
    else
        head.type = "unknown";
    return head;
}

static void add_head(struct strbuf *out, const struct metric_desc *desc,
                     enum exposition_format format)
{
    struct head head = head_of(desc, format);
    strbuf_puts(out, "# HELP ");
    strbuf_add(out, desc->name, head.name_length);
    strbuf_putc(out, ' ');
    add_help(out, desc->help, format);
    strbuf_puts(out, "\n# TYPE ");
    strbuf_add(out, desc->name, head.name_length);
    strbuf_putc(out, ' ');
    strbuf_puts(out, head.type);
    strbuf_putc(out, '\n');
}

/* To the millisecond: what a difference of two times has beyond is noise, and long to print. */
static double age_at(double now, double moment)
{
    return round((now - moment) * 1000) / 1000 + 0.0; /* never -0 */
}

static void add_sample(struct strbuf *out, const struct sample *sample, double now)
{
    double value = sample->value;
    strbuf_puts(out, sample->series);
    strbuf_putc(out, ' ');
    exposition_add_number(out, sample->desc->age ? age_at(now, value) : value);
    strbuf_putc(out, '\n');
}

static size_t add_lines(const struct exposition *exposition, enum exposition_format format,
                        struct series_set *seen, struct strbuf *out)
{
    size_t refused = 0;
    for (size_t i = 0; i < exposition->count; i++) {
        const struct line *line = &exposition->lines[i];
        if (i == 0 || compare_families(line - 1, line) != 0)
            add_head(out, line->sample->desc, format);
        if (series_set_add(seen, line->sample->hash, line->sample->series))
            add_sample(out, line->sample, exposition->now);
        else
            refused++;
    }
    return refused;
}

size_t exposition_write(struct exposition *exposition, enum exposition_format format,
                        struct strbuf *out)
{
    struct series_set seen CLEANUP(series_set_done) = {0};
    if (exposition->failed || !series_set_reserve(&seen, exposition->count)) {
        out->failed = true;
        return 0;
    }
    if (exposition->count > 0)
        qsort(exposition->lines, exposition->count, sizeof *exposition->lines, compare_lines);
    size_t refused = add_lines(exposition, format, &seen, out);
    if (format == EXPOSITION_OPENMETRICS)
        strbuf_puts(out, "# EOF\n");
    return refused;
}

const char *exposition_content_type(enum exposition_format format)
{
    return format == EXPOSITION_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}
