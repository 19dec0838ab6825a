#include "exporter/base/err.h"

#include <stdio.h>
#include <string.h>

#include "exporter/base/utf8.h"

static const struct {
    const char *name;
    const char *reason;
    const char *meaning;
} table[ERR_CODE_COUNT] = {
#define ERR_ROW(code, reason, meaning) [code] = {#code, reason, meaning},
    ERR_CODES(ERR_ROW)
#undef ERR_ROW
};

static enum err_code known(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT ? code : ERR_OTHER;
}

PRINTF(2, 0)
static void format_text(char *text, const char *format, va_list values)
{
    int length = vsnprintf(text, ERR_TEXT_SIZE, format, values);
    if (length < 0)
        text[0] = '\0';
    else if (length >= ERR_TEXT_SIZE)
        text[utf8_whole_length(text, ERR_TEXT_SIZE - 1)] = '\0';
}

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (!err)
        return false;
    char text[ERR_TEXT_SIZE]; /* the values may point into err->text */
    va_list values;
    va_start(values, format);
    format_text(text, format, values);
    va_end(values);
    err->code = known(code);
    memcpy(err->text, text, strlen(text) + 1);
    return false;
}

bool err_system(struct err *err, int error_number, const char *format, ...)
{
    if (!err)
        return false;
    char text[ERR_TEXT_SIZE];
    char reason[128];
    va_list values;
    va_start(values, format);
    format_text(text, format, values);
    va_end(values);
    return err_set(err, ERR_SYSTEM, "%s: %s", text,
                   strerror_r(error_number, reason, sizeof reason));
}

bool err_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

bool err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return false;
    char text[ERR_TEXT_SIZE];
    va_list values;
    va_start(values, format);
    format_text(text, format, values);
    va_end(values);
    return err_set(err, err->code, "%s: %s", text, err->text);
}

const char *err_reason(enum err_code code)
{
    return table[known(code)].reason;
}

const char *err_meaning(enum err_code code)
{
    return table[known(code)].meaning;
}

const char *err_name(enum err_code code)
{
    return table[known(code)].name;
}
