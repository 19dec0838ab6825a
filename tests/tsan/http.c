/*
 * Threads of the web server under ThreadSanitizer: requests from many clients, clients that leave
 * in the middle, and a stop while all of that goes on. Criterion does not run under it.
 */
#include "exporter/web/http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS  8
#define REQUESTS 200
#define ROUNDS   3

static atomic_uint handled;
static atomic_uint answered;

static void count_up(void *context, const struct http_request *request UNUSED,
                     struct http_response *response)
{
    atomic_uint *counter = context;
    strbuf_printf(&response->body, "%u\n", atomic_fetch_add(counter, 1));
}

static const struct http_route routes[] = {{"/", count_up, &handled}, {NULL, NULL, NULL}};

static int dial(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Each fourth client leaves without waiting for its answer, each fourth in mid-request. */
static void ask(int fd, int number)
{
    static const char whole[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
    char answer[1024];
    size_t length = number % 4 == 1 ? 9 : sizeof whole - 1;
    if (send(fd, whole, length, MSG_NOSIGNAL) < 0 || number % 4 < 2)
        return;
    if (recv(fd, answer, sizeof answer, 0) > 0 && memcmp(answer, "HTTP/1.1 200", 12) == 0)
        atomic_fetch_add(&answered, 1);
}

static void *be_client(void *context)
{
    unsigned port = *(unsigned *)context;
    for (int i = 0; i < REQUESTS; i++) {
        int fd = dial(port);
        if (fd < 0)
            break; /* the server has stopped */
        ask(fd, i);
        close(fd);
    }
    return NULL;
}

/* Stops once a quarter of the answers are there: clients are still busy then, or have ended. */
static void run_round(void)
{
    const char *addresses[] = {"127.0.0.1:0", "localhost:0", NULL};
    struct http_options options = {
        .listen_addresses = addresses, .routes = routes, .idle_timeout_s = 1};
    struct http_server *server = NULL;
    struct err err;
    pthread_t clients[CLIENTS];
    unsigned ports[2];

    if (!http_start(&options, &server, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    atomic_store(&answered, 0);
    for (unsigned i = 0; i < 2; i++)
        ports[i] = http_port(server, i);
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, be_client, &ports[i % 2]);
    while (atomic_load(&answered) < CLIENTS * REQUESTS / 8)
        usleep(1000);
    sleep(1); /* long enough for a look at slow connections */
    http_stop(server);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++)
        run_round();
    printf("%u requests were handled\n", atomic_load(&handled));
    return 0;
}
