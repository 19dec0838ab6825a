/*
 * listen - listening TCP sockets from addresses as the operator writes them.
 *
 * Only numeric addresses and "localhost" are taken: a start must not hang on a name server.
 */
#ifndef EXPORTER_WEB_LISTEN_H
#define EXPORTER_WEB_LISTEN_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/*
 * A listening socket, non-blocking and closed on exec; the caller closes it. Forms: ":PORT" (every
 * address, IPv6 and IPv4, or IPv4 alone where the machine has no IPv6), "IPV4:PORT",
 * "[IPV6]:PORT", "localhost:PORT" (127.0.0.1). Port 0: one that is free. ERR_CONFIG for any
 * other text, ERR_SYSTEM when it cannot be had: both name the address. Does not block.
 */
bool listen_open(const char *address, int *ret, struct err *err) MUST_USE;

/* The port a socket is bound to; 0 when it is bound to none. */
unsigned listen_port(int fd);

#endif
