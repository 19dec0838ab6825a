/*
 * discover - completes the settings with what pgBackRest's own configuration says: stanzas, their
 * options, their repositories, and how to reach their PostgreSQL.
 *
 * It reads local configuration files only, never a repository.
 */
#ifndef COLLECTORS_DISCOVER_H
#define COLLECTORS_DISCOVER_H

#include <stdbool.h>

#include "collectors/parse/pgbackrest_conf.h"
#include "collectors/settings.h"
#include "exporter/base/err.h"

/* Where pgBackRest keeps a repository unless it is told (option repo-path). */
#define DISCOVER_REPOSITORY_PATH "/var/lib/pgbackrest"

/*
 * Read settings->pgbackrest.config and the *.conf files of the conf.d beside it, in the order of
 * their names, into *conf (all-zero). Without a configured file it is found as pgBackRest finds
 * it: ETC/pgbackrest/pgbackrest.conf, else ETC/pgbackrest.conf, and ETC/pgbackrest/conf.d with
 * both; settings->pgbackrest.config then gets the one that is there. Every file and folder that
 * was looked for is added to settings->files. A configured file that is missing is ERR_CONFIG;
 * missing defaults are not. Else ERR_CONFIG (file:line), ERR_PERMISSION, ERR_SYSTEM, ERR_MEMORY.
 */
bool discover_read(struct settings *settings, const char *etc, struct pgbackrest_conf *conf,
                   struct err *err) MUST_USE;

/*
 * Fill settings->stanzas from settings and conf. Of the sections of commands those of `command`
 * count: [global:info] and [STANZA:info] for "info", which the exporter itself runs. No stanza at
 * all is no error. ERR_MEMORY only. Pure.
 */
bool discover_stanzas(struct settings *settings, const struct pgbackrest_conf *conf,
                      const char *command, struct err *err) MUST_USE;

/*
 * The value of a stanza's option that belongs to no repository, as one of pgBackRest's commands
 * reads its configuration ("archive-push" with [global:archive-push]); NULL when it is not given.
 * The first one of a list. Owned by the settings. Pure.
 */
const char *discover_option(const struct settings *settings, const char *stanza,
                            const char *command, const char *option);

void discover_stanzas_free(struct settings *settings);

#endif
