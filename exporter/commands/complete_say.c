#include "exporter/commands/complete_say.h"

#include <stdarg.h>
#include <stdio.h>

static const char wipe[] = "\r\033[K";

void say_end(struct teller *teller)
{
    if (teller->shown)
        fputs(wipe, stdout);
    teller->shown = false;
    fflush(stdout);
}

void say_step(struct teller *teller, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say_end(teller);
    vprintf(format, values);
    va_end(values);
    teller->shown = teller->terminal;
    if (!teller->terminal)
        putchar('\n');
    fflush(stdout);
}

void say_line(struct teller *teller, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say_end(teller);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
    fflush(stdout);
}

void say_problem(struct teller *teller, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say_end(teller);
    fputs("pgbackup_exporter: ", stderr);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}
