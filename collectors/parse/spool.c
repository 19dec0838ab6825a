#include "collectors/parse/spool.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/base/strbuf.h"

#define SEGMENT_DIGITS 24
#define HISTORY_DIGITS 8

static const char capitals[] = "0123456789ABCDEF";

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), width = strlen(ending);
    return length > width && strcmp(name + length - width, ending) == 0;
}

/* "000000010000000000000002", with what may come behind it before the ending. */
static bool is_of_wal(const char *name)
{
    size_t digits = strspn(name, capitals);
    return digits == SEGMENT_DIGITS || (digits == HISTORY_DIGITS && name[digits] == '.');
}

enum spool_file spool_file_of(const char *name)
{
    if (strcmp(name, "global.error") == 0)
        return SPOOL_GLOBAL_ERROR;
    if (!is_of_wal(name))
        return SPOOL_OTHER;
    if (ends_with(name, ".error"))
        return SPOOL_ERROR;
    return ends_with(name, ".ok") ? SPOOL_OK : SPOOL_OTHER;
}

/* The number behind "repo" when the line is "repoN: ..."; 0: it is another line. */
static int64_t repository_of(const char *line)
{
    static const char word[] = "repo";
    if (strncmp(line, word, sizeof word - 1) != 0 || !isdigit((unsigned char)line[4]))
        return 0;
    char *end = NULL;
    long key = strtol(line + sizeof word - 1, &end, 10);
    return *end == ':' && key > 0 ? key : 0;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : NULL;
}

bool spool_error_names(const char *text, int64_t repo_key)
{
    for (const char *line = text; line; line = next_line(line)) {
        if (repository_of(line) == repo_key)
            return true;
    }
    return false;
}

bool spool_error_names_one(const char *text)
{
    for (const char *line = text; line; line = next_line(line)) {
        if (repository_of(line) > 0)
            return true;
    }
    return false;
}

static bool add_once(struct text_list *list, const char *name, size_t length, struct err *err)
{
    struct strbuf copy CLEANUP(strbuf_done) = {0};
    strbuf_add(&copy, name, length);
    if (copy.failed)
        return err_memory(err);
    return text_list_has(list, strbuf_text(&copy)) || text_list_add(list, strbuf_text(&copy), err);
}

bool spool_dropped(const char *text, size_t length, struct text_list *ret, struct err *err)
{
    static const char words[] = "dropped WAL file '";
    const char *end = text + length;
    for (const char *found = text;
         (found = memmem(found, (size_t)(end - found), words, sizeof words - 1));) {
        found += sizeof words - 1;
        const char *quote = memchr(found, '\'', (size_t)(end - found));
        size_t width = quote ? (size_t)(quote - found) : 0;
        if (width >= SEGMENT_DIGITS && strspn(found, capitals) == SEGMENT_DIGITS &&
            !add_once(ret, found, width, err))
            return false;
    }
    return true;
}

/* The power of 1024 that a unit stands for; -1: no unit. */
static int power_of(const char *unit)
{
    static const char letters[] = "kmgtp";
    if (*unit == '\0' || strcasecmp(unit, "b") == 0)
        return 0;
    const char *letter = strchr(letters, tolower((unsigned char)*unit));
    const char *rest = unit + 1;
    bool known = *rest == '\0' || strcasecmp(rest, "b") == 0 || strcasecmp(rest, "ib") == 0;
    return letter && known ? (int)(letter - letters) + 1 : -1;
}

bool spool_parse_size(const char *text, uint64_t *ret)
{
    char *unit = NULL;
    if (!isdigit((unsigned char)*text) || strspn(text, "0123456789") > 18)
        return false;
    uint64_t size = strtoull(text, &unit, 10);
    int power = power_of(unit);
    for (int i = 0; i < power; i++) {
        if (size > UINT64_MAX / 1024)
            return false;
        size *= 1024;
    }
    if (power >= 0)
        *ret = size;
    return power >= 0;
}
