/*
 * problem - gathers everything that is wrong with a configuration, so that all of it is told at
 * once and not one mistake per start.
 */
#ifndef EXPORTER_CONFIG_PROBLEM_H
#define EXPORTER_CONFIG_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* Most problems that are told; the rest is counted. */
#define PROBLEM_MAX 20

/* An all-zero struct holds no problem. */
struct problem_list {
    struct strbuf lines; /* one problem a line, without a final newline */
    size_t count;
};

/* Add one, as a line of its own: control characters from outside are made harmless. */
void problem_add(struct problem_list *list, const char *format, ...) PRINTF(2, 3);

/*
 * True when there is none. Else false and ERR_CONFIG with all of them, one a line; what is past
 * PROBLEM_MAX or does not fit into *err becomes "... and N more".
 */
bool problem_none(const struct problem_list *list, struct err *err) MUST_USE;

void problem_list_done(struct problem_list *list);

#endif
