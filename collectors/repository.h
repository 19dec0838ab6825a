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
    struct text_list secrets; /* what must never be shown: keys, passphrases, tokens, also in the
                                 form in which an object store echoes them */
    bool world_readable;      /* every user of this host may read the credentials file */
};

/*
 * The environment for one repository: its own options, every non-repository option of its stanza,
 * its credentials read now, fixed PATH, LC_ALL=C.UTF-8 and nothing else. An option that is given
 * several times is a list; pgBackRest wants its values in one variable with ':' between them. A
 * repository without a lock-path of its own gets pgBackRest's default by saying nothing.
 *
 * The credentials file must be a regular one of at most 64 KiB; a path that begins with
 * $CREDENTIALS_DIRECTORY/ is looked up where systemd put it. ERR_CONFIG: it is missing, unreadable,
 * malformed or without a mapped name; the text names file and line, never a value. ERR_MEMORY.
 * Reads a local file. *ret is written on success only and released by repository_env_done().
 */
bool repository_env(const struct stanza_repository *repository, struct repository_env *ret,
                    struct err *err) MUST_USE;
void repository_env_done(struct repository_env *env); /* overwrites the values */

/*
 * The same in two steps, for a command on several repositories of one stanza: first all that
 * belongs to none, then each repository's own. The same errors; *env is the caller's after any.
 */
bool repository_env_begin(const struct stanza *stanza, struct repository_env *ret,
                          struct err *err) MUST_USE;
bool repository_env_add(struct repository_env *env, const struct stanza_repository *repository,
                        struct err *err) MUST_USE;

/* Pass a variable of our own environment on, if it is there. ERR_MEMORY. */
bool repository_env_pass(struct repository_env *env, const char *name, struct err *err) MUST_USE;

/* Give one more option by pgBackRest's own name ("io-timeout"), in place of what it was. */
bool repository_env_set(struct repository_env *env, const char *option, const char *value,
                        struct err *err) MUST_USE;

/* The same, unless the environment has the option already. */
bool repository_env_default(struct repository_env *env, const char *option, const char *value,
                            struct err *err) MUST_USE;

/* Take an option away, if the environment has it. */
void repository_env_unset(struct repository_env *env, const char *option);

/* The value of an option by pgBackRest's own name, owned by the environment; NULL: not given. */
const char *repository_env_get(const struct repository_env *env, const char *option);

/* Append text with each secret replaced by "***": for messages that pgbackrest echoes keys in. */
void repository_redact(const struct repository_env *env, const char *text, struct strbuf *out);

/* One more text that must never be shown. ERR_MEMORY. */
bool repository_env_hide(struct repository_env *env, const char *value, struct err *err) MUST_USE;

/*
 * Read a regular file of at most 64 KiB that may hold secrets; what is longer is cut there. The
 * caller overwrites *ret, which must be empty. *ret_exposed: every user of this host may read it.
 * ERR_CONFIG tells what is wrong with the file without naming it; ERR_SYSTEM what is wrong with
 * this host; ERR_MEMORY. Never waits for a FIFO or a device.
 */
bool repository_read_file(const char *path, struct strbuf *ret, bool *ret_exposed,
                          struct err *err) MUST_USE;

/*
 * Append the command line that a person pastes to run a pgBackRest command ("info", "--type=full
 * backup") on the repository: pgbackrest's own where pgbackrest.conf names it, else by `run`.
 */
void repository_add_command(const struct stanza_repository *repository, const char *command,
                            struct strbuf *out);

/* The same for a command of this program's own ("drill", "complete-wal"). */
void repository_add_own_command(const struct stanza_repository *repository, const char *command,
                                struct strbuf *out);

/* Append what tells pgbackrest of the stanza: " --stanza=main", and its configuration before. */
void repository_add_stanza(const struct stanza *stanza, struct strbuf *out);

/* Append the variable of an option: "repo2-s3-key" is PGBACKREST_REPO2_S3_KEY. */
void repository_variable_name(struct strbuf *out, const char *option);

/* Whether archive_command pushes every segment there: as configured, else when pgbackrest.conf, by
 * which it runs, names the repository. */
bool repository_has_continuous_wal(const struct stanza_repository *repository);

/* Whether the value of an option ("s3-key-secret", "cipher-pass") must never be shown. */
bool repository_option_is_secret(const char *option);

#endif
