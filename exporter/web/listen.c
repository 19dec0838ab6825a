#include "exporter/web/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_MAX 65535

/* What the kernel keeps for us while both threads are busy; it cuts to net.core.somaxconn. */
#define BACKLOG 1024

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void free_text(char **text)
{
    free(*text);
}

static bool parse_port(const char *text, in_port_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false; /* strtoul would take blanks and signs */
    unsigned long port = strtoul(text, &end, 10);
    if (*end || port > PORT_MAX)
        return false;
    *ret = htons((in_port_t)port);
    return true;
}

static bool parse_ipv4(const char *host, in_port_t port, union address *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, numeric, &v4.sin_addr) != 1)
        return false;
    ret->v4 = v4;
    return true;
}

/* host is "[...]", or empty for every address. */
static bool parse_ipv6(char *host, in_port_t port, union address *ret)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    size_t length = strlen(host);
    if (length > 0) {
        if (host[length - 1] != ']')
            return false;
        host[length - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
            return false;
    }
    ret->v6 = v6;
    return true;
}

static bool parse(char *host, union address *ret)
{
    in_port_t port;
    char *colon = strrchr(host, ':');
    if (!colon || !parse_port(colon + 1, &port))
        return false;
    *colon = '\0';
    if (*host == '\0' || *host == '[')
        return parse_ipv6(host, port, ret);
    return parse_ipv4(host, port, ret);
}

/* One try. Returns the socket, or -1 with errno. */
static int try_open(const union address *address)
{
    int fd CLEANUP(close_fd) =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    int off = 0;
    bool v6 = address->any.sa_family == AF_INET6;
    bool every = v6 && IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
    socklen_t size = v6 ? sizeof address->v6 : sizeof address->v4;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (every && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
        bind(fd, &address->any, size) != 0 || listen(fd, BACKLOG) != 0)
        return -1;
    int ready = fd;
    fd = -1;
    return ready;
}

static bool machine_lacks_ipv6(int error_number)
{
    return error_number == EAFNOSUPPORT || error_number == EADDRNOTAVAIL;
}

bool listen_open(const char *address, int *ret, struct err *err)
{
    union address where;
    char *host CLEANUP(free_text) = strdup(address);
    if (!host)
        return err_memory(err);
    if (!parse(host, &where))
        return err_set(err, ERR_CONFIG,
                       "listen address \"%s\" is none of \":PORT\", \"IPV4:PORT\", "
                       "\"[IPV6]:PORT\", \"localhost:PORT\"",
                       address);

    int fd = try_open(&where);
    if (fd < 0 && *address == ':' && machine_lacks_ipv6(errno)) {
        where.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = where.v6.sin6_port};
        fd = try_open(&where);
    }
    if (fd < 0)
        return err_system(err, errno, "cannot listen on %s", address);
    *ret = fd;
    return true;
}

unsigned listen_port(int fd)
{
    union address bound = {0};
    socklen_t size = sizeof bound;
    if (getsockname(fd, &bound.any, &size) != 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}
