/*
 * complete_say - tells how far completing is: one line that changes on a terminal, else plain
 * lines.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_SAY_H
#define EXPORTER_COMMANDS_COMPLETE_SAY_H

#include <stdbool.h>

#include "exporter/base/attrs.h"

/* An all-zero struct says plain lines. */
struct teller {
    bool terminal; /* the standard output is one */
    bool shown;    /* a step stands on its last line */
};

/* A step on stdout. On a terminal the next one replaces it. */
void say_step(struct teller *teller, const char *format, ...) PRINTF(2, 3);

/* A line that stays, on stdout. */
void say_line(struct teller *teller, const char *format, ...) PRINTF(2, 3);

/* A line on stderr about what could not be done. */
void say_problem(struct teller *teller, const char *format, ...) PRINTF(2, 3);

/* Wipe the step that stands there. */
void say_end(struct teller *teller);

#endif
