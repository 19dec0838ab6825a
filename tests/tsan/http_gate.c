/*
 * Passwords, clients and reloads at the same time, for ThreadSanitizer: requests that are suspended
 * until their password is worked out, users that are exchanged meanwhile, and a stop in the middle.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/base/log.h"
#include "exporter/web/http.h"

#define CLIENTS  8
#define REQUESTS 60
#define RELOADS  30

static const char configuration[] =
    "basic_auth_users: {alice: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}\n";

static atomic_uint granted;
static atomic_uint refused;

static void say_hello(void *context, const struct http_request *request,
                      struct http_response *response)
{
    (void)context;
    (void)request;
    strbuf_puts(&response->body, "hello\n");
}

static const struct http_route routes[] = {{"/", say_hello, NULL}, {NULL, NULL, NULL}};

static void must(bool done, const struct err *err)
{
    if (done)
        return;
    fprintf(stderr, "%s\n", err->text);
    abort();
}

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

/* alice:secret and alice:wrong by turns; each fourth client does not wait for its answer. */
static void ask(int fd, int number)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6d3Jvbmc=\r\n\r\n"};
    const char *text = texts[number % 2];
    char answer[1024];
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 || number % 4 == 3)
        return;
    ssize_t count = recv(fd, answer, sizeof answer, 0);
    if (count > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0)
        atomic_fetch_add(&granted, 1);
    if (count > 12 && memcmp(answer, "HTTP/1.1 401", 12) == 0)
        atomic_fetch_add(&refused, 1);
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

/* Puts other security into force again and again, which remembers what the one before knew. */
static void reload(struct http_server *server, const char *path, struct security *first)
{
    struct security *before = security_ref(first);
    struct err err;
    for (int i = 0; i < RELOADS; i++) {
        struct security *next = NULL;
        must(security_read(path, before, &next, &err) && http_secure(server, next, &err), &err);
        security_unref(before);
        before = next;
        usleep(2000);
    }
    security_unref(before);
}

static void run(const char *path)
{
    const char *addresses[] = {"127.0.0.1:0", NULL};
    struct http_server *server = NULL;
    struct security *security = NULL;
    pthread_t clients[CLIENTS];
    struct err err;
    must(security_read(path, NULL, &security, &err), &err);
    struct http_options options = {
        .listen_addresses = addresses, .routes = routes, .security = security};
    must(http_start(&options, &server, &err), &err);
    unsigned port = http_port(server, 0);
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, be_client, &port);
    reload(server, path, security);
    while (atomic_load(&granted) == 0 || atomic_load(&refused) == 0)
        usleep(1000);
    http_stop(server);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    security_unref(security);
}

int main(void)
{
    char path[] = "/tmp/pgbackup-gate-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, configuration, sizeof configuration - 1) < 0)
        return 1;
    close(fd);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    run(path);
    unlink(path);
    printf("%u passwords were right, %u wrong\n", granted, refused);
    return 0;
}
