#include "exporter/commands/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

#define TAKE_ONCE 1 /* for sd_listen_fds(): forget them, so that no child of ours sees them */

static void free_names(char ***names)
{
    for (char **name = *names; name && *name; name++)
        free(*name);
    free(*names);
}

/* Blocking would let one client that leaves at once stop a thread in accept(). */
static bool make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool check_socket(int fd, const char *name, struct err *err)
{
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return err_set(err, ERR_CONFIG,
                       "what systemd handed over as \"%s\" is no listening stream socket: "
                       "a ListenStream= with Accept=no is needed",
                       name);
    return make_nonblocking(fd) || err_system(err, errno, "cannot use systemd's socket %s", name);
}

bool systemd_take_sockets(int **ret, size_t *ret_count, struct err *err)
{
    char **names CLEANUP(free_names) = NULL;
    int count = sd_listen_fds_with_names(TAKE_ONCE, &names);
    if (count <= 0)
        return err_set(err, ERR_CONFIG,
                       "systemd handed no socket over: --web.systemd-socket needs a .socket unit, "
                       "and to be started by it");
    int *sockets = calloc((size_t)count, sizeof *sockets);
    if (!sockets)
        return err_memory(err);
    for (int i = 0; i < count; i++) {
        sockets[i] = SD_LISTEN_FDS_START + i;
        if (!check_socket(sockets[i], names[i], err)) {
            free(sockets);
            return false;
        }
    }
    *ret = sockets;
    *ret_count = (size_t)count;
    return true;
}

bool systemd_is_told(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

void systemd_ready(void)
{
    sd_notify(false, "READY=1");
}

/* The time lets systemd tell this reload from an earlier one (Type=notify-reload). */
void systemd_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void systemd_stopping(void)
{
    sd_notify(false, "STOPPING=1");
}

void systemd_status(const char *text)
{
    struct strbuf line CLEANUP(strbuf_done) = {0};
    struct strbuf sound CLEANUP(strbuf_done) = {0};
    strbuf_puts(&line, text);
    for (size_t i = 0; i < line.length; i++) {
        if ((unsigned char)line.data[i] < ' ') /* a new line would begin another message */
            line.data[i] = ' ';
    }
    utf8_repair_printable(&sound, strbuf_text(&line), line.length);
    if (!line.failed && !sound.failed)
        sd_notifyf(false, "STATUS=%s", strbuf_text(&sound));
}

int64_t systemd_watchdog_ms(void)
{
    uint64_t limit_us = 0;
    return sd_watchdog_enabled(false, &limit_us) > 0 ? (int64_t)(limit_us / 1000) : 0;
}

void systemd_feed(void)
{
    sd_notify(false, "WATCHDOG=1");
}
