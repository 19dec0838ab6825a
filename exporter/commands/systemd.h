/*
 * systemd - what systemd hands over to a service and is told by it: sd_listen_fds(3), sd_notify(3),
 * sd_watchdog_enabled(3). Where there is no systemd nothing is handed over and nobody is told.
 *
 * All of it belongs to the main thread.
 */
#ifndef EXPORTER_COMMANDS_SYSTEMD_H
#define EXPORTER_COMMANDS_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/*
 * The listening sockets of our .socket unit (TCP or unix), non-blocking and closed on exec; the
 * caller closes them and frees the list. They can be taken once. ERR_CONFIG: there is none, or one
 * is no listening stream socket (Accept=yes makes such); the text names it.
 */
bool systemd_take_sockets(int **ret, size_t *ret_count, struct err *err) MUST_USE;

/* Whether somebody listens to what is told. */
bool systemd_is_told(void);

/* The start is over, or a reload is. */
void systemd_ready(void);

void systemd_reloading(void);
void systemd_stopping(void);

/*
 * For people, in `systemctl status`. Control characters become blanks, and what is not UTF-8
 * becomes U+FFFD: systemd would drop such a status and go on showing the one before.
 */
void systemd_status(const char *text);

/* Within how many milliseconds systemd_feed() has to be called again and again; 0: it has not. */
int64_t systemd_watchdog_ms(void);

void systemd_feed(void);

#endif
