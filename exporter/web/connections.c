#include "exporter/web/connections.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/base/clock.h"

#define LOOK_EVERY_MS 1000
#define STACK_SIZE    ((size_t)256 * 1024)

struct connection {
    LIST_ENTRY(connection) link;
    int fd;
    int64_t since_ms; /* monotonic: when its exchange began */
};

LIST_HEAD(connection_list, connection);

struct connections {
    struct connection_limits limits;
    int stop_fd; /* an eventfd */
    pthread_t thread;
    pthread_mutex_t lock; /* guards all, count and the connections in the list */
    struct connection_list all;
    size_t count;
};

/* shutdown() under the lock: outside it the number could already belong to another socket. */
static void end_the_slow(struct connections *connections, int64_t now_ms)
{
    const struct connection_limits *limits = &connections->limits;
    struct connection *connection;

    pthread_mutex_lock(&connections->lock);
    bool crowded = connections->count >= limits->crowded;
    int64_t limit_ms = crowded ? limits->crowded_exchange_ms : limits->exchange_ms;
    LIST_FOREACH(connection, &connections->all, link)
    {
        if (now_ms - connection->since_ms >= limit_ms)
            shutdown(connection->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&connections->lock);
}

static void *watch(void *context)
{
    struct connections *connections = context;
    struct pollfd stop = {.fd = connections->stop_fd, .events = POLLIN};
    while (poll(&stop, 1, LOOK_EVERY_MS) <= 0)
        end_the_slow(connections, clock_monotonic_ms());
    return NULL;
}

static int start_thread(struct connections *connections)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    error = pthread_create(&connections->thread, &attributes, watch, connections);
    pthread_attr_destroy(&attributes);
    return error;
}

static void release(struct connections *connections)
{
    pthread_mutex_destroy(&connections->lock);
    if (connections->stop_fd >= 0)
        close(connections->stop_fd);
    free(connections);
}

bool connections_start(const struct connection_limits *limits, struct connections **ret,
                       struct err *err)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (!connections)
        return err_memory(err);
    connections->limits = *limits;
    pthread_mutex_init(&connections->lock, NULL);
    connections->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = connections->stop_fd < 0 ? errno : start_thread(connections);
    if (error) {
        release(connections);
        return err_system(err, error, "cannot watch web connections");
    }
    *ret = connections;
    return true;
}

void connections_stop(struct connections *connections)
{
    if (!connections)
        return;
    eventfd_write(connections->stop_fd, 1);
    pthread_join(connections->thread, NULL);
    release(connections);
}

struct connection *connections_add(struct connections *connections, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->fd = fd;
    connection->since_ms = clock_monotonic_ms();
    pthread_mutex_lock(&connections->lock);
    LIST_INSERT_HEAD(&connections->all, connection, link);
    connections->count++;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_renew(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&connections->lock);
    connection->since_ms = now_ms;
    pthread_mutex_unlock(&connections->lock);
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    LIST_REMOVE(connection, link);
    connections->count--;
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}
