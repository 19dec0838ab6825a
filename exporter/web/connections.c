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

#define LEAST_BETWEEN_LOOKS_MS 200 /* so that a crowd of slow clients is not ended one by one */
#define FOREVER_MS             (-1)
#define STACK_SIZE             ((size_t)256 * 1024)

struct connection {
    LIST_ENTRY(connection) link;
    int fd;
    int64_t since_ms; /* monotonic: when its exchange began */
};

LIST_HEAD(connection_list, connection);

struct connections {
    struct connection_limits limits;
    int wake_fd; /* an eventfd: look again, the times have changed */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest, and the connections in the list */
    struct connection_list all;
    size_t count;
    bool sleeps; /* until it is woken: there was nobody to watch */
    bool stops;
};

static int64_t limit_ms(const struct connections *connections)
{
    const struct connection_limits *limits = &connections->limits;
    return connections->count >= limits->crowded ? limits->crowded_exchange_ms
                                                 : limits->exchange_ms;
}

/*
 * End those beyond the limit; returns how long nobody else can be, FOREVER_MS without any. With
 * the lock held: outside it the number could already belong to another socket.
 */
static int64_t end_the_slow(struct connections *connections, int64_t now_ms)
{
    int64_t most_ms = limit_ms(connections);
    int64_t next_ms = FOREVER_MS;
    struct connection *connection;
    LIST_FOREACH(connection, &connections->all, link)
    {
        int64_t left_ms = connection->since_ms + most_ms - now_ms;
        if (left_ms <= 0)
            shutdown(connection->fd, SHUT_RDWR);
        if (left_ms < LEAST_BETWEEN_LOOKS_MS)
            left_ms = LEAST_BETWEEN_LOOKS_MS;
        if (next_ms == FOREVER_MS || left_ms < next_ms)
            next_ms = left_ms;
    }
    return next_ms;
}

/* Look once. False: the end. Otherwise *ret_wait_ms is when to look again. */
static bool look(struct connections *connections, int64_t *ret_wait_ms)
{
    pthread_mutex_lock(&connections->lock);
    int64_t wait_ms = end_the_slow(connections, clock_monotonic_ms());
    bool goes_on = !connections->stops;
    connections->sleeps = wait_ms == FOREVER_MS;
    pthread_mutex_unlock(&connections->lock);
    *ret_wait_ms = wait_ms;
    return goes_on;
}

static void *watch(void *context)
{
    struct connections *connections = context;
    struct pollfd wake = {.fd = connections->wake_fd, .events = POLLIN};
    int64_t wait_ms;
    while (look(connections, &wait_ms)) {
        eventfd_t ignored;
        if (poll(&wake, 1, (int)wait_ms) > 0)
            eventfd_read(connections->wake_fd, &ignored);
    }
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
    if (connections->wake_fd >= 0)
        close(connections->wake_fd);
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
    connections->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = connections->wake_fd < 0 ? errno : start_thread(connections);
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
    pthread_mutex_lock(&connections->lock);
    connections->stops = true;
    pthread_mutex_unlock(&connections->lock);
    eventfd_write(connections->wake_fd, 1);
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
    bool wake = connections->sleeps || connections->count == connections->limits.crowded;
    connections->sleeps = false;
    pthread_mutex_unlock(&connections->lock);
    if (wake)
        eventfd_write(connections->wake_fd, 1);
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
