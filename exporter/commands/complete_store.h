/*
 * complete_store - one repository, as completing reads and writes it.
 *
 * Everything is done by pgbackrest, in an environment that knows this repository alone. What lies
 * in it is known by listing; a folder is listed when it is first asked for.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_STORE_H
#define EXPORTER_COMMANDS_COMPLETE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/parse/info.h"
#include "collectors/pgbackrest.h"
#include "collectors/stored_wal.h"
#include "exporter/commands/complete_pg_wal.h"

/* Of the whole work. Everything it points to outlives every store. */
struct store_world {
    struct proc_pool *pool;
    const char *program;
    struct wal_cluster cluster;
    struct bound bound;
};

/* Start from an all-zero struct; released by store_done(). */
struct store {
    const struct store_world *world;
    const struct stanza_repository *repository;
    bool is_target; /* to be completed; another one never takes all of the time */
    bool hangs;     /* it did not answer in time: not worth asking again */
    struct repository_env env;
    struct info *info;
    const struct info_stanza *stanza;
    const struct info_database *database; /* that of the cluster */
    char *archive;                        /* its folder: "archive/main/15-1" */
    struct wal_archive wal;
    struct text_list histories; /* names of the history files in it, once listed */
    bool histories_listed;
};

/*
 * Read the catalogue of the repository and find the cluster in it. ERR_CONFIG: the repository's
 * newest database is another cluster (the text has both system ids), or it has none of the
 * cluster; else what pgbackrest_run() says, or what the catalogue says of the repository. Of
 * the target only the newest database will do: archive-push knows no other.
 */
bool store_open(const struct store_world *world, const struct stanza_repository *repository,
                bool is_target, struct store *store, struct err *err) MUST_USE;
void store_done(struct store *store);

/* Labels of the backups that carry their WAL. */
bool store_archive_copies(const struct store *store, struct text_list *ret,
                          struct err *err) MUST_USE;

/* What the repository holds of a segment. */
bool store_state(struct store *store, const struct wal_segment *segment, enum wal_state *ret,
                 struct err *err) MUST_USE;

/* List the names of its history files, once. */
bool store_list_histories(struct store *store, struct err *err) MUST_USE;

/* Forget what was listed, so that it is listed again. */
void store_forget(struct store *store);

/* Get a segment, decompressed and decrypted, into a new file. */
bool store_get(struct store *store, const char *name, const char *to, struct err *err) MUST_USE;

/* Get the text of a history file. *ret must be empty. */
bool store_get_history(const struct store *store, const char *name, struct strbuf *ret,
                       struct err *err) MUST_USE;

/*
 * Push a file that has the name it shall be stored under. *ret_differs, written on failure too: the
 * repository has other content under that name. Success means only that pgbackrest said so.
 */
bool store_push(const struct store *store, const char *file, bool *ret_differs,
                struct err *err) MUST_USE;

#endif
