/*
 * probe - does in a child process what may hang for ever in the kernel or in libc.
 *
 * The child is this same program (/proc/self/exe --probe OPERATION ARGUMENT), in /, with a fresh
 * signal mask and no descriptors but 0 to 2. It answers with a fixed-size binary struct on its
 * output, so that a half-written answer is told from a whole one.
 */
#ifndef EXPORTER_SOURCES_PROBE_H
#define EXPORTER_SOURCES_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "exporter/sources/proc.h"

/* Most addresses one name resolves to here; further ones are left out. */
#define PROBE_ADDRESS_MAX 16

struct probe_addresses {
    size_t count;
    char text[PROBE_ADDRESS_MAX][INET6_ADDRSTRLEN + 16]; /* numeric, with %scope if it has one */
};

/*
 * The addresses of a host name, in the resolver's order (getaddrinfo in the child).
 * Errors: ERR_DNS (unknown name, or no answer within the bound: its text says which), and those of
 * proc_run(). Blocks for at most the bound's rest + 1 s.
 */
bool probe_resolve(struct proc_pool *pool, const char *host, const struct bound *bound,
                   struct probe_addresses *ret, struct err *err) MUST_USE;

/* One question to the child, for the other parts of the probe (probe_file.c). */
struct probe_question {
    const char *operation;
    const char *argument;
    const char *key; /* as in struct proc_spec */
    void *answer;    /* written only when the whole answer came */
    size_t size;
};

/* Ask it. ERR_PROTOCOL when the answer is no answer, and those of proc_run(); blocks as it does. */
bool probe_ask(struct proc_pool *pool, const struct probe_question *question,
               const struct bound *bound, struct err *err) MUST_USE;

/* The child's side: `--probe` was argv[1]. Runs the operation and returns the exit status. */
int probe_main(int argc, char *const argv[]);

#endif
