#include "exporter/config/flags.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool take_value(struct flags *flags, const struct flag_value *value, struct err *err)
{
    struct flag_value *values =
        reallocarray(flags->values, flags->count + 1, sizeof *flags->values);
    if (!values)
        return err_memory(err);
    flags->values = values;
    struct flag_value copy = *value;
    copy.origin = strdup(value->origin);
    copy.text = strdup(value->text);
    values[flags->count++] = copy;
    return (copy.origin && copy.text) || err_memory(err);
}

void flags_variable_name(const char *prefix, const char *path, struct strbuf *out)
{
    strbuf_printf(out, "%s_", prefix);
    for (const char *c = path; *c; c++) {
        bool lower = *c >= 'a' && *c <= 'z';
        bool separator = *c == '.' || *c == '-';
        strbuf_putc(out, (char)(lower ? *c - 'a' + 'A' : separator ? '_' : *c));
    }
}

bool flags_negatable(const struct option *option)
{
    return option->type == OPTION_BOOL && (option->sources & OPTION_IN_ENVIRONMENT);
}

/* Each part between commas is one element. */
static bool take_list(struct flags *flags, struct flag_value *value, const char *text,
                      struct err *err)
{
    for (;;) {
        size_t length = strcspn(text, ",");
        char *part CLEANUP(secret_freep) = strndup(text, length);
        value->text = part;
        if (!part || !take_value(flags, value, err))
            return err_memory(err);
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

struct environment_visit {
    struct flags *flags;
    struct err *err;
};

static bool visit_variable(const struct option_place *place, void *data)
{
    struct environment_visit *visit = data;
    struct strbuf name CLEANUP(strbuf_done) = {0};
    if (!(place->option->sources & OPTION_IN_ENVIRONMENT))
        return true;
    flags_variable_name(visit->flags->prefix, place->path, &name);
    char *text = name.failed ? NULL : getenv(strbuf_text(&name));
    struct flag_value value = {.option = place->option,
                               .field = place->field,
                               .origin = name.data,
                               .text = text,
                               .from_environment = true};
    if (name.failed)
        return err_memory(visit->err);
    if (!text)
        return true;
    if (place->option->type == OPTION_TEXTS)
        return take_list(visit->flags, &value, text, visit->err);
    return take_value(visit->flags, &value, visit->err);
}

bool flags_read_environment(struct flags *flags, struct err *err)
{
    struct environment_visit visit = {.flags = flags, .err = err};
    return option_visit(flags->table, flags->base, visit_variable, &visit);
}

/* Looks for the row of one flag among all. */
struct flag_search {
    const char *name; /* without dashes and value */
    char letter;
    struct option_place found; /* option NULL while not found */
    bool negated;
    struct strbuf nearest; /* of the names there are, the one most like it */
    size_t distance;
};

static void offer_nearest(struct flag_search *search, const char *path)
{
    const char *best = NULL;
    option_nearest(search->name, path, &search->distance, &best);
    if (best) {
        strbuf_done(&search->nearest);
        strbuf_puts(&search->nearest, best);
    }
}

static bool visit_flag(const struct option_place *place, void *data)
{
    struct flag_search *search = data;
    const struct option *option = place->option;
    bool positive = strcmp(search->name, place->path) == 0 ||
                    (search->letter && search->letter == option->letter);
    bool negative = flags_negatable(option) && strncmp(search->name, "no-", 3) == 0 &&
                    strcmp(search->name + 3, place->path) == 0;
    if (!(option->sources & OPTION_IN_FLAG))
        return true;
    if (positive || negative) {
        search->found = *place;
        search->negated = negative;
        return false;
    }
    if (!(option->sources & OPTION_HIDDEN))
        offer_nearest(search, place->path);
    return true;
}

static void unknown_flag(const struct flags *flags, const char *shown,
                         const struct flag_search *search)
{
    if (search->nearest.length)
        problem_add(flags->problems, "%s: unknown flag; did you mean --%s?", shown,
                    strbuf_text(&search->nearest));
    else
        problem_add(flags->problems, "%s: unknown flag; --help lists all", shown);
}

/* The arguments on their way, and what one of them is. */
struct arguments {
    int count;
    char *const *items;
    int next; /* index of the first one not yet used */
};

/* The value of a flag: after '=', else the next argument; NULL and a problem when there is none. */
static const char *flag_text(const struct flags *flags, const struct flag_search *search,
                             struct arguments *arguments, const char *shown, const char *equals)
{
    if (search->found.option->type == OPTION_BOOL) {
        if (!equals)
            return search->negated ? "false" : "true";
        problem_add(flags->problems, "%s: takes no value", shown);
        return NULL;
    }
    if (equals)
        return equals + 1;
    if (arguments->next < arguments->count)
        return arguments->items[arguments->next++];
    problem_add(flags->problems, "%s: needs a value", shown);
    return NULL;
}

static bool take_flag(struct flags *flags, struct arguments *arguments, struct err *err)
{
    const char *argument = arguments->items[arguments->next++];
    const char *equals = strchr(argument, '=');
    char *shown CLEANUP(secret_freep) =
        strndup(argument, equals ? (size_t)(equals - argument) : strlen(argument));
    if (!shown)
        return err_memory(err);
    bool is_long = argument[1] == '-';
    struct flag_search search = {
        .name = is_long ? shown + 2 : "",
        .letter = !is_long && strlen(shown) == 2 ? (char)shown[1] : '\0',
        .distance = OPTION_TOO_FAR,
    };
    bool sound = true;
    if (option_visit(flags->table, flags->base, visit_flag, &search)) {
        unknown_flag(flags, shown, &search);
    } else {
        const char *text = flag_text(flags, &search, arguments, shown, equals);
        struct flag_value value = {.option = search.found.option,
                                   .field = search.found.field,
                                   .origin = shown,
                                   .text = (char *)(uintptr_t)text};
        sound = !text || take_value(flags, &value, err);
    }
    strbuf_done(&search.nearest);
    return sound;
}

bool flags_read_arguments(struct flags *flags, int argc, char *const argv[], int *ret_rest,
                          struct err *err)
{
    struct arguments arguments = {.count = argc, .items = argv, .next = argc > 0 ? 1 : 0};
    while (arguments.next < argc && argv[arguments.next][0] == '-') {
        if (strcmp(argv[arguments.next], "--") == 0) {
            arguments.next++;
            break;
        }
        if (!take_flag(flags, &arguments, err))
            return false;
    }
    *ret_rest = arguments.next;
    return true;
}

/* The first value of a list from this source begins it anew. */
static bool begins_list(const struct flags *flags, size_t index)
{
    const struct flag_value *value = &flags->values[index];
    if (value->option->type != OPTION_TEXTS)
        return false;
    for (size_t i = 0; i < index; i++) {
        if (flags->values[i].field == value->field &&
            flags->values[i].from_environment == value->from_environment)
            return false;
    }
    return true;
}

bool flags_apply(const struct flags *flags, struct err *err)
{
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag_value *value = &flags->values[i];
        struct err wrong;
        if (begins_list(flags, i))
            text_list_done(value->field);
        if (option_set(value->option, value->field, value->text, &wrong))
            continue;
        if (wrong.code == ERR_MEMORY)
            return err_memory(err);
        problem_add(flags->problems, "%s: %s", value->origin, wrong.text);
    }
    return true;
}

void flags_done(struct flags *flags)
{
    for (size_t i = 0; i < flags->count; i++) {
        free(flags->values[i].origin);
        secret_free(flags->values[i].text);
    }
    free(flags->values);
    flags->values = NULL;
    flags->count = 0;
}
