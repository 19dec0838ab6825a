/*
 * pg_endpoint - the single addresses that host, hostaddr and port of a connection stand for.
 *
 * libpq takes lists ("host=a,b"), and a name may have several addresses. Each endpoint is one
 * address, so that each can be tried with its own share of the time; the order is libpq's.
 */
#ifndef EXPORTER_SOURCES_PG_ENDPOINT_H
#define EXPORTER_SOURCES_PG_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/sources/probe.h"

/* Values of libpq's options of these names; NULL or "" for those not given. */
struct pg_address {
    const char *host;
    const char *hostaddr;
    const char *port;
};

struct pg_endpoint {
    char *host; /* as configured: certificates and password files are looked up by it */
    char *hostaddr;
    char *port;
};

struct pg_endpoints {
    struct pg_endpoint *items;
    size_t count;
};

struct pg_resolver {
    bool (*resolve)(void *context, const char *host, struct probe_addresses *ret, struct err *err);
    void *context;
};

/*
 * Only host names are resolved: not socket directories, numeric addresses, nor hosts that have a
 * hostaddr. A name of a list that cannot be resolved is passed over while others are left; its
 * error is given when none is. Lists of unlike length become one endpoint as they stand, for libpq
 * to complain about. ERR_CONFIG for an empty host in a list,
 * ERR_MEMORY, and the resolver's. Released by pg_endpoints_done().
 */
bool pg_endpoints_expand(const struct pg_address *address, const struct pg_resolver *resolver,
                         struct pg_endpoints *ret, struct err *err) MUST_USE;
void pg_endpoints_done(struct pg_endpoints *endpoints);

#endif
