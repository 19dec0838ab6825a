#include "collectors/model/timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_DIGITS 8

bool timeline_history_name(const char *name, uint32_t *ret)
{
    if (strspn(name, "0123456789ABCDEF") != HISTORY_DIGITS ||
        strcmp(name + HISTORY_DIGITS, ".history") != 0)
        return false;
    unsigned long id = strtoul(name, NULL, 16);
    if (id == 0)
        return false;
    *ret = (uint32_t)id;
    return true;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* A number without sign in the given base, at most `most`; NULL when there is none. */
static const char *read_number(const char *text, int base, uint64_t most, uint64_t *ret)
{
    const char *digits = base == 16 ? "0123456789ABCDEFabcdef" : "0123456789";
    size_t length = strspn(text, digits);
    if (length == 0 || length > 10)
        return NULL;
    *ret = strtoull(text, NULL, base);
    return *ret <= most ? text + length : NULL;
}

/* "1\t0/3000148\tno recovery target specified" */
static bool read_switch(const char *line, struct timeline_switch *ret)
{
    uint64_t id = 0, high = 0, low = 0;
    const char *at = read_number(skip_blanks(line), 10, UINT32_MAX, &id);
    if (!at || id == 0 || (*at != '\t' && *at != ' '))
        return false;
    at = read_number(skip_blanks(at), 16, UINT32_MAX, &high);
    if (!at || *at != '/')
        return false;
    at = read_number(at + 1, 16, UINT32_MAX, &low);
    if (!at || (*at && *at != '\t' && *at != ' '))
        return false;
    *ret = (struct timeline_switch){.timeline = (uint32_t)id, .lsn = high << 32 | low};
    return true;
}

static bool is_blank(const char *line)
{
    line = skip_blanks(line);
    return *line == '\0' || *line == '#';
}

/* PostgreSQL accepts ancestors in growing order only, each of them older than the timeline. */
static bool follows(const struct timeline *timeline, const struct timeline_switch *next)
{
    const struct timeline_switch *last =
        timeline->count > 0 ? &timeline->ancestors[timeline->count - 1] : NULL;
    return next->timeline < timeline->id &&
           (!last || (next->timeline > last->timeline && next->lsn >= last->lsn));
}

static bool add_switch(struct timeline *timeline, const struct timeline_switch *item,
                       struct err *err)
{
    struct timeline_switch *grown =
        reallocarray(timeline->ancestors, timeline->count + 1, sizeof *grown);
    if (!grown)
        return err_memory(err);
    grown[timeline->count++] = *item;
    timeline->ancestors = grown;
    return true;
}

static bool read_line(struct timeline *timeline, const char *line, size_t number, struct err *err)
{
    struct timeline_switch item;
    if (is_blank(line))
        return true;
    if (!read_switch(line, &item))
        return err_set(err, ERR_PROTOCOL,
                       "history of timeline %" PRIu32 ", line %zu: no timeline and LSN",
                       timeline->id, number);
    if (!follows(timeline, &item))
        return err_set(err, ERR_PROTOCOL, "history of timeline %" PRIu32 ", line %zu: out of order",
                       timeline->id, number);
    return add_switch(timeline, &item, err);
}

static void text_freep(char **text)
{
    free(*text);
}

bool timeline_parse(uint32_t id, const char *text, size_t length, struct timeline *ret,
                    struct err *err)
{
    struct timeline timeline CLEANUP(timeline_done) = {.id = id};
    if (memchr(text, '\0', length))
        return err_set(err, ERR_PROTOCOL, "history of timeline %" PRIu32 " holds a zero byte", id);
    char *copy CLEANUP(text_freep) = strndup(text, length);
    if (!copy)
        return err_memory(err);
    size_t number = 0;
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!read_line(&timeline, line, ++number, err))
            return false;
    }
    if (timeline.count == 0 && id > 1)
        return err_set(err, ERR_PROTOCOL, "history of timeline %" PRIu32 " names no ancestor", id);
    *ret = timeline;
    timeline = (struct timeline){0};
    return true;
}

bool timeline_copy(const struct timeline *timeline, struct timeline *ret, struct err *err)
{
    struct timeline_switch *ancestors = calloc(timeline->count + 1, sizeof *ancestors);
    if (!ancestors)
        return err_memory(err);
    if (timeline->count > 0)
        memcpy(ancestors, timeline->ancestors, timeline->count * sizeof *ancestors);
    *ret = (struct timeline){timeline->id, ancestors, timeline->count};
    return true;
}

void timeline_done(struct timeline *timeline)
{
    free(timeline->ancestors);
    *timeline = (struct timeline){0};
}

uint32_t timeline_of_segment(const struct timeline *timeline, uint64_t number,
                             uint64_t segment_size)
{
    uint32_t id = timeline->id;
    for (size_t i = timeline->count; i-- > 0;) {
        if (number >= timeline->ancestors[i].lsn / segment_size)
            return id;
        id = timeline->ancestors[i].timeline;
    }
    return id;
}

bool timeline_has(const struct timeline *timeline, uint32_t id)
{
    for (size_t i = 0; i < timeline->count; i++) {
        if (timeline->ancestors[i].timeline == id)
            return true;
    }
    return id == timeline->id;
}
