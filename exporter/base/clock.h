/*
 * clock - the two clocks of the program, and the bound that every wait takes.
 *
 * Durations and deadlines use the monotonic clock, in milliseconds. Times that people or
 * Prometheus see use the wall clock, in seconds since 1970 UTC.
 */
#ifndef EXPORTER_BASE_CLOCK_H
#define EXPORTER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_ms(void);

/* Seconds since 1970-01-01 UTC, in whole milliseconds: what is finer is noise and long to print. */
double clock_wall_seconds(void);

/* How long a wait may take: no wait in the program is without one. */
struct bound {
    int64_t deadline_ms; /* on the monotonic clock */
    int stop_fd;         /* readable when the wait shall end at once; -1 for none */
};

/* A bound that ends `timeout_ms` from now. */
struct bound bound_after(int64_t timeout_ms, int stop_fd);

/* Milliseconds left, never negative, never more than a poll() call takes. */
int bound_remaining_ms(const struct bound *bound);

/* Whether its stop descriptor is readable. Does not block. */
bool bound_stopped(const struct bound *bound);

#endif
