/*
 * pgbackrest_conf - reads the text of pgbackrest.conf as pgBackRest itself reads it.
 *
 * Pure: it knows sections, keys and values, and not what they mean.
 */
#ifndef COLLECTORS_PARSE_PGBACKREST_CONF_H
#define COLLECTORS_PARSE_PGBACKREST_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/config/lists.h"

/* Longest line, as in pgBackRest; most sections; most options of one section. */
#define PGBACKREST_CONF_LINE_MAX    ((size_t)64 * 1024)
#define PGBACKREST_CONF_SECTION_MAX 4000
#define PGBACKREST_CONF_OPTION_MAX  4000

struct conf_section {
    char *name;               /* "global", "main", "main:backup": as written */
    struct pair_list options; /* in order; a repeated key is a list */
};

/* An all-zero struct is an empty configuration. */
struct pgbackrest_conf {
    struct conf_section *sections; /* in the order of their first appearance */
    size_t count;
};

/*
 * Add a text of `length` bytes to *conf; `file` is its name for messages. Several files are added
 * one after the other, and a section that comes again goes on. ERR_CONFIG names file and line, and
 * never shows a line: it may hold a passphrase. ERR_MEMORY. On false *conf holds what came before
 * the error.
 */
bool pgbackrest_conf_parse(struct pgbackrest_conf *conf, const char *file, const char *text,
                           size_t length, struct err *err) MUST_USE;

/* The options of a section, or NULL. */
const struct pair_list *pgbackrest_conf_section(const struct pgbackrest_conf *conf,
                                                const char *name);

void pgbackrest_conf_done(struct pgbackrest_conf *conf);

#endif
