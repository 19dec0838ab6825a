/*
 * fuzz_sink - whatever a label's value holds, its sample is one line of sound UTF-8, and a reader
 * gets back the value, repaired. The input is up to three values, each ended by a NUL.
 */
#include <stdint.h>

#include "exporter/base/utf8.h"
#include "exporter/metrics/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD "# HELP x_up X.\n# TYPE x_up gauge\n"

enum { VALUE_COUNT = 3 };
static const char *const names[VALUE_COUNT] = {"stanza", "path", "reason"};

static const struct metric_desc desc = {
    .name = "x_up", .help = "X.", .labels = LABELS("path", "reason")};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* One sample with these values as the text of a page; the first is the target's label. */
static void expose(const char *const values[VALUE_COUNT], struct strbuf *out)
{
    const struct label target[] = {{names[0], values[0]}, {NULL, NULL}};
    struct sink *sink = sink_new(&desc, 1, target);
    struct sample_set *set = NULL;
    struct exposition *page = exposition_new(0);
    require(sink && page);
    sink_add(sink, 0, 1, LABELS(values[1], values[2]));
    sink_add(sink, 0, 2, LABELS(values[1], values[2]));
    struct err refused;
    require(sink_finish(sink, &set, &refused, NULL));
    require(set->count == 1 && refused.code == ERR_OTHER);
    exposition_add(page, set, WRITE_STATES);
    require(exposition_write(page, EXPOSITION_TEXT, out) == 0 && !out->failed);
    exposition_free(page);
    sample_set_free(set);
    sink_free(sink);
}

static void require_utf8(const char *text, size_t length)
{
    for (size_t i = 0, width; i < length; i += width) {
        width = utf8_char_length(text + i, length - i);
        require(width > 0);
    }
}

/* Read `text` if it is here. */
static bool skip(const char **at, const char *text)
{
    if (strncmp(*at, text, strlen(text)) != 0)
        return false;
    *at += strlen(text);
    return true;
}

/* Read an escaped value and the quote that ends it, which must give what repair made of `value`. */
static void require_value(const char **at, const char *value)
{
    struct strbuf expected CLEANUP(strbuf_done) = {0};
    utf8_repair(&expected, value, strlen(value));
    for (size_t i = 0; i < expected.length; i++) {
        bool escaped = skip(at, "\\");
        char byte = *(*at)++;
        require(escaped ? strchr("\\\"n", byte) != NULL : byte != '"' && byte != '\n');
        require(expected.data[i] == (escaped && byte == 'n' ? '\n' : byte));
    }
    require(skip(at, "\""));
}

static void require_labels(const char **at, const char *const values[VALUE_COUNT])
{
    const char *separator = "{";
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        if (!*values[i])
            continue;
        require(skip(at, separator) && skip(at, names[i]) && skip(at, "=\""));
        require_value(at, values[i]);
        separator = ",";
    }
    require(*separator == '{' || skip(at, "}"));
}

static void check(const char *const values[VALUE_COUNT])
{
    struct strbuf out CLEANUP(strbuf_done) = {0};
    expose(values, &out);
    require_utf8(out.data, out.length);
    const char *at = out.data;
    require(skip(&at, HEAD "x_up"));
    require_labels(&at, values);
    require(strcmp(at, " 1\n") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = calloc(1, size + VALUE_COUNT); /* the NULs behind it end values that are cut off */
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    const char *values[VALUE_COUNT];
    const char *next = copy;
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        values[i] = next;
        next += strlen(next) + 1;
    }
    check(values);
    free(copy);
    return 0;
}
