/*
 * registry - all collectors, from list.def.
 */
#ifndef COLLECTORS_REGISTRY_H
#define COLLECTORS_REGISTRY_H

#include <stddef.h>

#include "exporter/schedule/collector.h"

/* Ended by NULL. */
extern const struct collector *const collector_registry[];

/* How many there are. */
size_t collector_count(void);

#endif
