#include "collectors/parse/fstab.h"

#include <stdbool.h>
#include <string.h>

#include "collectors/parse/mountinfo.h"

#define BLANKS " \t"

/* The second field of a line, its escapes undone and without slashes at its end. */
static void read_place(const char *line, struct strbuf *out)
{
    line += strspn(line, BLANKS);
    if (*line == '#')
        return;
    line += strcspn(line, BLANKS);
    line += strspn(line, BLANKS);
    mount_unescape(line, strcspn(line, BLANKS), out);
    while (out->length > 0 && out->data[out->length - 1] == '/')
        strbuf_truncate(out, out->length - 1);
}

static bool holds(const char *place, size_t length, const char *path)
{
    return *place == '/' && strncmp(place, path, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

static void take_line(const char *text, size_t length, struct strbuf *line)
{
    strbuf_truncate(line, 0);
    strbuf_add(line, text, length);
}

void fstab_holding(const char *text, size_t length, const char *path, struct strbuf *ret)
{
    struct strbuf line CLEANUP(strbuf_done) = {0};
    struct strbuf deepest CLEANUP(strbuf_done) = {0};
    for (size_t used = 0; length > 0; text += used, length -= used) {
        struct strbuf place CLEANUP(strbuf_done) = {0};
        const char *newline = memchr(text, '\n', length);
        size_t end = newline ? (size_t)(newline - text) : length;
        used = end + (newline != NULL);
        take_line(text, end, &line);
        read_place(strbuf_text(&line), &place);
        ret->failed |= line.failed || place.failed;
        if (place.length <= deepest.length || !holds(place.data, place.length, path))
            continue;
        take_line(place.data, place.length, &deepest);
        ret->failed |= deepest.failed;
    }
    strbuf_puts(ret, strbuf_text(&deepest));
}
