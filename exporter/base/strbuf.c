#include "exporter/base/strbuf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

bool strbuf_reserve(struct strbuf *buf, size_t more)
{
    if (buf->failed)
        return false;
    bool too_big = more > SIZE_MAX / 4 || buf->length > SIZE_MAX / 4;
    if (too_big || (buf->limit && buf->length + more > buf->limit)) {
        buf->failed = true;
        return false;
    }
    size_t wanted = buf->length + more + 1;
    if (wanted <= buf->size)
        return true;
    size_t size = buf->size ? buf->size : FIRST_SIZE;
    while (size < wanted)
        size *= 2;
    char *data = realloc(buf->data, size);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->size = size;
    buf->data[buf->length] = '\0';
    return true;
}

void strbuf_add(struct strbuf *buf, const void *bytes, size_t length)
{
    if (length == 0 || !strbuf_reserve(buf, length))
        return;
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void strbuf_puts(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_putc(struct strbuf *buf, char byte)
{
    strbuf_add(buf, &byte, 1);
}

void strbuf_shell_word(struct strbuf *buf, const char *word)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-_./:=,@%+";
    if (*word && word[strspn(word, bare)] == '\0') {
        strbuf_puts(buf, word);
        return;
    }
    strbuf_putc(buf, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            strbuf_puts(buf, "'\\''");
        else
            strbuf_putc(buf, *word);
    }
    strbuf_putc(buf, '\'');
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    va_list again;
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (length < 0) {
        buf->failed = true;
    } else if (strbuf_reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

const char *strbuf_text(const struct strbuf *buf)
{
    return buf->data ? buf->data : "";
}

void strbuf_truncate(struct strbuf *buf, size_t length)
{
    assert(length <= buf->length);
    buf->length = length;
    if (buf->data)
        buf->data[length] = '\0';
}

char *strbuf_steal(struct strbuf *buf)
{
    char *text = NULL;
    if (strbuf_reserve(buf, 0)) {
        text = buf->data;
        buf->data = NULL;
    }
    strbuf_done(buf);
    return text;
}

void strbuf_done(struct strbuf *buf)
{
    free(buf->data);
    *buf = (struct strbuf){.limit = buf->limit};
}
