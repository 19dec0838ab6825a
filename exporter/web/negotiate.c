#include "exporter/web/negotiate.h"

#include <string.h>
#include <strings.h>

#define Q_MOST     1000 /* q=1.000: weights are counted in thousandths */
#define Q_UNSAID   (-1)
#define OPTIONAL   " \t"
#define NOT_TOKENS ",; \t\""

/* A stretch of the header; never copied. */
struct span {
    const char *at;
    size_t length;
};

/* One element of a list: "text/plain;version=0.0.4;q=0.5". */
struct item {
    struct span name;
    struct span version; /* of the parameter of that name; at NULL without one */
    int q;               /* Q_UNSAID when its weight makes no sense */
};

static bool span_is(struct span span, const char *text)
{
    return strlen(text) == span.length && strncasecmp(span.at, text, span.length) == 0;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, OPTIONAL);
}

/* ---- one element ---- */

/* Where a quoted string ends, behind its last quote; at the NUL when it has none. */
static const char *end_of_quoted(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
    }
    return *at ? at + 1 : at;
}

/* Read a token or a quoted string, whose quotes are left out of the span. */
static const char *take_value(const char *at, struct span *ret)
{
    if (*at != '"') {
        *ret = (struct span){at, strcspn(at, NOT_TOKENS)};
        return at + ret->length;
    }
    const char *end = end_of_quoted(at);
    bool closed = end > at + 1 && end[-1] == '"';
    *ret = (struct span){at + 1, (size_t)(end - at) - (closed ? 2 : 1)};
    return end;
}

/* Thousandths of "1", "0.5", "1.000"; Q_UNSAID for what is no weight. */
static int weight_of(struct span text)
{
    int place = Q_MOST;
    int q = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (i == 1 && c == '.')
            continue;
        if (c < '0' || c > '9' || place == 0)
            return Q_UNSAID;
        q += (c - '0') * place;
        place /= 10;
    }
    return text.length == 0 || q > Q_MOST ? Q_UNSAID : q;
}

/* Read ";NAME=VALUE" into the item. */
static const char *take_parameter(const char *at, struct item *item)
{
    struct span value = {0};
    at = skip_blanks(at + 1);
    struct span name = {at, strcspn(at, "=" NOT_TOKENS)};
    at = skip_blanks(at + name.length);
    if (*at == '=')
        at = take_value(skip_blanks(at + 1), &value);
    if (span_is(name, "q"))
        item->q = weight_of(value);
    else if (span_is(name, "version"))
        item->version = value;
    return at;
}

/* Read up to the next comma or the end. */
static const char *take_item(const char *at, struct item *ret)
{
    struct item item = {.q = Q_MOST};
    at = skip_blanks(at);
    item.name = (struct span){at, strcspn(at, NOT_TOKENS)};
    at += item.name.length;
    while (*at && *at != ',') {
        if (*at == ';')
            at = take_parameter(at, &item);
        else
            at = *at == '"' ? end_of_quoted(at) : at + 1;
    }
    *ret = item;
    return at;
}

/* ---- what we have ---- */

/* How well an element names one thing that we have; higher is more exact. */
enum fit { FIT_NONE, FIT_ANY, FIT_GROUP, FIT_NAME, FIT_VERSION };

typedef enum fit fit_function(const struct item *item, const void *thing);

/* What the most exact element says. */
struct wish {
    enum fit fit;
    int q;
    size_t position; /* of the element in its list */
};

static struct wish wish_for(const char *list, fit_function *fit_of, const void *thing)
{
    struct wish wish = {.q = 0};
    struct item item;
    size_t position = 0;
    for (const char *at = list; at && *at; at += *at == ',', position++) {
        at = take_item(at, &item);
        enum fit fit = fit_of(&item, thing);
        bool better = fit > wish.fit || (fit == wish.fit && item.q > wish.q);
        if (fit != FIT_NONE && item.q != Q_UNSAID && better)
            wish = (struct wish){fit, item.q, position};
    }
    return wish;
}

struct media {
    const char *name, *group, *version;
};

static const struct media media_text = {"text/plain", "text/*", "0.0.4"};
static const struct media media_openmetrics = {"application/openmetrics-text", "application/*",
                                               "1.0.0"};

static enum fit media_fit(const struct item *item, const void *thing)
{
    const struct media *media = thing;
    if (span_is(item->name, "*/*"))
        return FIT_ANY;
    if (span_is(item->name, media->group))
        return FIT_GROUP;
    if (!span_is(item->name, media->name))
        return FIT_NONE;
    if (!item->version.at)
        return FIT_NAME;
    return span_is(item->version, media->version) ? FIT_VERSION : FIT_NONE;
}

static enum fit coding_fit(const struct item *item, const void *thing)
{
    if (span_is(item->name, thing))
        return FIT_NAME;
    return span_is(item->name, "*") ? FIT_ANY : FIT_NONE;
}

/* ---- the choice ---- */

/* Whether `one`, which was named, comes before `other`. */
static bool is_preferred(const struct wish *one, const struct wish *other)
{
    if (one->q != other->q)
        return one->q > other->q;
    if (one->fit != other->fit)
        return one->fit > other->fit;
    return one->position < other->position;
}

enum exposition_format negotiate_format(const char *accept)
{
    struct wish text = wish_for(accept, media_fit, &media_text);
    struct wish openmetrics = wish_for(accept, media_fit, &media_openmetrics);
    bool accepted = openmetrics.fit >= FIT_NAME && openmetrics.q > 0;
    return accepted && is_preferred(&openmetrics, &text) ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

bool negotiate_gzip(const char *accept_encoding)
{
    struct wish gzip = wish_for(accept_encoding, coding_fit, "gzip");
    struct wish old_name = wish_for(accept_encoding, coding_fit, "x-gzip");
    struct wish identity = wish_for(accept_encoding, coding_fit, "identity");
    if (gzip.fit != FIT_NAME && old_name.fit == FIT_NAME)
        gzip = old_name;
    return gzip.q > 0 && (identity.fit != FIT_NAME || gzip.q >= identity.q);
}
