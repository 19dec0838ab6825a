/*
 * flags - takes options from the command line and from the environment.
 *
 * A row's flag is its path ("--web.telemetry-path=/m" or with the value as next argument, for a
 * boolean "--collector.wal" and "--no-collector.wal"); its variable is a prefix and the path in
 * capitals, '.' and '-' as '_'. A list is a repeated flag, or one variable with commas.
 */
#ifndef EXPORTER_CONFIG_FLAGS_H
#define EXPORTER_CONFIG_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/config/option.h"
#include "exporter/config/problem.h"

/* One value that was given. */
struct flag_value {
    const struct option *option;
    void *field;
    char *origin; /* the flag or the variable */
    char *text;
    bool from_environment;
};

struct flags {
    const struct option_table *table;
    void *base;         /* the struct that the table fills */
    const char *prefix; /* of variables: "PGBACKUP_EXPORTER" */
    struct problem_list *problems;

    struct flag_value *values; /* filled by the functions below */
    size_t count;
};

/*
 * Gather the variables that are set. A variable with the prefix that belongs to no row is not ours
 * to complain about: container platforms invent such names (PREFIX_PORT). false: ERR_MEMORY.
 */
bool flags_read_environment(struct flags *flags, struct err *err) MUST_USE;

/*
 * Gather argv[1..) up to the first argument that is no flag, or past "--"; its index goes to
 * *ret_rest (argc when there is none). Unknown flags and missing values go to flags->problems.
 * false: ERR_MEMORY.
 */
bool flags_read_arguments(struct flags *flags, int argc, char *const argv[], int *ret_rest,
                          struct err *err) MUST_USE;

/*
 * Set the gathered values, in their order: flags read last win. A list replaces what its field
 * holds. Wrong values go to flags->problems. It may be called again, to win over a file that was
 * read in between. false: ERR_MEMORY.
 */
bool flags_apply(const struct flags *flags, struct err *err) MUST_USE;

/* Append the variable of a path: "PGBACKUP_EXPORTER_WEB_LISTEN_ADDRESS". */
void flags_variable_name(const char *prefix, const char *path, struct strbuf *out);

/* Whether --no-NAME exists beside --NAME. */
bool flags_negatable(const struct option *option);

void flags_done(struct flags *flags);

#endif
