#include "exporter/base/utf8.h"

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

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static bool tail_is_sound(const char *text, size_t length)
{
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(text[i]))
            return false;
    }
    return true;
}

size_t utf8_char_length(const char *text, size_t length)
{
    if (length == 0)
        return 0;
    unsigned char first = (unsigned char)text[0];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (first < forms[i].first_low || first > forms[i].first_high)
            continue;
        size_t wanted = forms[i].length;
        if (wanted == 1)
            return 1;
        if (wanted > length)
            return 0;
        unsigned char second = (unsigned char)text[1];
        bool sound = second >= forms[i].second_low && second <= forms[i].second_high;
        return sound && tail_is_sound(text, wanted) ? wanted : 0;
    }
    return 0;
}

size_t utf8_whole_length(const char *text, size_t length)
{
    size_t start = length;
    for (size_t back = 0; back < 4 && start > 0; back++) {
        start--;
        if (!is_continuation(text[start]))
            return utf8_char_length(text + start, length - start) == length - start ? length
                                                                                    : start;
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
