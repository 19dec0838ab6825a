/*
 * yaml - fills a struct from a YAML file by an option table.
 *
 * Everything that is wrong with the file is told, each with its line, column and key. Anchors and
 * aliases, merge keys and a second document are refused: a configuration is read by people first.
 */
#ifndef EXPORTER_CONFIG_YAML_H
#define EXPORTER_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/config/option.h"
#include "exporter/config/problem.h"

/* Most keys of one section and most elements of one list. */
#define YAML_ITEMS_MAX 1000

/* Where a value stands, by its path ("repositories[1].key"). */
struct yaml_mark {
    char *path;
    int line, column; /* from 1 */
};

struct yaml_file {
    const char *name; /* for messages */
    const char *text;
    size_t length;
    struct problem_list *problems;

    struct yaml_mark *marks; /* filled by yaml_load() */
    size_t mark_count;
};

/*
 * Walk the file's text and set the options it names in the struct at base, which holds its defaults
 * already. What is wrong goes to file->problems; what is right is set all the same. A list replaces
 * its default. An array of OPTION_SECTIONS is not NULL when the file named it, even as []. false
 * only for ERR_MEMORY. Pure.
 */
bool yaml_load(struct yaml_file *file, const struct option_table *table, void *base,
               struct err *err) MUST_USE;

/* Add a problem found later with the value at path: "FILE:12:5: PATH: text". */
void yaml_problem(const struct yaml_file *file, const char *path, const char *format, ...)
    PRINTF(3, 4);

void yaml_file_done(struct yaml_file *file);

#endif
