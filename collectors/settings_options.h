/*
 * settings_options - everything that can be configured, as one tree of option tables.
 */
#ifndef COLLECTORS_SETTINGS_OPTIONS_H
#define COLLECTORS_SETTINGS_OPTIONS_H

#include "exporter/config/option.h"

/* Fills struct settings; its array `collectors` must be there, one element for each collector. */
extern const struct option_table settings_table;

#define SETTINGS_VARIABLE_PREFIX "PGBACKUP_EXPORTER"
#define SETTINGS_DEFAULT_FILE    "/etc/pgbackup_exporter.yml"

/* An example that docs/configuration.md shows. */
extern const char settings_example[];

#endif
