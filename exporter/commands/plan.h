/*
 * plan - which collectors watch which targets, by the settings.
 */
#ifndef EXPORTER_COMMANDS_PLAN_H
#define EXPORTER_COMMANDS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/schedule/poller.h"

/*
 * One plan per enabled collector of the registry, in its order, with intervals and timeouts
 * filled in. The list is freed by plan_free(); poller_apply() empties its target lists.
 */
bool plan_make(const struct settings *settings, struct poller_plan **ret, size_t *ret_count,
               struct err *err) MUST_USE;
void plan_free(struct poller_plan *plans, size_t count);

#endif
