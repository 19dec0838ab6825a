#include "exporter/config/manual.h"

#include "exporter/config/flags.h"

/* What the writers of all rows share. */
struct manual {
    struct strbuf *out;
    const char *prefix;
};

static void add_fallback(const struct option *option, const struct option_member *member,
                         struct strbuf *out)
{
    if (option->shown)
        strbuf_puts(out, option->shown);
    else if (option->fallback)
        strbuf_puts(out, option->fallback);
    else if (member && option->type == OPTION_BOOL)
        strbuf_puts(out, member->fallback != 0 ? "true" : "false");
    else if (member && member->fallback > 0)
        option_format_duration(out, member->fallback);
}

static const char *help_of(const struct option_place *place)
{
    return place->member.key ? place->member.help : place->option->help;
}

static void add_flag_name(const struct option_place *place, struct strbuf *out)
{
    strbuf_printf(out, "--%s%s", flags_negatable(place->option) ? "[no-]" : "", place->path);
    if (place->option->value)
        strbuf_printf(out, "=%s", place->option->value);
}

static bool is_shown_flag(const struct option *option)
{
    return (option->sources & OPTION_IN_FLAG) && !(option->sources & OPTION_HIDDEN);
}

static bool flag_paragraph(const struct option_place *place, void *data)
{
    const struct manual *manual = data;
    const struct option *option = place->option;
    if (!is_shown_flag(option))
        return true;
    if (option->letter)
        strbuf_printf(manual->out, "  -%c, ", option->letter);
    else
        strbuf_puts(manual->out, "      ");
    add_flag_name(place, manual->out);
    strbuf_printf(manual->out, "\n          %s", help_of(place));
    struct strbuf fallback CLEANUP(strbuf_done) = {0};
    add_fallback(option, place->member.key ? &place->member : NULL, &fallback);
    if (fallback.length)
        strbuf_printf(manual->out, " Default: %s.", strbuf_text(&fallback));
    if (option->sources & OPTION_IN_ENVIRONMENT) {
        strbuf_puts(manual->out, "\n          $");
        flags_variable_name(manual->prefix, place->path, manual->out);
    }
    strbuf_putc(manual->out, '\n');
    return true;
}

void manual_flags(const struct option_table *table, const char *prefix, struct strbuf *out)
{
    struct manual manual = {.out = out, .prefix = prefix};
    option_visit(table, NULL, flag_paragraph, &manual);
}

static bool flag_row(const struct option_place *place, void *data)
{
    const struct manual *manual = data;
    const struct option *option = place->option;
    if (!is_shown_flag(option))
        return true;
    strbuf_puts(manual->out, "| `");
    add_flag_name(place, manual->out);
    strbuf_puts(manual->out, option->letter ? "`, `-" : "` | ");
    if (option->letter)
        strbuf_printf(manual->out, "%c` | ", option->letter);
    if (option->sources & OPTION_IN_ENVIRONMENT) {
        strbuf_putc(manual->out, '`');
        flags_variable_name(manual->prefix, place->path, manual->out);
        strbuf_putc(manual->out, '`');
    }
    strbuf_puts(manual->out, " | ");
    add_fallback(option, place->member.key ? &place->member : NULL, manual->out);
    strbuf_printf(manual->out, " | %s |\n", help_of(place));
    return true;
}

void manual_flag_table(const struct option_table *table, const char *prefix, struct strbuf *out)
{
    struct manual manual = {.out = out, .prefix = prefix};
    strbuf_puts(out, "| Flag | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n");
    option_visit(table, NULL, flag_row, &manual);
}

static bool in_file(const struct option *option)
{
    return !option->sources || (option->sources & OPTION_IN_FILE);
}

static bool is_nested(const struct option *option)
{
    return option->section || option->type == OPTION_MEMBERS;
}

static void key_row(const struct option *option, const struct option_member *member,
                    struct strbuf *out)
{
    strbuf_printf(out, "| `%s` | ", member ? member->key : option->key);
    option_describe_value(option, out);
    strbuf_puts(out, option->required ? "; required | " : " | ");
    add_fallback(option, member, out);
    strbuf_printf(out, " | %s |\n", member ? member->help : option->help);
}

static void member_rows(const struct option *option, struct strbuf *out)
{
    struct option_member member;
    for (size_t i = 0; option->member_at(i, &member); i++)
        key_row(option->member, &member, out);
}

static void section_tables(const struct option_table *table, const char *path, struct strbuf *out);

static void table_head(const char *path, const char *help, struct strbuf *out)
{
    strbuf_printf(out, "\n### %s\n\n%s\n\n", path, help);
    strbuf_puts(out, "| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n");
}

static void nested_table(const struct option *option, const char *outer, struct strbuf *out)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s%s%s%s", outer, *outer ? "." : "", option->key,
                  option->type == OPTION_SECTIONS ? "[]" : "");
    table_head(strbuf_text(&path), option->help, out);
    if (option->type == OPTION_MEMBERS)
        member_rows(option, out);
    else
        section_tables(option->section, strbuf_text(&path), out);
}

/* A section's own keys first, then a table for each section in it. */
static void section_tables(const struct option_table *table, const char *path, struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        if (in_file(&table->rows[i]) && !is_nested(&table->rows[i]))
            key_row(&table->rows[i], NULL, out);
    }
    for (size_t i = 0; i < table->count; i++) {
        if (in_file(&table->rows[i]) && is_nested(&table->rows[i]))
            nested_table(&table->rows[i], path, out);
    }
}

void manual_file_tables(const struct option_table *table, struct strbuf *out)
{
    section_tables(table, "", out);
}
