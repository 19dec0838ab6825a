#include "exporter/metrics/sink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"
#include "exporter/metrics/series_set.h"

/* Chunks double from the first size to the last: small targets stay small, large ones few. */
#define FIRST_CHUNK_SIZE ((size_t)512)
#define LAST_CHUNK_SIZE  ((size_t)16 * 1024)

#define FIRST_CAPACITY 16

/* A block of series, one after another, each with its NUL. They never move. */
struct text_chunk {
    struct text_chunk *next;
    size_t size;
    size_t used;
    char bytes[];
};

struct sink {
    const struct metric_desc *descs;
    size_t desc_count;
    const struct label *target_labels;
    struct sample_set samples;
    size_t capacity;
    struct series_set seen;
    struct strbuf series;   /* the one being written */
    struct strbuf repaired; /* a label value on its way into it */
    struct err refused;
    bool failed;
};

static void free_chunks(struct text_chunk *chunk)
{
    while (chunk) {
        struct text_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

static struct text_chunk *add_chunk(struct text_chunk **chunks, size_t length)
{
    size_t size = *chunks ? (*chunks)->size * 2 : FIRST_CHUNK_SIZE;
    if (size > LAST_CHUNK_SIZE)
        size = LAST_CHUNK_SIZE;
    if (size < length)
        size = length;
    struct text_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    *chunk = (struct text_chunk){.next = *chunks, .size = size};
    *chunks = chunk;
    return chunk;
}

/* A copy of text in the newest chunk, or in a new one; NULL when out of memory. */
static const char *keep_text(struct text_chunk **chunks, const char *text, size_t length)
{
    size_t size = length + 1;
    struct text_chunk *chunk = *chunks;
    if (!chunk || chunk->size - chunk->used < size)
        chunk = add_chunk(chunks, size);
    if (!chunk)
        return NULL;
    char *copy = chunk->bytes + chunk->used;
    memcpy(copy, text, size);
    chunk->used += size;
    return copy;
}

struct sink *sink_new(const struct metric_desc *descs, size_t count,
                      const struct label *target_labels)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return NULL;
    sink->descs = descs;
    sink->desc_count = count;
    sink->target_labels = target_labels;
    return sink;
}

static void free_samples(struct sample_set *set)
{
    free(set->items);
    free_chunks(set->texts);
    *set = (struct sample_set){0};
}

/* Empty the sink; what it refers to stays. */
static void reset(struct sink *sink)
{
    free_samples(&sink->samples);
    sink->capacity = 0;
    series_set_done(&sink->seen);
    strbuf_done(&sink->series);
    strbuf_done(&sink->repaired);
    sink->refused = (struct err){.code = ERR_NONE};
    sink->failed = false;
}

void sink_free(struct sink *sink)
{
    if (!sink)
        return;
    reset(sink);
    free(sink);
}

/* Most label values need neither repair nor escape. */
static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

static void add_escaped(struct strbuf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            strbuf_puts(out, "\\n");
            continue;
        }
        if (text[i] == '"' || text[i] == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, text[i]);
    }
}

static void add_value(struct sink *sink, const char *value)
{
    if (is_plain(value)) {
        strbuf_puts(&sink->series, value);
        return;
    }
    strbuf_truncate(&sink->repaired, 0);
    utf8_repair(&sink->repaired, value, strlen(value));
    add_escaped(&sink->series, strbuf_text(&sink->repaired), sink->repaired.length);
}

static void add_label(struct sink *sink, char *separator, const char *name, const char *value)
{
    assert(value);
    if (!*value)
        return;
    strbuf_putc(&sink->series, *separator);
    strbuf_puts(&sink->series, name);
    strbuf_puts(&sink->series, "=\"");
    add_value(sink, value);
    strbuf_putc(&sink->series, '"');
    *separator = ',';
}

/* Write name{labels} into sink->series: the target's labels first, then the metric's own. */
static void write_series(struct sink *sink, const struct metric_desc *desc,
                         const char *const *label_values)
{
    char separator = '{';
    strbuf_truncate(&sink->series, 0);
    strbuf_puts(&sink->series, desc->name);
    for (const struct label *label = sink->target_labels; label && label->name; label++) {
        if (!metric_desc_omits(desc, label->name))
            add_label(sink, &separator, label->name, label->value);
    }
    for (const char *const *name = desc->labels; name && *name; name++) {
        assert(label_values && *label_values);
        add_label(sink, &separator, *name, *label_values++);
    }
    assert(!label_values || !*label_values);
    if (separator == ',')
        strbuf_putc(&sink->series, '}');
}

static bool reserve(struct sink *sink)
{
    if (!series_set_reserve(&sink->seen, 1))
        return false;
    struct sample_set *set = &sink->samples;
    if (set->count < sink->capacity)
        return true;
    size_t capacity = sink->capacity ? sink->capacity * 2 : FIRST_CAPACITY;
    struct sample *items = reallocarray(set->items, capacity, sizeof *items);
    if (!items)
        return false;
    set->items = items;
    sink->capacity = capacity;
    return true;
}

/* Store a sample of a series that is not there yet; its text is copied. */
static bool store(struct sink *sink, const struct sample *sample, size_t length)
{
    if (!reserve(sink))
        return false;
    struct sample kept = *sample;
    kept.series = keep_text(&sink->samples.texts, sample->series, length);
    if (!kept.series || !series_set_add(&sink->seen, kept.hash, kept.series))
        return false;
    sink->samples.items[sink->samples.count++] = kept;
    return true;
}

static void refuse(struct sink *sink, const char *series)
{
    if (sink->refused.code == ERR_NONE)
        err_set(&sink->refused, ERR_OTHER, "series %s was added twice, the first is kept", series);
}

void sink_add(struct sink *sink, size_t metric, double value, const char *const *label_values)
{
    assert(metric < sink->desc_count);
    write_series(sink, &sink->descs[metric], label_values);
    sink->failed |= sink->series.failed || sink->repaired.failed;
    if (sink->failed)
        return;
    const char *series = strbuf_text(&sink->series);
    size_t length = sink->series.length;
    struct sample sample = {
        .desc = &sink->descs[metric],
        .series = series,
        .hash = series_hash(series, length),
        .value = value,
    };
    if (series_set_has(&sink->seen, sample.hash, series))
        refuse(sink, series);
    else
        sink->failed |= !store(sink, &sample, length);
}

static bool is_measured(const struct sample *sample)
{
    return sample->desc->keeps == STATE || sample->desc->keeps == FACT;
}

void sink_drop_measured(struct sink *sink)
{
    /* What is kept moves to chunks of its own, so that the large rest can go. */
    struct sample_set all = sink->samples;
    sink->samples = (struct sample_set){0};
    sink->capacity = 0;
    series_set_done(&sink->seen);
    for (size_t i = 0; i < all.count; i++) {
        const struct sample *sample = &all.items[i];
        if (!is_measured(sample))
            sink->failed |= !store(sink, sample, strlen(sample->series));
    }
    free_samples(&all);
}

/* The samples without the room for more; they stay where they are when that cannot be. */
static void shrink(struct sample_set *set)
{
    struct sample *items = reallocarray(set->items, set->count, sizeof *items);
    if (items)
        set->items = items;
}

bool sink_finish(struct sink *sink, struct sample_set **ret, struct err *refused, struct err *err)
{
    struct sample_set *set = sink->failed ? NULL : malloc(sizeof *set);
    if (!set) {
        reset(sink);
        return err_memory(err);
    }
    *set = sink->samples;
    if (set->count > 0)
        shrink(set);
    sink->samples = (struct sample_set){0};
    if (refused)
        *refused = sink->refused;
    reset(sink);
    *ret = set;
    return true;
}

void sample_set_free(struct sample_set *set)
{
    if (!set)
        return;
    free_samples(set);
    free(set);
}
