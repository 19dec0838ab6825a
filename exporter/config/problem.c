#include "exporter/config/problem.h"

#include <stdarg.h>
#include <string.h>

#include "exporter/base/utf8.h"

/* Room for the line that counts what was left out. */
#define MORE_SIZE 32

void problem_add(struct problem_list *list, const char *format, ...)
{
    if (list->count++ >= PROBLEM_MAX)
        return;
    struct err sentence;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(sentence.text, sizeof sentence.text, format, values);
    va_end(values);
    for (char *c = sentence.text; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    size_t whole = utf8_whole_length(sentence.text, strlen(sentence.text));
    if (length > 0) {
        strbuf_puts(&list->lines, list->lines.length ? "\n" : "");
        utf8_repair_printable(&list->lines, sentence.text, whole);
    }
}

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = length > 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

/* How many bytes of whole lines fit into an err beside the counting line. */
static size_t whole_lines(const char *text, size_t limit)
{
    size_t length = strlen(text);
    if (length <= limit)
        return length;
    while (limit > 0 && text[limit] != '\n')
        limit--;
    return limit;
}

bool problem_none(const struct problem_list *list, struct err *err)
{
    if (list->count == 0)
        return true;
    if (list->lines.failed)
        return err_memory(err);
    const char *text = strbuf_text(&list->lines);
    size_t shown = whole_lines(text, ERR_TEXT_SIZE - 1);
    size_t lines = count_lines(text, shown);
    if (lines < list->count) {
        shown = whole_lines(text, ERR_TEXT_SIZE - MORE_SIZE);
        lines = count_lines(text, shown);
    }
    if (lines == list->count)
        return err_set(err, ERR_CONFIG, "%s", text);
    return err_set(err, ERR_CONFIG, "%.*s\n... and %zu more", (int)shown, text,
                   list->count - lines);
}

void problem_list_done(struct problem_list *list)
{
    strbuf_done(&list->lines);
    list->count = 0;
}
