/*
 * fake_collector - a collector for tests whose behaviour a test sets and whose calls it can count.
 */
#ifndef TESTS_UNIT_FAKE_COLLECTOR_H
#define TESTS_UNIT_FAKE_COLLECTOR_H

#include <stdatomic.h>

#include "exporter/schedule/collector.h"

enum { FAKE_UP, FAKE_STATE, FAKE_FACT, FAKE_METRIC_COUNT };
enum fake_behaviour { FAKE_WORKS, FAKE_IS_DOWN, FAKE_FAILS, FAKE_HANGS, FAKE_CANNOT_OPEN };

struct fake_control {
    _Atomic(enum fake_behaviour) behaviour;
    atomic_int opened, collected, closed;
    atomic_int wanted;    /* collections that the combining one wants before its word counts */
    _Atomic double value; /* of the state and fact samples */
};

extern struct fake_control fake_control;

/* Interval 50 ms, deadline 100 ms; combining: adds the number of inputs as its state. */
extern const struct collector fake_collector;
extern const struct collector fake_combining_collector;

/* A list with one target of that name. */
struct target_list fake_targets(const char *name, const char *fingerprint);

#endif
