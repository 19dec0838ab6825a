#include "exporter/commands/doctor_log_line.h"

#include <stddef.h>
#include <string.h>

#include "exporter/base/attrs.h"

#define TIME_LENGTH 19 /* "2026-11-22 19:26:01" */

/* An asynchronous push that failed is tried again, so it is told as a warning. */
static const char *const failures[] = {"ERROR: ", "WARN: could not push WAL"};
static const char pushed[] = "pushed WAL file";
static const char begun[] = "command begin";
static const char ended[] = "completed successfully"; /* also behind such warnings */

/* Reading it line by line. */
struct reading {
    const char *when, *what; /* of the last failure that nothing good followed, or NULL */
    bool failed;             /* the command that this line belongs to */
};

static bool has_time(const char *line, size_t length)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    if (length < TIME_LENGTH)
        return false;
    for (size_t i = 0; i < TIME_LENGTH; i++) {
        bool is_digit = line[i] >= '0' && line[i] <= '9';
        if (shape[i] == 'd' ? !is_digit : line[i] != shape[i])
            return false;
    }
    return true;
}

/* Where a word stands in a line; NULL: nowhere. */
static const char *find(const char *line, size_t length, const char *word)
{
    return memmem(line, length, word, strlen(word));
}

static const char *find_failure(const char *line, size_t length)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        const char *found = find(line, length, failures[i]);
        if (found)
            return found;
    }
    return NULL;
}

static void read_line(struct reading *reading, const char *line, size_t length)
{
    const char *failure = find_failure(line, length);
    if (failure)
        *reading = (struct reading){.when = line, .what = failure, .failed = true};
    else if (find(line, length, begun))
        reading->failed = false;
    else if (find(line, length, pushed) || (!reading->failed && find(line, length, ended)))
        *reading = (struct reading){0};
}

bool doctor_log_last_error(const char *text, struct strbuf *ret, struct strbuf *ret_time)
{
    struct reading reading = {0};
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        if (has_time(text, length))
            read_line(&reading, text, length);
    }
    if (!reading.when)
        return false;
    strbuf_add(ret, reading.what, strcspn(reading.what, "\n"));
    strbuf_add(ret_time, reading.when, TIME_LENGTH);
    return true;
}
