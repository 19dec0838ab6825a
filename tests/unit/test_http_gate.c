#include "exporter/web/http_gate.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "exporter/base/log.h"
#include "tests/unit/certificates.h"
#include "tests/unit/config_files.h"

#define PATIENCE_S 20 /* of a client: far beyond what a sound server needs */

/* "secret", as cheap as bcrypt can be, and the same with half a second of work or so. */
#define CHEAP       "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define SLOW        "$2b$13$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define USERS(hash) "basic_auth_users: {alice: " hash "}\n"

/* Values of Authorization for alice: secret, wrong. */
#define RIGHT "Basic YWxpY2U6c2VjcmV0"
#define WRONG "Basic YWxpY2U6d3Jvbmc="

static char *folder;
static struct http_server *server;
static struct err err;
static atomic_int handled;

static void say_hello(void *context UNUSED, const struct http_request *request UNUSED,
                      struct http_response *response)
{
    atomic_fetch_add(&handled, 1);
    strbuf_puts(&response->body, "hello\n");
}

static void begin(void)
{
    folder = config_folder_new();
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
}

static void end(void)
{
    http_stop(server);
    config_folder_remove(&folder);
}

TestSuite(http_gate, .init = begin, .fini = end);

static struct security *read_text(const char *text)
{
    struct security *security = NULL;
    char *path CLEANUP(text_free) = config_file_write(folder, "web.yml", text);
    cr_assert(security_read(path, NULL, &security, &err), "%s", err.text);
    return security;
}

static void start(const char *text)
{
    static const char *const addresses[] = {"127.0.0.1:0", NULL};
    static const struct http_route routes[] = {{"/hello", say_hello, NULL}, {NULL, NULL, NULL}};
    struct security *security = read_text(text);
    const struct http_options options = {
        .listen_addresses = addresses, .routes = routes, .security = security};
    cr_assert(http_start(&options, &server, &err), "%s", err.text);
    security_unref(security);
}

static bool secure(const char *text)
{
    struct security *security = read_text(text);
    bool done = http_secure(server, security, &err);
    security_unref(security);
    return done;
}

/* A client that says one request and hears its answer. */

static int dial(void)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)http_port(server, 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    cr_assert(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void say(int fd, const char *line, const char *login, const char *body)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&text, "%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n", line);
    if (login)
        strbuf_printf(&text, "Authorization: %s\r\n", login);
    strbuf_printf(&text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    cr_assert(send(fd, text.data, text.length, MSG_NOSIGNAL) == (ssize_t)text.length);
}

static char *hear(int fd)
{
    struct strbuf heard = {0};
    char piece[4096];
    ssize_t count;
    while ((count = recv(fd, piece, sizeof piece, 0)) > 0)
        strbuf_add(&heard, piece, (size_t)count);
    close(fd);
    strbuf_puts(&heard, "");
    return strbuf_steal(&heard);
}

static char *ask(const char *line, const char *login)
{
    int fd = dial();
    say(fd, line, login, "");
    return hear(fd);
}

/* The status of the answer to GET /hello; 0 for none. */
static long status(const char *login)
{
    char *answer CLEANUP(text_free) = ask("GET /hello", login);
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? strtol(answer + 9, NULL, 10) : 0;
}

/* Who gets in */

Test(http_gate, without_users_everybody_gets_in)
{
    start("");
    cr_expect_eq(status(NULL), 200);
    cr_expect_eq(status(WRONG), 200);
}

Test(http_gate, only_the_right_password_gets_in)
{
    start(USERS(CHEAP));
    cr_expect_eq(status(NULL), 401);
    cr_expect_eq(status("Bearer x"), 401);
    cr_expect_eq(status(WRONG), 401);
    cr_expect_eq(status("Basic Y2Fyb2w6c2VjcmV0"), 401, "carol");
    cr_expect_eq(handled, 0);
    cr_expect_eq(status(RIGHT), 200);
    cr_expect_eq(status(RIGHT), 200);
    cr_expect_eq(handled, 2);
}

Test(http_gate, a_refusal_says_how_to_log_in_whatever_was_asked)
{
    start(USERS(CHEAP));
    static const char *const lines[] = {"GET /hello", "GET /nothing", "POST /hello", "HEAD /hello"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char *answer CLEANUP(text_free) = ask(lines[i], NULL);
        cr_expect(strncmp(answer, "HTTP/1.1 401 ", 13) == 0, "%s: %s", lines[i], answer);
        cr_expect(strstr(answer, "\r\nWWW-Authenticate: Basic realm="), "%s: %s", lines[i], answer);
    }
}

Test(http_gate, a_request_with_a_body_waits_for_its_verdict_too)
{
    start(USERS(CHEAP));
    int fd = dial();
    say(fd, "POST /hello", RIGHT, "a body that nobody reads");
    char *answer CLEANUP(text_free) = hear(fd);
    cr_expect(strncmp(answer, "HTTP/1.1 405 ", 13) == 0, "%s", answer);
}

Test(http_gate, the_next_request_of_a_connection_is_judged_anew)
{
    static const char two[] = "GET /hello HTTP/1.1\r\nHost: x\r\nAuthorization: " RIGHT "\r\n\r\n"
                              "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    start(USERS(CHEAP));
    int fd = dial();
    cr_assert(send(fd, two, sizeof two - 1, MSG_NOSIGNAL) == (ssize_t)sizeof two - 1);
    char *answers CLEANUP(text_free) = hear(fd);
    cr_expect(strncmp(answers, "HTTP/1.1 200 ", 13) == 0, "%s", answers);
    cr_expect(strstr(answers, "HTTP/1.1 401 "), "%s", answers);
}

Test(http_gate, too_many_passwords_at_once_of_one_client_are_sent_away)
{
    int fds[12];
    start(USERS(SLOW));
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial();
        say(fds[i], "GET /hello", WRONG, "");
    }
    int busy = 0;
    int refused = 0;
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        char *answer CLEANUP(text_free) = hear(fds[i]);
        busy += strncmp(answer, "HTTP/1.1 503 ", 13) == 0;
        refused += strncmp(answer, "HTTP/1.1 401 ", 13) == 0;
    }
    cr_expect_geq(refused, 4);
    cr_expect_gt(busy, 0);
    cr_expect_eq((size_t)(refused + busy), COUNT_OF(fds));
}

Test(http_gate, a_client_that_leaves_while_it_waits_leaves_nothing_behind)
{
    start(USERS(SLOW));
    for (int i = 0; i < 3; i++) {
        int fd = dial();
        say(fd, "GET /hello", WRONG, "");
        close(fd);
    }
    cr_expect_eq(status(NULL), 401, "others are served meanwhile");
}

Test(http_gate, a_stop_does_not_wait_for_all_that_wait)
{
    int fds[3];
    start(USERS(SLOW));
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial();
        say(fds[i], "GET /hello", WRONG, "");
    }
    http_stop(server);
    server = NULL;
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

/* Exchange */

Test(http_gate, other_users_hold_from_the_next_request_on)
{
    start("");
    cr_expect_eq(status(NULL), 200);
    cr_expect(secure(USERS(CHEAP)), "%s", err.text);
    cr_expect_eq(status(NULL), 401);
    cr_expect_eq(status(RIGHT), 200);
    cr_expect(secure(""));
    cr_expect_eq(status(NULL), 200);
}

Test(http_gate, headers_of_the_configuration_replace_ours)
{
    start(USERS(CHEAP) "http_server_config: {headers: {X-Content-Type-Options: nosniff, "
                       "Strict-Transport-Security: max-age=1}}\n");
    char *answer CLEANUP(text_free) = ask("GET /hello", NULL);
    const char *first = strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n");
    cr_assert(first, "%s", answer);
    cr_expect_null(strstr(first + 4, "X-Content-Type-Options"), "%s", answer);
    cr_expect(strstr(answer, "\r\nStrict-Transport-Security: max-age=1\r\n"), "%s", answer);
}

Test(http_gate, tls_cannot_be_switched_while_running)
{
    certificate_make(&(struct certificate_wish){.folder = folder, .name = "server"});
    start("");
    cr_expect_not(secure("tls_server_config: {cert_file: server.crt, key_file: server.key}\n"));
    cr_expect_str_eq(err.text, "TLS is asked for, but off now: that cannot be changed while "
                               "running, so restart");
    cr_expect_eq(status(NULL), 200);
}

Test(http_gate, with_tls_nobody_is_served_in_the_clear)
{
    certificate_make(&(struct certificate_wish){.folder = folder, .name = "server"});
    start("tls_server_config: {cert_file: server.crt, key_file: server.key}\n");
    cr_expect_eq(status(NULL), 0);
    cr_expect_eq(handled, 0);
    cr_expect_not(secure(""));
}
