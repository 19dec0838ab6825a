#include "exporter/web/html.h"

#include <string.h>

#include "exporter/base/attrs.h"
#include "exporter/base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static const struct {
    char character;
    const char *reference;
} references[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

static const char *reference_of(char character)
{
    for (size_t i = 0; i < COUNT_OF(references); i++) {
        if (references[i].character == character)
            return references[i].reference;
    }
    return NULL;
}

/* U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069. */
static bool turns_direction(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] == 0xD8)
        return byte[1] == 0x9C;
    if (byte[0] != 0xE2)
        return false;
    if (byte[1] == 0x80)
        return byte[2] == 0x8E || byte[2] == 0x8F || (byte[2] >= 0xAA && byte[2] <= 0xAE);
    return byte[1] == 0x81 && byte[2] >= 0xA6 && byte[2] <= 0xA9;
}

static void escape(struct strbuf *out, const char *text, size_t length)
{
    struct strbuf sound CLEANUP(strbuf_done) = {0};
    utf8_repair_printable(&sound, text, length);
    out->failed |= sound.failed;
    const char *end = strbuf_text(&sound) + sound.length;
    size_t width;
    for (const char *c = strbuf_text(&sound); c < end; c += width) {
        const char *reference = reference_of(*c);
        width = utf8_char_length(c, (size_t)(end - c));
        if (reference)
            strbuf_puts(out, reference);
        else if (turns_direction(c))
            strbuf_puts(out, REPLACEMENT);
        else
            strbuf_add(out, c, width);
    }
}

void html_escape(struct strbuf *out, const char *text)
{
    if (text)
        escape(out, text, strlen(text));
}

void html_escape_line(struct strbuf *out, const char *text)
{
    if (!text)
        return;
    size_t length = strcspn(text, "\r\n");
    escape(out, text, length);
    if (text[length + strspn(text + length, "\r\n")])
        strbuf_puts(out, " ...");
}
