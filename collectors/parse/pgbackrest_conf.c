/*
 * Why not libinih: it cuts lines at 200 bytes and values at " ;" (tokens and passphrases would be
 * broken without a word), takes ':' for '=', and joins indented lines to the one before; pgBackRest
 * does none of this. Its rules, seen with 2.45: each line is trimmed; empty lines and those that
 * begin with '#' are skipped; a section is everything between '[' and the final ']', not trimmed;
 * everything else is split at its first '=' and both sides are trimmed; ';' is not special.
 */
#include "collectors/parse/pgbackrest_conf.h"

#include <stdlib.h>
#include <string.h>

/* One trimmed line of the file. */
struct line {
    const char *text; /* not NUL-terminated */
    size_t length;
    const char *file;
    size_t number; /* from 1 */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(struct line *line)
{
    while (line->length > 0 && is_space(line->text[0])) {
        line->text++;
        line->length--;
    }
    while (line->length > 0 && is_space(line->text[line->length - 1]))
        line->length--;
}

static bool wrong(const struct line *line, const char *what, struct err *err)
{
    return err_set(err, ERR_CONFIG, "%s:%zu: %s", line->file, line->number, what);
}

static char *copy_trimmed(const char *text, size_t length)
{
    struct line part = {.text = text, .length = length};
    trim(&part);
    return strndup(part.text, part.length);
}

static struct conf_section *find_section(const struct pgbackrest_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->count; i++) {
        if (strcmp(conf->sections[i].name, name) == 0)
            return &conf->sections[i];
    }
    return NULL;
}

static bool add_section(struct pgbackrest_conf *conf, char *name, struct conf_section **ret,
                        struct err *err)
{
    struct conf_section *sections = reallocarray(conf->sections, conf->count + 1, sizeof *sections);
    if (!sections) {
        free(name);
        return err_memory(err);
    }
    conf->sections = sections;
    sections[conf->count] = (struct conf_section){.name = name};
    *ret = &sections[conf->count++];
    return true;
}

static bool parse_section(struct pgbackrest_conf *conf, const struct line *line,
                          struct conf_section **ret, struct err *err)
{
    if (line->text[line->length - 1] != ']')
        return wrong(line, "a section must end with ']'", err);
    if (line->length == 2)
        return wrong(line, "a section must have a name", err);
    char *name = strndup(line->text + 1, line->length - 2);
    if (!name)
        return err_memory(err);
    struct conf_section *known = find_section(conf, name);
    if (known) {
        free(name);
        *ret = known;
        return true;
    }
    if (conf->count < PGBACKREST_CONF_SECTION_MAX)
        return add_section(conf, name, ret, err);
    free(name);
    return wrong(line, "too many sections (at most 4000)", err);
}

static bool parse_option(struct conf_section *section, const struct line *line, struct err *err)
{
    const char *equals = memchr(line->text, '=', line->length);
    if (!section)
        return wrong(line, "an option must stand below a section, like [global]", err);
    if (!equals)
        return wrong(line, "no '=' between option and value", err);
    size_t key_length = (size_t)(equals - line->text);
    char *key CLEANUP(secret_freep) = copy_trimmed(line->text, key_length);
    char *value CLEANUP(secret_freep) = copy_trimmed(equals + 1, line->length - key_length - 1);
    if (!key || !value)
        return err_memory(err);
    if (*key == '\0')
        return wrong(line, "no option before '='", err);
    if (section->options.count >= PGBACKREST_CONF_OPTION_MAX)
        return wrong(line, "too many options in one section (at most 4000)", err);
    return pair_list_add(&section->options, key, value, err);
}

static bool parse_line(struct pgbackrest_conf *conf, struct line *line,
                       struct conf_section **section, struct err *err)
{
    if (line->length > PGBACKREST_CONF_LINE_MAX)
        return wrong(line, "longer than 65536 bytes", err);
    if (memchr(line->text, '\0', line->length))
        return wrong(line, "holds a zero byte", err);
    trim(line);
    if (line->length == 0 || line->text[0] == '#')
        return true;
    if (line->text[0] == '[')
        return parse_section(conf, line, section, err);
    return parse_option(*section, line, err);
}

bool pgbackrest_conf_parse(struct pgbackrest_conf *conf, const char *file, const char *text,
                           size_t length, struct err *err)
{
    struct conf_section *section = NULL;
    size_t number = 1;
    for (size_t start = 0; start < length; number++) {
        const char *newline = memchr(text + start, '\n', length - start);
        size_t end = newline ? (size_t)(newline - text) : length;
        struct line line = {
            .text = text + start, .length = end - start, .file = file, .number = number};
        if (!parse_line(conf, &line, &section, err))
            return false;
        start = end + 1;
    }
    return true;
}

const struct pair_list *pgbackrest_conf_section(const struct pgbackrest_conf *conf,
                                                const char *name)
{
    const struct conf_section *section = find_section(conf, name);
    return section ? &section->options : NULL;
}

void pgbackrest_conf_done(struct pgbackrest_conf *conf)
{
    for (size_t i = 0; i < conf->count; i++) {
        free(conf->sections[i].name);
        pair_list_done(&conf->sections[i].options);
    }
    free(conf->sections);
    *conf = (struct pgbackrest_conf){0};
}
