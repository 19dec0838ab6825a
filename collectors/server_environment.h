/*
 * server_environment - the environment in which the running server starts its archive_command.
 */
#ifndef COLLECTORS_SERVER_ENVIRONMENT_H
#define COLLECTORS_SERVER_ENVIRONMENT_H

#include <sys/types.h>

#include "collectors/repository.h"

/* Start from an all-zero struct; release with server_environment_done(). */
struct server_environment {
    struct text_list variables;   /* "PGBACKREST_...=value" only; the values may be secrets */
    struct repository_env hidden; /* its secrets are what repository_redact() must hide */
    char *path;                   /* the server's PATH; NULL when it is not known */
};

/*
 * The environment with which the postmaster was started: archive_command's own comes from it.
 * server is who listens on our connection's socket, backend the process that serves us there; only
 * when that is a child of server, both are processes of this host, and server is no pooler.
 * ERR_CONFIG: they are not, or it cannot be read (proc(5): by the server's own user only).
 * ERR_SYSTEM, ERR_MEMORY. Reads two files of /proc.
 */
bool server_environment_of_process(pid_t server, pid_t backend, struct server_environment *ret,
                                   struct err *err) MUST_USE;

/* The same from a file of KEY=VALUE lines (see parse/credentials.h). ERR_CONFIG names it. */
bool server_environment_of_file(const char *file, struct server_environment *ret,
                                struct err *err) MUST_USE;

/*
 * Whether we may read what the server may: it is a process of this host and of our own user, or we
 * are root. Not known, so false, when the connection's socket does not tell its process (0).
 */
bool server_is_our_user(pid_t server);

/* The value of a variable ("PGBACKREST_CONFIG"), or NULL. Owned by the environment. */
const char *server_environment_get(const struct server_environment *environment, const char *name);

void server_environment_done(struct server_environment *environment); /* overwrites the values */

#endif
