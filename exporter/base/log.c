#include "exporter/base/log.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

static _Atomic int lowest = LOG_LEVEL_INFO;
static _Atomic int layout = LOG_FORMAT_LOGFMT;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};
static const char *const format_names[] = {
    [LOG_FORMAT_LOGFMT] = "logfmt",
    [LOG_FORMAT_JSON] = "json",
};

void log_configure(enum log_level level, enum log_format format)
{
    lowest = level;
    layout = format;
}

bool log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_format_parse(const char *text, enum log_format *ret)
{
    for (size_t i = 0; i < COUNT_OF(format_names); i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *ret = (enum log_format)i;
            return true;
        }
    }
    return false;
}

bool log_configure_named(const char *level_name, const char *format_name)
{
    enum log_level level;
    enum log_format format;
    if (!log_level_parse(level_name, &level) || !log_format_parse(format_name, &format))
        return false;
    log_configure(level, format);
    return true;
}

static bool needs_quotes(const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c >= 0x7F ||
            *c < 0)
            return true;
    }
    return *text == '\0';
}

static void add_text(struct strbuf *line, enum log_format format, const char *key, const char *text)
{
    if (format == LOG_FORMAT_JSON) {
        strbuf_puts(line, line->length > 1 ? "," : "");
        utf8_add_quoted(line, key);
        strbuf_putc(line, ':');
        utf8_add_quoted(line, text);
        return;
    }
    strbuf_printf(line, "%s%s=", line->length ? " " : "", key);
    if (needs_quotes(text))
        utf8_add_quoted(line, text);
    else
        strbuf_puts(line, text);
}

static const char *name_of_infinite(double number)
{
    if (isnan(number))
        return "NaN";
    return number > 0 ? "Inf" : "-Inf";
}

static void add_number(struct strbuf *line, enum log_format format, const struct log_field *field)
{
    if (!isfinite(field->number)) {
        add_text(line, format, field->key, name_of_infinite(field->number));
    } else if (format == LOG_FORMAT_JSON) {
        strbuf_putc(line, ',');
        utf8_add_quoted(line, field->key);
        strbuf_printf(line, ":%.15g", field->number);
    } else {
        strbuf_printf(line, " %s=%.15g", field->key, field->number);
    }
}

static void add_time(struct strbuf *line, enum log_format format)
{
    struct timespec now;
    struct tm utc;
    char seconds[32];
    char stamp[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp, sizeof stamp, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
    add_text(line, format, "time", stamp);
}

/*
 * A log that nobody reads (a full pipe, a stopped terminal) must not stop what it tells about: a
 * write waits for a short while, and while the log stays blocked further lines are dropped at
 * once. A pipe that poll() calls writable takes PIPE_BUF bytes without blocking, so long as nobody
 * writes in between: hence the lock, and pieces of that size.
 */
#define PATIENCE_MS 100

static struct {
    pthread_mutex_t lock; /* guards the rest, and the order of pieces */
    bool blocked;
    bool cut; /* the last line lacks its end */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock held. */
static bool is_writable(void)
{
    struct pollfd target = {.fd = STDERR_FILENO, .events = POLLOUT};
    struct bound bound = bound_after(output.blocked ? 0 : PATIENCE_MS, -1);
    int ready;
    do
        ready = poll(&target, 1, bound_remaining_ms(&bound));
    while (ready < 0 && errno == EINTR);
    output.blocked = ready <= 0;
    return !output.blocked;
}

/* With the lock held. */
static bool write_pieces(const char *bytes, size_t length)
{
    while (length > 0) {
        if (!is_writable())
            return false;
        ssize_t done = write(STDERR_FILENO, bytes, length < PIPE_BUF ? length : PIPE_BUF);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false; /* nobody reads the log: nothing better can be done with it */
        bytes += done;
        length -= (size_t)done;
    }
    return true;
}

static void write_line(const struct strbuf *line)
{
    pthread_mutex_lock(&output.lock);
    if (!output.cut || write_pieces("\n", 1))
        output.cut = !write_pieces(strbuf_text(line), line->length) && line->length > PIPE_BUF;
    pthread_mutex_unlock(&output.lock);
}

static void log_event(enum log_level level, const char *message, const struct log_field *fields)
{
    if ((int)level > lowest)
        return;
    enum log_format format = (enum log_format)layout;
    struct strbuf line CLEANUP(strbuf_done) = {0};
    if (format == LOG_FORMAT_JSON)
        strbuf_putc(&line, '{');
    add_time(&line, format);
    add_text(&line, format, "level", level_names[level]);
    add_text(&line, format, "msg", message);
    for (const struct log_field *field = fields; field && field->key; field++) {
        if (field->text)
            add_text(&line, format, field->key, field->text);
        else
            add_number(&line, format, field);
    }
    strbuf_puts(&line, format == LOG_FORMAT_JSON ? "}\n" : "\n");
    if (!line.failed) /* half a line would run into the next one */
        write_line(&line);
}

void log_error(const char *message, const struct log_field *fields)
{
    log_event(LOG_LEVEL_ERROR, message, fields);
}

void log_warn(const char *message, const struct log_field *fields)
{
    log_event(LOG_LEVEL_WARN, message, fields);
}

void log_info(const char *message, const struct log_field *fields)
{
    log_event(LOG_LEVEL_INFO, message, fields);
}

void log_debug(const char *message, const struct log_field *fields)
{
    log_event(LOG_LEVEL_DEBUG, message, fields);
}
