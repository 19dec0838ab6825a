/*
 * pgbackrest_repo - looks into one repository with pgbackrest's own commands: repo-ls and repo-get.
 */
#ifndef COLLECTORS_PGBACKREST_REPO_H
#define COLLECTORS_PGBACKREST_REPO_H

#include <stdbool.h>

#include "collectors/parse/repo_ls.h"
#include "collectors/pgbackrest.h"

/* Everything it points to must outlive it. */
struct repo_reader {
    struct proc_pool *pool;
    const char *program; /* the configuration's pgbackrest.command */
    const struct stanza_repository *repository;
    const struct repository_env *env; /* prepared */
    const char *key;                  /* what a child may get stuck on: see proc.h */
    struct bound bound;
    int64_t time_ms;             /* all that the caller had */
    bool repository_is_at_fault; /* of the last failure: it is refused, or it hung */
};

/*
 * The folder `path` of the repository ("archive/main/15-1"). One that does not exist is empty. On
 * false *err holds what pgbackrest_run() says, or ERR_PROTOCOL. Blocks inside the bound.
 */
bool repo_reader_list(struct repo_reader *reader, const char *path, struct repo_listing *ret,
                      struct err *err) MUST_USE;

/* The content of a file, decrypted; at most 16 MiB. The same errors. *ret must be empty. */
bool repo_reader_get(struct repo_reader *reader, const char *path, struct strbuf *ret,
                     struct err *err) MUST_USE;

#endif
