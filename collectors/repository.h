/*
 * repository - the one definition of a repository, as pgbackrest takes it: environment variables.
 *
 * Every call concerns one stanza and one repository and runs with --no-config; all options travel
 * as PGBACKREST_* variables, the secrets among them, and never on argv.
 */
#ifndef COLLECTORS_REPOSITORY_H
#define COLLECTORS_REPOSITORY_H

#include <stdbool.h>

#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* A NULL-ended environment, made anew for each call: credentials may have been rotated. */
struct repository_env {
    char **items;
    size_t count;
    struct text_list secrets; /* values that must never be shown (keys, passphrases, tokens) */
};

/*
 * The environment for one repository: its own options, every non-repository option of its stanza,
 * its credentials read now, fixed PATH, LC_ALL=C.UTF-8 and nothing else. A repository without a
 * lock-path of its own gets pgBackRest's default by saying nothing. ERR_CONFIG: credentials file
 * missing, unreadable, malformed or without a mapped name; the text names file and line, never a
 * value. Reads a local file. Released by repository_env_done().
 */
bool repository_env(const struct stanza_repository *repository, struct repository_env *ret,
                    struct err *err) MUST_USE;
void repository_env_done(struct repository_env *env); /* overwrites the secrets */

/* Append text with each secret replaced by "***": for messages that pgbackrest echoes keys in. */
void repository_redact(const struct repository_env *env, const char *text, struct strbuf *out);

#endif
