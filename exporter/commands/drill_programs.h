/*
 * drill_programs - where on this host PostgreSQL of a backup's major version is.
 */
#ifndef EXPORTER_COMMANDS_DRILL_PROGRAMS_H
#define EXPORTER_COMMANDS_DRILL_PROGRAMS_H

#include <stdbool.h>

#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/sources/proc.h"

/* Where to look. Nothing is owned. */
struct drill_host {
    struct proc_pool *pool;
    const char *root; /* put before every folder: "" but in tests */
    const char *user; /* whose profile of Nix counts, too */
    const char *home;
};

/*
 * The folder with the programs of a major version ("15"): `given`, else the first one of where
 * Debian, PGDG and Nix put them whose `postgres --version` says so. ERR_CONFIG lists where it was
 * looked for, or says that those given are of another version. Blocks inside the bound, for 10 s
 * at most for each folder that has a postgres. The caller frees *ret.
 */
bool drill_programs_find(const struct drill_host *host, const char *version, const char *given,
                         const struct bound *bound, char **ret, struct err *err) MUST_USE;

#endif
