#include "collectors/parse/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/base/strbuf.h"

/*
 * One byte is read at a time, in one of these states. They are those of systemd's
 * src/basic/env-file.c, since its version 254 (a comment is not continued by a backslash).
 */
enum state {
    BEFORE_NAME,
    COMMENT,
    NAME,
    BEFORE_VALUE, /* also after a closing quote: `"a" "b"` is one value, ab */
    VALUE,
    VALUE_ESCAPE,
    SINGLE_QUOTED,
    DOUBLE_QUOTED,
    DOUBLE_QUOTED_ESCAPE,
};

struct parser {
    enum state state;
    size_t line;
    size_t name_line;  /* where the assignment began */
    size_t quote_line; /* where the newest quote was opened */
    struct strbuf name;
    struct strbuf value;
    size_t value_kept; /* length of value without the blanks at its end that were not quoted */
    struct credentials *into;
    struct err *err;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_newline(char byte)
{
    return byte == '\n' || byte == '\r';
}

static bool is_name_byte(char byte, size_t index)
{
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
    return letter || (index > 0 && byte >= '0' && byte <= '9');
}

static bool is_name(const char *text)
{
    size_t index = 0;
    while (text[index] && is_name_byte(text[index], index))
        index++;
    return index > 0 && !text[index];
}

static void ignore_line(struct parser *parser, size_t line)
{
    if (!parser->into->ignored_line)
        parser->into->ignored_line = line;
}

static void wipe(struct strbuf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->length);
    strbuf_truncate(buf, 0);
}

static void trim_name(struct parser *parser)
{
    size_t length = parser->name.length;
    while (length > 0 && is_blank(parser->name.data[length - 1]))
        length--;
    strbuf_truncate(&parser->name, length);
}

/* The end of a line with an assignment. */
static bool finish(struct parser *parser)
{
    bool good = true;
    parser->state = BEFORE_NAME;
    if (parser->name.failed || parser->value.failed)
        return err_memory(parser->err);
    strbuf_truncate(&parser->value, parser->value_kept);
    trim_name(parser);
    if (is_name(strbuf_text(&parser->name)))
        good = pair_list_add(&parser->into->pairs, strbuf_text(&parser->name),
                             strbuf_text(&parser->value), parser->err);
    else
        ignore_line(parser, parser->name_line);
    wipe(&parser->name);
    wipe(&parser->value);
    parser->value_kept = 0;
    return good;
}

/* A byte of the value that stays even when nothing but blanks follows. */
static void keep(struct parser *parser, char byte)
{
    strbuf_putc(&parser->value, byte);
    parser->value_kept = parser->value.length;
}

static void read_before_name(struct parser *parser, char byte)
{
    if (is_blank(byte))
        return;
    if (byte == '#' || byte == ';') {
        parser->state = COMMENT;
        return;
    }
    parser->name_line = parser->line;
    parser->state = NAME;
    strbuf_putc(&parser->name, byte);
}

static void read_name(struct parser *parser, char byte)
{
    if (byte == '=') {
        parser->state = BEFORE_VALUE;
    } else if (is_newline(byte)) {
        ignore_line(parser, parser->name_line);
        wipe(&parser->name);
        parser->state = BEFORE_NAME;
    } else {
        strbuf_putc(&parser->name, byte);
    }
}

static void open_quote(struct parser *parser, enum state state)
{
    parser->quote_line = parser->line;
    parser->state = state;
}

static bool read_before_value(struct parser *parser, char byte)
{
    if (is_newline(byte))
        return finish(parser);
    if (byte == '\'') {
        open_quote(parser, SINGLE_QUOTED);
    } else if (byte == '"') {
        open_quote(parser, DOUBLE_QUOTED);
    } else if (byte == '\\') {
        parser->state = VALUE_ESCAPE;
    } else if (!is_blank(byte)) {
        parser->state = VALUE;
        keep(parser, byte);
    }
    return true;
}

static bool read_value(struct parser *parser, char byte)
{
    if (is_newline(byte))
        return finish(parser);
    if (byte == '\\')
        parser->state = VALUE_ESCAPE;
    else if (is_blank(byte))
        strbuf_putc(&parser->value, byte);
    else
        keep(parser, byte);
    return true;
}

static void read_value_escape(struct parser *parser, char byte)
{
    parser->state = VALUE;
    if (!is_newline(byte))
        keep(parser, byte);
}

static void read_double_quoted(struct parser *parser, char byte)
{
    if (byte == '"')
        parser->state = BEFORE_VALUE;
    else if (byte == '\\')
        parser->state = DOUBLE_QUOTED_ESCAPE;
    else
        keep(parser, byte);
}

/* As in a shell: the backslash goes only before what would have a meaning without it. */
static void read_double_quoted_escape(struct parser *parser, char byte)
{
    parser->state = DOUBLE_QUOTED;
    if (byte == '\n')
        return;
    if (!strchr("\"\\`$", byte))
        keep(parser, '\\');
    keep(parser, byte);
}

static bool read_byte(struct parser *parser, char byte)
{
    switch (parser->state) {
    case BEFORE_NAME:
        read_before_name(parser, byte);
        return true;
    case COMMENT:
        if (is_newline(byte))
            parser->state = BEFORE_NAME;
        return true;
    case NAME:
        read_name(parser, byte);
        return true;
    case BEFORE_VALUE:
        return read_before_value(parser, byte);
    case VALUE:
        return read_value(parser, byte);
    case VALUE_ESCAPE:
        read_value_escape(parser, byte);
        return true;
    case SINGLE_QUOTED:
        if (byte == '\'')
            parser->state = BEFORE_VALUE;
        else
            keep(parser, byte);
        return true;
    case DOUBLE_QUOTED:
        read_double_quoted(parser, byte);
        return true;
    case DOUBLE_QUOTED_ESCAPE:
        read_double_quoted_escape(parser, byte);
        return true;
    }
    return true;
}

static bool read_end(struct parser *parser)
{
    switch (parser->state) {
    case BEFORE_NAME:
    case COMMENT:
        return true;
    case NAME:
        ignore_line(parser, parser->name_line);
        return true;
    case BEFORE_VALUE:
    case VALUE:
    case VALUE_ESCAPE:
        return finish(parser);
    case SINGLE_QUOTED:
    case DOUBLE_QUOTED:
    case DOUBLE_QUOTED_ESCAPE:
        break;
    }
    return err_set(parser->err, ERR_CONFIG, "line %zu opens a quote that is never closed",
                   parser->quote_line);
}

static bool read_all(struct parser *parser, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0')
            return err_set(parser->err, ERR_CONFIG, "line %zu holds a NUL byte", parser->line);
        if (!read_byte(parser, text[i]))
            return false;
        if (text[i] == '\n')
            parser->line++;
    }
    return read_end(parser);
}

static void parser_done(struct parser *parser)
{
    wipe(&parser->name);
    wipe(&parser->value);
    strbuf_done(&parser->name);
    strbuf_done(&parser->value);
}

bool credentials_parse(const char *text, size_t length, struct credentials *ret, struct err *err)
{
    struct parser parser CLEANUP(parser_done) = {.line = 1, .into = ret, .err = err};
    /* All that one value can need: growing would leave copies of a secret in freed memory. */
    if (!strbuf_reserve(&parser.name, length + 1) || !strbuf_reserve(&parser.value, length + 1))
        return err_memory(err);
    if (read_all(&parser, text, length))
        return true;
    credentials_done(ret);
    return false;
}

const char *credentials_get(const struct credentials *credentials, const char *name)
{
    for (size_t i = credentials->pairs.count; i > 0; i--) {
        if (strcmp(credentials->pairs.items[i - 1].name, name) == 0)
            return credentials->pairs.items[i - 1].value;
    }
    return NULL;
}

void credentials_done(struct credentials *credentials)
{
    pair_list_done(&credentials->pairs);
    credentials->ignored_line = 0;
}
