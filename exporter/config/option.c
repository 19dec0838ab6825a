#include "exporter/config/option.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *option_field(const struct option *option, void *base)
{
    return (char *)base + option->offset;
}

void *option_member_field(const struct option *option, void *base, size_t index)
{
    char *array = *(char **)option_field(option, base);
    return array + index * option->member_size + option->member->offset;
}

const struct option *option_find(const struct option_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].key, key) == 0)
            return &table->rows[i];
    }
    return NULL;
}

/* Units of a duration, the longest first. */
static const struct {
    const char *name;
    double seconds;
} units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 0.001}};

#define DURATION_DIGITS_MAX 12

static const char *skip_digits(const char *text)
{
    while (*text >= '0' && *text <= '9')
        text++;
    return text;
}

static bool no_duration(const char *text, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "\"%s\" is not a duration (a number with s, m, h or d, like 90s or 27h)", text);
}

bool option_parse_duration(const char *text, double *ret, struct err *err)
{
    const char *end = skip_digits(text);
    if (end == text || end - text > DURATION_DIGITS_MAX)
        return no_duration(text, err);
    if (*end == '\0')
        return err_set(err, ERR_CONFIG,
                       "\"%s\" has no unit, and it could mean seconds as well as hours (write it "
                       "with s, m, h or d, like 90s or 27h)",
                       text);
    if (*end == '.' && skip_digits(end + 1) > end + 1)
        end = skip_digits(end + 1);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(end, units[i].name) == 0) {
            *ret = strtod(text, NULL) * units[i].seconds;
            return true;
        }
    }
    return no_duration(text, err);
}

void option_format_duration(struct strbuf *out, double seconds)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        double count = seconds / units[i].seconds;
        if (count >= 1 && count == floor(count)) {
            strbuf_printf(out, "%.0f%s", count, units[i].name);
            return;
        }
    }
    strbuf_printf(out, "%.15gs", seconds);
}

static void add_number(const struct option *option, double number, struct strbuf *out)
{
    if (option->type == OPTION_DURATION)
        option_format_duration(out, number);
    else
        strbuf_printf(out, "%.0f", number);
}

static void add_choices(const struct option *option, struct strbuf *out)
{
    strbuf_puts(out, "one of");
    for (const char *const *choice = option->choices; *choice; choice++)
        strbuf_printf(out, "%s %s", choice == option->choices ? "" : ",", *choice);
}

static const char *const type_words[] = {
    [OPTION_TEXT] = "a text",
    [OPTION_PATH] = "an absolute path",
    [OPTION_CHOICE] = "",
    [OPTION_BOOL] = "true or false",
    [OPTION_TRISTATE] = "true or false",
    [OPTION_INTEGER] = "a whole number",
    [OPTION_DURATION] = "a duration",
    [OPTION_TEXTS] = "a list of texts",
    [OPTION_MAP] = "keys with texts",
    [OPTION_SECTION] = "keys",
    [OPTION_SECTIONS] = "a list",
    [OPTION_MEMBERS] = "keys",
};

void option_describe_value(const struct option *option, struct strbuf *out)
{
    if (option->type == OPTION_CHOICE)
        add_choices(option, out);
    strbuf_puts(out, type_words[option->type]);
    if (option->min == 0 && option->max == 0)
        return;
    strbuf_puts(out, " from ");
    add_number(option, option->min, out);
    strbuf_puts(out, " to ");
    add_number(option, option->max, out);
}

/* What is wrong with a text, and what is allowed. */
static bool refuse(const struct option *option, const char *text, struct err *err)
{
    struct strbuf allowed CLEANUP(strbuf_done) = {0};
    option_describe_value(option, &allowed);
    if (option->secret)
        return err_set(err, ERR_CONFIG, "the value is not %s", strbuf_text(&allowed));
    return err_set(err, ERR_CONFIG, "\"%s\" is not %s", text, strbuf_text(&allowed));
}

static bool in_range(const struct option *option, double number)
{
    return (option->min == 0 && option->max == 0) ||
           (number >= option->min && number <= option->max);
}

static bool set_copy(char **field, const char *text, struct err *err)
{
    char *copy = strdup(text);
    if (!copy)
        return err_memory(err);
    secret_free(*field);
    *field = copy;
    return true;
}

static bool set_text(const struct option *option, void *field, const char *text, struct err *err)
{
    if (*text == '\0')
        return err_set(err, ERR_CONFIG, "must not be empty");
    (void)option;
    return set_copy(field, text, err);
}

/* "$NAME/..." with the one variable that the row allows: kept as written, for who opens it. */
static bool is_below_variable(const char *variable, const char *text)
{
    size_t length = variable ? strlen(variable) : 0;
    return variable && *text == '$' && strncmp(text + 1, variable, length) == 0 &&
           text[length + 1] == '/';
}

static bool set_path(const struct option *option, void *field, const char *text, struct err *err)
{
    if (*text == '/' || is_below_variable(option->path_variable, text))
        return set_copy(field, text, err);
    return refuse(option, text, err);
}

static bool set_choice(const struct option *option, void *field, const char *text, struct err *err)
{
    for (const char *const *choice = option->choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0)
            return set_copy(field, text, err);
    }
    return refuse(option, text, err);
}

static bool set_bool(const struct option *option, void *field, const char *text, struct err *err)
{
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
        return refuse(option, text, err);
    if (option->type == OPTION_TRISTATE)
        *(enum tristate *)field = value ? YES : NO;
    else
        *(bool *)field = value;
    return true;
}

static bool set_integer(const struct option *option, void *field, const char *text, struct err *err)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digits = skip_digits(text + (*text == '-')) == end && *end == '\0' && end > text;
    if (!digits || errno || !in_range(option, (double)number))
        return refuse(option, text, err);
    *(int64_t *)field = number;
    return true;
}

static bool set_duration(const struct option *option, void *field, const char *text,
                         struct err *err)
{
    double seconds = 0;
    if (!option_parse_duration(text, &seconds, err))
        return false;
    if (!in_range(option, seconds))
        return refuse(option, text, err);
    *(double *)field = seconds;
    return true;
}

static bool add_to_list(const struct option *option, void *field, const char *text, struct err *err)
{
    (void)option;
    if (*text == '\0')
        return err_set(err, ERR_CONFIG, "must not be empty");
    return text_list_add(field, text, err);
}

static bool (*const setters[])(const struct option *, void *, const char *, struct err *) = {
    [OPTION_TEXT] = set_text,         [OPTION_PATH] = set_path,     [OPTION_CHOICE] = set_choice,
    [OPTION_BOOL] = set_bool,         [OPTION_TRISTATE] = set_bool, [OPTION_INTEGER] = set_integer,
    [OPTION_DURATION] = set_duration, [OPTION_TEXTS] = add_to_list,
};

bool option_set(const struct option *option, void *field, const char *text, struct err *err)
{
    assert(option->type < COUNT_OF(setters)); /* maps and sections have no text form */
    return setters[option->type](option, field, text, err);
}

static void default_members(const struct option *option, void *base)
{
    struct option_member member;
    for (size_t i = 0; option->member_at(i, &member); i++) {
        if (option->member->type == OPTION_BOOL)
            *(bool *)option_member_field(option, base, i) = member.fallback != 0;
    }
}

static bool default_of(const struct option *option, void *base, struct err *err)
{
    if (option->type == OPTION_MEMBERS)
        default_members(option, base);
    if (option->type == OPTION_TRISTATE)
        *(enum tristate *)option_field(option, base) = UNSET;
    if (option->type == OPTION_SECTION)
        return option_defaults(option->section, option_field(option, base), err);
    return !option->fallback ||
           option_set(option, option_field(option, base), option->fallback, err);
}

bool option_defaults(const struct option_table *table, void *base, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!default_of(&table->rows[i], base, err))
            return false;
    }
    return true;
}

static void free_sections(const struct option *option, void *base)
{
    char **array = option_field(option, base);
    size_t *count = (size_t *)(void *)((char *)base + option->count_offset);
    for (size_t i = 0; i < *count; i++)
        option_free(option->section, *array + i * option->section->size);
    free(*array);
    *array = NULL;
    *count = 0;
}

static void free_text(char **field)
{
    secret_free(*field);
    *field = NULL;
}

static void free_one(const struct option *option, void *base)
{
    void *field = option_field(option, base);
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_CHOICE:
        free_text(field);
        break;
    case OPTION_TEXTS:
        text_list_done(field);
        break;
    case OPTION_MAP:
        pair_list_done(field);
        break;
    case OPTION_SECTION:
        option_free(option->section, field);
        break;
    case OPTION_SECTIONS:
        free_sections(option, base);
        break;
    case OPTION_BOOL:
    case OPTION_TRISTATE:
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_MEMBERS:
        break; /* nothing owned */
    }
}

void option_free(const struct option_table *table, void *base)
{
    for (size_t i = 0; i < table->count; i++)
        free_one(&table->rows[i], base);
}

/* A visit on its way down through the sections. */
struct visit {
    bool (*call)(const struct option_place *place, void *data);
    void *data;
    struct strbuf path;
};

static bool visit_table(const struct option_table *table, void *base, struct visit *visit);

static bool visit_members(const struct option *option, void *base, struct visit *visit)
{
    struct option_place place = {.option = option->member};
    for (size_t i = 0; option->member_at(i, &place.member); i++) {
        size_t length = visit->path.length;
        strbuf_printf(&visit->path, ".%s", place.member.key);
        place.path = strbuf_text(&visit->path);
        place.field = base ? option_member_field(option, base, i) : NULL;
        bool more = visit->call(&place, visit->data);
        strbuf_truncate(&visit->path, length);
        if (!more)
            return false;
    }
    return true;
}

static bool visit_row(const struct option *option, void *base, struct visit *visit)
{
    bool reachable = option->sources & OPTION_COMMAND_LINE;
    if (option->type == OPTION_SECTION)
        return visit_table(option->section, base ? option_field(option, base) : NULL, visit);
    if (option->type == OPTION_MEMBERS)
        return !reachable || visit_members(option, base, visit);
    struct option_place place = {.option = option, .path = strbuf_text(&visit->path)};
    place.field = base ? option_field(option, base) : NULL;
    return !reachable || visit->call(&place, visit->data);
}

static bool visit_table(const struct option_table *table, void *base, struct visit *visit)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t length = visit->path.length;
        strbuf_printf(&visit->path, "%s%s", length ? "." : "", table->rows[i].key);
        bool more = visit_row(&table->rows[i], base, visit);
        strbuf_truncate(&visit->path, length);
        if (!more)
            return false;
    }
    return true;
}

bool option_visit(const struct option_table *table, void *base,
                  bool (*visit)(const struct option_place *place, void *data), void *data)
{
    struct visit state = {.call = visit, .data = data};
    bool all = visit_table(table, base, &state);
    strbuf_done(&state.path);
    return all;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Longer names are not worth a suggestion. */
#define NAME_MAX_COMPARED 63

/* Levenshtein's distance: letters to insert, delete or replace. */
static size_t edit_distance(const char *left, const char *right)
{
    size_t row[NAME_MAX_COMPARED + 1];
    size_t width = strlen(right);
    if (width > NAME_MAX_COMPARED || strlen(left) > NAME_MAX_COMPARED)
        return OPTION_TOO_FAR;
    for (size_t x = 0; x <= width; x++)
        row[x] = x;
    for (size_t y = 1; left[y - 1]; y++) {
        size_t diagonal = row[0];
        row[0] = y;
        for (size_t x = 1; x <= width; x++) {
            size_t above = row[x];
            row[x] = smallest(above + 1, row[x - 1] + 1, diagonal + (left[y - 1] != right[x - 1]));
            diagonal = above;
        }
    }
    return row[width];
}

void option_nearest(const char *wrong, const char *candidate, size_t *distance, const char **best)
{
    size_t here = edit_distance(wrong, candidate);
    if (here < *distance && here * 2 <= strlen(wrong)) {
        *distance = here;
        *best = candidate;
    }
}
