#include "exporter/base/utf8.h"

#include <string.h>

#include "exporter/base/attrs.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* The table of well-formed byte sequences, Unicode standard, chapter 3.9. */
static const struct {
    unsigned char first_low, first_high, second_low, second_high;
    size_t length;
} forms[] = {
    {0x00, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many of the length - 1 bytes behind the first are as the form wants them. */
static size_t sound_bytes(size_t form, const unsigned char *bytes, size_t length)
{
    size_t sound = 1;
    if (length > 1 && bytes[1] >= forms[form].second_low && bytes[1] <= forms[form].second_high)
        sound = 2;
    while (sound > 1 && sound < length && is_continuation(bytes[sound]))
        sound++;
    return sound;
}

/*
 * How many bytes at the start of text belong to one character, which is whole with *ret_wanted
 * bytes. 0 when no character starts like this.
 */
static size_t begun_length(const char *text, size_t length, size_t *ret_wanted)
{
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && length > 0; i++) {
        if (bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
            continue;
        *ret_wanted = forms[i].length;
        return sound_bytes(i, bytes, length < forms[i].length ? length : forms[i].length);
    }
    return 0;
}

size_t utf8_char_length(const char *text, size_t length)
{
    size_t wanted = 0;
    return begun_length(text, length, &wanted) == wanted ? wanted : 0;
}

size_t utf8_whole_length(const char *text, size_t length)
{
    for (size_t tail = 1; tail < 4 && tail <= length; tail++) {
        size_t wanted = 0;
        size_t begun = begun_length(text + length - tail, tail, &wanted);
        if (begun == tail && begun < wanted)
            return length - tail;
    }
    return length;
}

static void repair(struct strbuf *out, const char *text, size_t length, bool printable)
{
    for (size_t i = 0; i < length;) {
        size_t width = utf8_char_length(text + i, length - i);
        unsigned char byte = (unsigned char)text[i];
        bool control = width == 1 && (byte < 0x20 || byte == 0x7F) && byte != '\n' && byte != '\t';
        bool c1_control = width == 2 && byte == 0xC2 && (unsigned char)text[i + 1] < 0xA0;
        if (width == 0 || (printable && (control || c1_control)))
            strbuf_puts(out, REPLACEMENT);
        else
            strbuf_add(out, text + i, width);
        i += width ? width : 1;
    }
}

void utf8_repair(struct strbuf *out, const char *text, size_t length)
{
    repair(out, text, length, false);
}

void utf8_repair_printable(struct strbuf *out, const char *text, size_t length)
{
    repair(out, text, length, true);
}

void utf8_add_quoted(struct strbuf *out, const char *text)
{
    struct strbuf sound CLEANUP(strbuf_done) = {0};
    utf8_repair_printable(&sound, text, strlen(text));
    strbuf_putc(out, '"');
    for (const char *c = strbuf_text(&sound); *c; c++) {
        if (*c == '"' || *c == '\\')
            strbuf_printf(out, "\\%c", *c);
        else if (*c == '\n')
            strbuf_puts(out, "\\n");
        else if (*c == '\t')
            strbuf_puts(out, "\\t");
        else
            strbuf_putc(out, *c);
    }
    strbuf_putc(out, '"');
}
