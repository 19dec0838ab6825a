/*
 * connections - ends those whose exchange takes too long.
 *
 * An idle timeout alone is reset by every byte, so a client that drips one byte a second would keep
 * its place for ever. Here each connection has a limit for a whole exchange: the wait for a
 * request, the request, and its answer. While the house is crowded the limit is short.
 */
#ifndef EXPORTER_WEB_CONNECTIONS_H
#define EXPORTER_WEB_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

struct connections;
struct connection;

struct connection_limits {
    int64_t exchange_ms;         /* longest exchange */
    int64_t crowded_exchange_ms; /* longest exchange while crowded */
    size_t crowded;              /* from this many connections on */
};

/* Start watching, in a thread of its own that sleeps while nobody can be too slow yet. ERR_SYSTEM,
 * ERR_MEMORY. */
bool connections_start(const struct connection_limits *limits, struct connections **ret,
                       struct err *err) MUST_USE;

/* Stop watching and free; every connection must have been removed. Takes NULL. */
void connections_stop(struct connections *connections);

/*
 * Watch a connected socket from now on. It must be removed before it is closed: until then it may
 * be shut down at any moment, which its owner sees as the end of the stream. NULL: no memory, it
 * is not watched. All three from any thread; none blocks.
 */
struct connection *connections_add(struct connections *connections, int fd);

/* An exchange is over, the next begins. Takes NULL. */
void connections_renew(struct connections *connections, struct connection *connection);

/* Forget it. Takes NULL. */
void connections_remove(struct connections *connections, struct connection *connection);

#endif
