/*
 * private_postgres - a PostgreSQL server of the test's own, on a socket in a folder of its own.
 *
 * The cluster is made once per test program and copied for each server. A server dies with the
 * process that started it, and its folder is removed when the test program ends.
 */
#ifndef TESTS_UNIT_PRIVATE_POSTGRES_H
#define TESTS_UNIT_PRIVATE_POSTGRES_H

#include <sys/types.h>

#include "exporter/sources/pg.h"

struct private_postgres {
    char *folder;   /* socket folder; data/ is in it */
    char *conninfo; /* as the superuser */
    pid_t pid;      /* the postmaster's; the leader of its group */
};

/* Size of the cluster's WAL segments. */
#define PRIVATE_POSTGRES_SEGMENT (1024 * 1024)

/* Start a server with these further settings ("archive_mode=on"; NULL-ended) and wait for it. */
void private_postgres_start(struct private_postgres *server, const char *const *settings);

/* End it at once, backends too. */
void private_postgres_stop(struct private_postgres *server);

/* End it in order (a "fast" shutdown), so that it keeps its statistics. */
void private_postgres_stop_in_order(struct private_postgres *server);

/* Start it again on the same data after either stop. */
void private_postgres_restart(struct private_postgres *server, const char *const *settings);

/* Make it a standby of nobody, with its next start. */
void private_postgres_make_standby(const struct private_postgres *server);

/* Stop it and free the struct's texts. */
void private_postgres_done(struct private_postgres *server);

/* Send a signal to the postmaster and all its children. */
void private_postgres_signal(const struct private_postgres *server, int signal);

/* Run a statement that may write, as the superuser; the test fails when it does. */
void private_postgres_run(const struct private_postgres *server, const char *statement);

/* The first value of its answer, owned by the caller. */
char *private_postgres_ask(const struct private_postgres *server, const char *statement);

/* Repeat a question until its first value is `wanted`; the test fails after 10 s. */
void private_postgres_await(const struct private_postgres *server, const char *statement,
                            const char *wanted);

#endif
