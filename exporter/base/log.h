/*
 * log - one line per event on stderr, as logfmt or JSON.
 *
 * An event has a fixed name in words ("poll failed") and fields. Values from outside are escaped,
 * so one event is always one line. Secrets must never be passed in; nothing here can know them.
 */
#ifndef EXPORTER_BASE_LOG_H
#define EXPORTER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    const char *text; /* NULL: the field is the number */
    double number;
};

/*
 * Fields for the functions below:
 *     log_info("reloaded", FIELDS(TEXT("file", path), NUMBER("targets", 7)));
 *     log_info("stopping", NULL);
 */
#define TEXT(name, value)                                                                          \
    {                                                                                              \
        .key = (name), .text = (value)                                                             \
    }
#define NUMBER(name, value)                                                                        \
    {                                                                                              \
        .key = (name), .number = (double)(value)                                                   \
    }
#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.key = NULL}})

/* Set what is written and how. Call before the threads start; later only on a reload. */
void log_configure(enum log_level level, enum log_format format);

/* The same by the names below; a name that is none leaves everything as it is and returns false. */
bool log_configure_named(const char *level, const char *format);

/* Parse "error", "warn", "info", "debug" / "logfmt", "json"; false leaves *ret alone. */
bool log_level_parse(const char *text, enum log_level *ret) MUST_USE;
bool log_format_parse(const char *text, enum log_format *ret) MUST_USE;

/*
 * Write one event. fields end at a NULL key and may be NULL; a NULL text is written as a number.
 * Safe from any thread; lines never mix. When nobody reads stderr this waits for 100 ms at most,
 * then drops this line and, without waiting, those that follow until there is room again.
 */
void log_error(const char *message, const struct log_field *fields);
void log_warn(const char *message, const struct log_field *fields);
void log_info(const char *message, const struct log_field *fields);
void log_debug(const char *message, const struct log_field *fields);

#endif
