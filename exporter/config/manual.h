/*
 * manual - writes --help and the configuration's documentation from the option tables.
 */
#ifndef EXPORTER_CONFIG_MANUAL_H
#define EXPORTER_CONFIG_MANUAL_H

#include "exporter/base/strbuf.h"
#include "exporter/config/option.h"

/* One paragraph for each flag: name, help, default, variable. */
void manual_flags(const struct option_table *table, const char *prefix, struct strbuf *out);

/* The flags as a Markdown table. */
void manual_flag_table(const struct option_table *table, const char *prefix, struct strbuf *out);

/* The keys of the file as Markdown: one table for each section, headed by its path. */
void manual_file_tables(const struct option_table *table, struct strbuf *out);

#endif
