#include "exporter/commands/doctor_flag.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/base/attrs.h"

/* How an option begins, before the number of its repository. */
static const char *const begins[] = {"--repo", "PGBACKREST_REPO"};

#define KEY_DIGITS 4 /* pgBackRest has 256 repositories */

void doctor_flag_done(struct doctor_flag *flag)
{
    strbuf_done(&flag->option);
    strbuf_done(&flag->value);
    *flag = (struct doctor_flag){0};
}

static bool is_option_char(char byte)
{
    return isalnum((unsigned char)byte) || byte == '-' || byte == '_';
}

/* "2-s3-key", and "2_S3_KEY" of a variable; its length, 0 for something else. */
static size_t read_name(const char *text, struct doctor_flag *flag)
{
    size_t digits = strspn(text, "0123456789");
    size_t at = digits;
    if (digits == 0 || digits > KEY_DIGITS || (text[at] != '-' && text[at] != '_'))
        return 0;
    flag->repo_key = strtol(text, NULL, 10);
    for (at++; is_option_char(text[at]); at++)
        strbuf_putc(&flag->option, text[at] == '_' ? '-' : (char)tolower((unsigned char)text[at]));
    return at;
}

/* Up to where a word ends: at its quote, if it has one. */
static size_t read_value(const char *text, char quote, struct doctor_flag *flag)
{
    bool quoted = *text == '"' || *text == '\'';
    size_t at = quoted;
    const char end[] = {quoted ? *text : quote, '\n', '\0'};
    size_t length = strcspn(text + at, *end ? end : " \t\n\"'\\;|&)");
    strbuf_add(&flag->value, text + at, length);
    flag->expands = strpbrk(strbuf_text(&flag->value), "$`%") != NULL;
    return at + length;
}

/* The flag that begins at text, which stands behind `before`. Its length; 0: none does. */
static size_t read_flag(const char *text, char before, struct doctor_flag *flag)
{
    size_t at = 0;
    for (size_t i = 0; at == 0 && i < COUNT_OF(begins); i++) {
        size_t length = strlen(begins[i]);
        if (strncmp(text, begins[i], length) == 0)
            at = length;
    }
    size_t name = at > 0 ? read_name(text + at, flag) : 0;
    if (name == 0)
        return 0;
    at += name;
    bool has_value = text[at] == '=' || (*text == '-' && text[at] == ' ' && text[at + 1] != '-');
    if (has_value)
        at += 1 + read_value(text + at + 1, before == '"' || before == '\'' ? before : '\0', flag);
    return at;
}

static bool is_comment(const char *line)
{
    return strchr("#;", line[strspn(line, " \t")]) && line[strspn(line, " \t")] != '\0';
}

bool doctor_flag_next(struct doctor_flag_reader *reader, struct doctor_flag *ret)
{
    bool begins_line = reader->line == 0;
    if (begins_line)
        reader->line = 1;
    for (; *reader->rest; reader->rest++) {
        char before = begins_line ? '\n' : reader->rest[-1];
        begins_line = false;
        if (before == '\n' && is_comment(reader->rest))
            reader->rest += strcspn(reader->rest, "\n");
        size_t length = is_option_char(before) ? 0 : read_flag(reader->rest, before, ret);
        if (length > 0) {
            ret->line = reader->line;
            reader->rest += length;
            return true;
        }
        doctor_flag_done(ret);
        if (*reader->rest == '\0')
            break;
        reader->line += *reader->rest == '\n';
    }
    return false;
}
