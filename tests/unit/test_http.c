#include "exporter/web/http.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "exporter/base/clock.h"
#include "exporter/base/log.h"
#include "exporter/web/http_body.h"
#include "exporter/web/listen.h"

#define SLOW_CLIENTS 200
#define MUCH_BYTES   ((size_t)8 * 1024 * 1024)
#define PATIENCE_S   10 /* of a test's client: far beyond what a sound server needs */

static const char *const loopback[] = {"127.0.0.1:0", NULL};

/* Handlers */

static void say_hello(void *context, UNUSED const struct http_request *request,
                      struct http_response *response)
{
    strbuf_puts(&response->body, context);
}

static void show_page(UNUSED void *context, UNUSED const struct http_request *request,
                      struct http_response *response)
{
    response->content_type = "text/html; charset=utf-8";
    strbuf_puts(&response->body, "<!doctype html>");
}

static void refuse(UNUSED void *context, UNUSED const struct http_request *request,
                   struct http_response *response)
{
    response->status = 503;
    strbuf_puts(&response->body, "not ready\n");
}

static void run_out_of_memory(UNUSED void *context, UNUSED const struct http_request *request,
                              struct http_response *response)
{
    strbuf_puts(&response->body, "half of it");
    response->body.failed = true;
}

static void say_much(UNUSED void *context, UNUSED const struct http_request *request,
                     struct http_response *response)
{
    for (size_t i = 0; i < MUCH_BYTES / 16; i++)
        strbuf_puts(&response->body, "sixteen bytes..\n");
}

/* "NAME: VALUE" of the context's header and argument, as far as they were sent. */
static void tell(void *context, const struct http_request *request, struct http_response *response)
{
    char *header = http_request_header(request, context);
    char *argument = http_request_argument(request, context);
    strbuf_printf(&response->body, "header [%s] argument [%s]\n", header ? header : "none",
                  argument ? argument : "none");
    free(header);
    free(argument);
}

static char hello[] = "hello\n";
static char nothing[] = "";
static char tale[] = "Tale";

static const struct http_route routes[] = {
    {"/hello", say_hello, hello}, {"/page", show_page, NULL},
    {"/refuse", refuse, NULL},    {"/memory", run_out_of_memory, NULL},
    {"/much", say_much, NULL},    {"/tell", tell, tale},
    {NULL, NULL, NULL},
};

/* A server on a free port of 127.0.0.1, ended with the test. */

static struct http_server *server;

static void start(struct http_options options)
{
    struct err err;
    options.routes = routes;
    if (!options.listen_addresses)
        options.listen_addresses = loopback;
    cr_assert(http_start(&options, &server, &err), "%s", err.text);
}

static void stop(void)
{
    http_stop(server);
    server = NULL;
}

/* How many descriptors the process has open, and how many of them a child would inherit. */
static int count_descriptors(bool inherited_only)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    cr_assert_not_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (*entry->d_name != '.' && fd != dirfd(folder))
            count += !inherited_only || !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    closedir(folder);
    return count;
}

/* A client that speaks bytes. */

static int new_client(void)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static void reach_server(int fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)http_port(server, 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect: errno %d", errno);
}

static int dial(void)
{
    int fd = new_client();
    reach_server(fd);
    return fd;
}

static bool say(int fd, const char *text)
{
    size_t length = strlen(text);
    return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* Everything up to the end of the stream; the test fails when it does not end in time. */
static char *hear_all(int fd)
{
    struct strbuf heard = {0};
    char piece[4096];
    ssize_t count;
    while ((count = recv(fd, piece, sizeof piece, 0)) > 0)
        strbuf_add(&heard, piece, (size_t)count);
    cr_assert(count == 0 || errno == ECONNRESET, "the server did not end the stream");
    return strbuf_steal(&heard);
}

static char *ask(const char *request)
{
    int fd = dial();
    cr_assert(say(fd, request));
    char *answer = hear_all(fd);
    close(fd);
    return answer;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "";
}

static bool has(const char *answer, const char *part)
{
    return strstr(answer, part) != NULL;
}

static bool starts(const char *answer, const char *part)
{
    return strncmp(answer, part, strlen(part)) == 0;
}

/* What the answer to a request must start with. */
static void expect(const char *request, const char *status_line)
{
    char *answer = ask(request);
    cr_expect(starts(answer, status_line), "%.60s: %.200s", request, answer);
    free(answer);
}

#define END       "Host: test\r\nConnection: close\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" END

TestSuite(http, .init = NULL, .fini = stop);

/* Answers */

Test(http, get_brings_the_body_of_its_route)
{
    start((struct http_options){0});
    char *answer = ask(GET("/hello"));
    cr_expect(starts(answer, "HTTP/1.1 200 OK\r\n"));
    cr_expect(has(answer, "\r\nContent-Length: 6\r\n"));
    cr_expect(has(answer, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    cr_expect_str_eq(body_of(answer), "hello\n");
    free(answer);
}

/* What a handler sees */

static void expect_told(const char *request, const char *told)
{
    start((struct http_options){0});
    char *answer = ask(request);
    cr_expect_str_eq(body_of(answer), told, "%s", answer);
    free(answer);
}

Test(http, a_handler_sees_neither_header_nor_argument_that_was_not_sent)
{
    expect_told(GET("/tell"), "header [none] argument [none]\n");
}

Test(http, a_handler_sees_a_header_whatever_its_case)
{
    expect_told("GET /tell HTTP/1.1\r\ntALE: once  upon\r\n" END,
                "header [once  upon] argument [none]\n");
}

Test(http, a_handler_sees_the_lines_of_one_header_joined)
{
    expect_told("GET /tell HTTP/1.1\r\nTale: a;q=1\r\nOther: x\r\nTale: b, c\r\n" END,
                "header [a;q=1,b, c] argument [none]\n");
}

Test(http, a_handler_sees_an_argument_without_its_escapes)
{
    expect_told(GET("/tell?other=1&Tale=a%2Fb+c%26%3d&Tale=second"),
                "header [none] argument [a/b c&=]\n");
}

Test(http, a_handler_sees_an_argument_without_a_value_as_empty)
{
    expect_told(GET("/tell?Tale"), "header [none] argument []\n");
}

/* Encodings */

#define ASK_GZIP "Accept-Encoding: gzip\r\n"

Test(http, a_page_is_compressed_for_who_accepts_gzip)
{
    start((struct http_options){0});
    char *answer = ask("GET /much HTTP/1.1\r\n" ASK_GZIP END);
    cr_expect(has(answer, "\r\nContent-Encoding: gzip\r\n"), "%.300s", answer);
    cr_expect(starts(body_of(answer), "\x1f\x8b"));
    free(answer);
}

Test(http, a_page_is_sent_as_it_is_to_who_refuses_gzip)
{
    start((struct http_options){0});
    char *answer = ask("GET /much HTTP/1.1\r\nAccept-Encoding: gzip;q=0\r\n" END);
    cr_expect_not(has(answer, "Content-Encoding"), "%.300s", answer);
    cr_expect(starts(body_of(answer), "sixteen bytes..\n"));
    free(answer);
}

Test(http, what_fits_into_one_packet_is_not_compressed)
{
    start((struct http_options){0});
    char *answer = ask("GET /hello HTTP/1.1\r\n" ASK_GZIP END);
    cr_expect_not(has(answer, "Content-Encoding"), "%s", answer);
    cr_expect_str_eq(body_of(answer), "hello\n");
    free(answer);
}

Test(http, caches_learn_that_answers_differ_by_what_is_accepted)
{
    start((struct http_options){0});
    char *answer = ask(GET("/hello"));
    cr_expect(has(answer, "\r\nVary: Accept, Accept-Encoding\r\n"), "%s", answer);
    free(answer);
}

/* The headers without the line that tells the time, which may differ between two answers. */
static char *headers_of(char *answer)
{
    struct strbuf kept = {0};
    *strstr(answer, "\r\n\r\n") = '\0';
    for (char *line = answer, *next; line; line = next) {
        next = strstr(line, "\r\n");
        if (next) {
            *next = '\0';
            next += 2;
        }
        if (!starts(line, "Date:"))
            strbuf_printf(&kept, "%s\n", line);
    }
    return strbuf_steal(&kept);
}

Test(http, head_has_the_headers_of_get_and_no_body)
{
    start((struct http_options){0});
    char *got = ask(GET("/page"));
    char *head = ask("HEAD /page HTTP/1.1\r\n" END);
    cr_expect_str_eq(body_of(head), "");
    char *got_headers = headers_of(got);
    char *head_headers = headers_of(head);
    cr_expect_str_eq(head_headers, got_headers);
    cr_expect(has(head_headers, "Content-Length: 15\n"), "%s", head_headers);
    free(got_headers);
    free(head_headers);
    free(got);
    free(head);
}

Test(http, head_brings_the_headers_of_a_compressed_get)
{
    start((struct http_options){0});
    char *got = ask("GET /much HTTP/1.1\r\n" ASK_GZIP END);
    char *head = ask("HEAD /much HTTP/1.1\r\n" ASK_GZIP END);
    char *got_headers = headers_of(got);
    char *head_headers = headers_of(head);
    cr_expect(has(head_headers, "Content-Encoding: gzip"));
    cr_expect_str_eq(head_headers, got_headers);
    free(head_headers);
    free(got_headers);
    free(head);
    free(got);
}

Test(http, a_handler_chooses_the_status)
{
    start((struct http_options){0});
    char *answer = ask(GET("/refuse"));
    cr_expect(starts(answer, "HTTP/1.1 503 "));
    cr_expect_str_eq(body_of(answer), "not ready\n");
    free(answer);
}

Test(http, an_empty_body_is_a_body)
{
    static const struct http_route empty[] = {{"/", say_hello, nothing}, {NULL, NULL, NULL}};
    struct err err;
    struct http_options options = {.listen_addresses = loopback, .routes = empty};
    cr_assert(http_start(&options, &server, &err));
    char *answer = ask(GET("/"));
    cr_expect(has(answer, "\r\nContent-Length: 0\r\n"), "%s", answer);
    free(answer);
}

Test(http, a_query_is_ignored)
{
    start((struct http_options){0});
    expect(GET("/hello?x=1&y=%00"), "HTTP/1.1 200 ");
}

Test(http, a_body_that_ran_out_of_memory_is_500_and_not_half_a_page)
{
    start((struct http_options){0});
    char *answer = ask(GET("/memory"));
    cr_expect(starts(answer, "HTTP/1.1 500 "));
    cr_expect_str_eq(body_of(answer), "out of memory\n");
    free(answer);
}

Test(http, one_connection_serves_many_requests)
{
    start((struct http_options){0});
    char *answer = ask("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"
                       "GET /refuse HTTP/1.1\r\nHost: test\r\n\r\n" GET("/hello"));
    const char *first = strstr(answer, "hello\n");
    cr_assert_not_null(first);
    cr_expect(has(first, "not ready\n"));
    cr_expect_str_eq(body_of(strstr(first, "not ready\n")), "hello\n");
    free(answer);
}

Test(http, many_routes_run_at_the_same_time_in_both_threads)
{
    start((struct http_options){0});
    for (int i = 0; i < 200; i++)
        expect(GET("/hello"), "HTTP/1.1 200 ");
}

Test(http, http_1_0_is_answered)
{
    start((struct http_options){0});
    expect("GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.");
    expect("HEAD /hello HTTP/1.0\r\n\r\n", "HTTP/1.");
}

/* Headers that protect a reader's browser */

Test(http, every_answer_forbids_sniffing_and_storing)
{
    static const char *const requests[] = {GET("/hello"), GET("/page"), GET("/nothing"),
                                           ("POST /hello HTTP/1.1\r\n" END)};
    start((struct http_options){0});
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        char *answer = ask(requests[i]);
        cr_expect(has(answer, "\r\nX-Content-Type-Options: nosniff\r\n"), "%s", answer);
        cr_expect(has(answer, "\r\nCache-Control: no-store\r\n"), "%s", answer);
        free(answer);
    }
}

Test(http, html_comes_with_a_policy_that_allows_no_script_and_no_frame)
{
    start((struct http_options){0});
    char *page = ask(GET("/page"));
    cr_expect(has(page, "\r\nContent-Security-Policy: default-src 'none'; style-src"));
    cr_expect(has(page, "frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"));
    cr_expect(has(page, "\r\nReferrer-Policy: no-referrer\r\n"));
    char *text = ask(GET("/hello"));
    cr_expect_not(has(text, "Content-Security-Policy"));
    free(page);
    free(text);
}

/* What is refused */

Test(http, an_unknown_path_is_404_and_names_what_there_is)
{
    start((struct http_options){0});
    char *answer = ask(GET("/helloo"));
    cr_expect(starts(answer, "HTTP/1.1 404 "));
    cr_expect_str_eq(body_of(answer),
                     "not found; what there is: /hello /page /refuse /memory /much /tell\n");
    free(answer);
}

Test(http, only_the_exact_path_is_a_route)
{
    static const char *const requests[] = {GET("/hello/"),     GET("//hello"),   GET("/hell"),
                                           GET("/Hello"),      GET("/%68ello"),  GET("/hello%00"),
                                           GET("/x/../hello"), GET("/hello%3fx")};
    start((struct http_options){0});
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        expect(requests[i], "HTTP/1.1 404 ");
}

Test(http, other_methods_are_405_and_told_what_is_allowed)
{
    static const char *const requests[] = {
        "POST /hello HTTP/1.1\r\n" END,
        "POST /hello HTTP/1.1\r\nContent-Length: 5\r\n" END "12345",
        "POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\n\r\n",
        "PUT /hello HTTP/1.1\r\nContent-Length: 1\r\n" END "1",
        "DELETE /hello HTTP/1.1\r\n" END,
        "OPTIONS /hello HTTP/1.1\r\n" END,
        "get /hello HTTP/1.1\r\n" END,
    };
    start((struct http_options){0});
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        char *answer = ask(requests[i]);
        cr_expect(starts(answer, "HTTP/1.1 405 "), "%s%s", requests[i], answer);
        cr_expect(has(answer, "\r\nAllow: GET, HEAD\r\n"), "%s%s", requests[i], answer);
        free(answer);
    }
}

Test(http, a_body_with_get_is_read_and_forgotten)
{
    start((struct http_options){0});
    expect("GET /hello HTTP/1.1\r\nContent-Length: 5\r\n" END "12345", "HTTP/1.1 200 ");
    expect("GET /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\n\r\n",
           "HTTP/1.1 200 ");
}

/* Where a proxy and we could see another end of a body, its rest would be somebody's request. */
Test(http, nothing_is_read_as_a_request_behind_a_body)
{
    static const char *const bodies[] = {
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 9\r\n\r\n",
        "Content-Length: 1\r\n\r\n1",
    };
    start((struct http_options){0});
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct strbuf request = {0};
        strbuf_printf(&request, "GET /refuse HTTP/1.1\r\nHost: test\r\n%s%s", bodies[i],
                      GET("/hello"));
        char *answer = ask(strbuf_text(&request));
        cr_expect(has(answer, "\r\nConnection: close\r\n"), "%s%s", bodies[i], answer);
        cr_expect_not(has(answer, "hello\n"), "%s%s", bodies[i], answer);
        free(answer);
        strbuf_done(&request);
    }
}

/* The status of the answer to a request that has `length` bytes of `filler` in its middle. */
static void expect_too_long(const char *before, size_t length, const char *status_line)
{
    struct strbuf request = {0};
    strbuf_puts(&request, before);
    for (size_t i = 0; i < length; i++)
        strbuf_putc(&request, 'a');
    strbuf_puts(&request, " HTTP/1.1\r\nHost: test\r\n\r\n");
    int fd = dial();
    (void)!say(fd, strbuf_text(&request)); /* the server may hang up before the end */
    char *answer = hear_all(fd);
    cr_expect(*answer == '\0' || starts(answer, status_line), "%zu: %.200s", length, answer);
    free(answer);
    close(fd);
    strbuf_done(&request);
}

Test(http, a_request_line_of_a_megabyte_is_refused_and_the_next_one_answered)
{
    start((struct http_options){0});
    expect_too_long("GET /", 1024 * 1024, "HTTP/1.1 414 ");
    expect(GET("/hello"), "HTTP/1.1 200 ");
}

Test(http, too_long_a_line_is_414_and_too_long_a_header_431)
{
    start((struct http_options){0});
    expect_too_long("GET /", 40000, "HTTP/1.1 414 ");
    expect_too_long("GET / HTTP/1.1\r\nX: ", 40000, "HTTP/1.1 431 ");
}

Test(http, garbage_is_refused_and_the_next_request_answered)
{
    static const char *const requests[] = {"\r\n\r\n\r\n", "\x16\x03\x01\x02\x00\x01\r\n\r\n",
                                           "GET\r\n\r\n", ("GET /hello HTTP/9.9\r\n" END)};
    start((struct http_options){.idle_timeout_s = 1});
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int fd = dial();
        cr_expect(say(fd, requests[i]));
        shutdown(fd, SHUT_WR);
        char *answer = hear_all(fd);
        cr_expect_not(starts(answer, "HTTP/1.1 200 "), "%s", answer);
        free(answer);
        close(fd);
    }
    expect(GET("/hello"), "HTTP/1.1 200 ");
}

/* Many and slow clients */

static void dial_many(int *fds, size_t count, const char *first_words)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = dial();
        cr_assert(say(fds[i], first_words));
    }
}

static void close_many(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static bool hears_the_end(int fd, int patience_ms)
{
    char byte;
    struct pollfd heard = {.fd = fd, .events = POLLIN};
    return poll(&heard, 1, patience_ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

Test(http, slow_clients_do_not_keep_another_from_being_answered)
{
    int slow[SLOW_CLIENTS];
    start((struct http_options){.connection_limit = 512});
    dial_many(slow, SLOW_CLIENTS, "GET /hello HT");
    int64_t before_ms = clock_monotonic_ms();
    expect(GET("/hello"), "HTTP/1.1 200 ");
    cr_expect_lt(clock_monotonic_ms() - before_ms, 1000);
    close_many(slow, SLOW_CLIENTS);
}

/* Sends a byte each 100 ms for as long as the server takes it, up to the given time. */
static int64_t drip_ms(int fd, int64_t most_ms)
{
    int64_t began_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() - began_ms < most_ms) {
        if (hears_the_end(fd, 100) || !say(fd, "x"))
            break;
    }
    return clock_monotonic_ms() - began_ms;
}

Test(http, a_client_that_drips_bytes_is_ended_though_it_is_never_idle)
{
    start((struct http_options){.idle_timeout_s = 1});
    int fd = dial();
    cr_assert(say(fd, "GET /"));
    int64_t lasted_ms = drip_ms(fd, 10000);
    cr_expect(lasted_ms > 2000 && lasted_ms < 6000, "%jd ms", (intmax_t)lasted_ms);
    close(fd);
}

Test(http, clients_that_drip_are_ended_sooner_in_a_crowd)
{
    int slow[24];
    start((struct http_options){.connection_limit = 64, .idle_timeout_s = 10});
    dial_many(slow, COUNT_OF(slow), "GET /");
    int64_t lasted_ms = drip_ms(slow[0], 10000);
    cr_expect_lt(lasted_ms, 5000, "%jd ms", (intmax_t)lasted_ms);
    close_many(slow, COUNT_OF(slow));
}

Test(http, an_idle_client_is_ended)
{
    start((struct http_options){.idle_timeout_s = 1});
    int fd = dial();
    cr_expect(hears_the_end(fd, 2500)); /* before its exchange has taken too long */
    close(fd);
}

/* Whether so many descriptors are open soon: the server takes and closes its ends in its own time.
 */
static bool descriptors_become(int count)
{
    for (int i = 0; i < 800 && count_descriptors(false) != count; i++)
        poll(NULL, 0, 10);
    return count_descriptors(false) == count;
}

static bool much_is_answered(void)
{
    char *answer = ask(GET("/much"));
    bool answered = starts(answer, "HTTP/1.1 200 ");
    free(answer);
    return answered;
}

Test(http, a_client_that_reads_nothing_is_ended)
{
    start((struct http_options){.idle_timeout_s = 1});
    int before = count_descriptors(false);
    int fd = dial();
    cr_assert(say(fd, GET("/much")));
    cr_expect(descriptors_become(before + 2), "both ends");
    cr_expect(descriptors_become(before + 1), "only its own end is left");
    close(fd);
}

Test(http, clients_that_do_not_read_cannot_take_all_memory)
{
    int fds[HTTP_BODIES_MOST_BYTES / MUCH_BYTES];
    char first;
    start((struct http_options){0});
    dial_many(fds, COUNT_OF(fds), GET("/much"));
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        cr_assert_eq(recv(fds[i], &first, 1, MSG_PEEK), 1);
    expect(GET("/much"), "HTTP/1.1 503 ");
    expect(GET("/hello"), "HTTP/1.1 200 ");
    close_many(fds, COUNT_OF(fds));
    for (int i = 0; i < 800 && !much_is_answered(); i++)
        poll(NULL, 0, 10);
    cr_expect(much_is_answered(), "what they held is free again");
}

Test(http, a_client_that_asks_again_and_again_is_kept)
{
    start((struct http_options){.idle_timeout_s = 1});
    int fd = dial();
    char answer[1024];
    for (int i = 0; i < 20; i++) { /* 5 s, longer than one exchange may take */
        cr_assert(say(fd, "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"));
        cr_assert(recv(fd, answer, sizeof answer, 0) > 0, "ended after %d requests", i);
        poll(NULL, 0, 250);
    }
    close(fd);
}

Test(http, one_address_gets_no_more_than_its_share)
{
    int fds[9];
    start((struct http_options){.connection_limit = 64, .per_address_limit = 8});
    dial_many(fds, 8, "GET /");
    fds[8] = dial();
    cr_expect(hears_the_end(fds[8], 10000)); /* it comes at once but on a busy machine */
    cr_expect_not(hears_the_end(fds[0], 0));
    close_many(fds, COUNT_OF(fds));
}

Test(http, a_client_that_left_makes_room_for_the_next)
{
    start((struct http_options){.connection_limit = 4, .per_address_limit = 4});
    for (int i = 0; i < 50; i++)
        expect(GET("/hello"), "HTTP/1.1 200 ");
}

Test(http, ten_thousand_quick_connections_leave_it_well)
{
    start((struct http_options){0});
    for (int i = 0; i < 10000; i++)
        close(dial());
    expect(GET("/hello"), "HTTP/1.1 200 ");
}

Test(http, without_a_limit_given_it_keeps_descriptors_for_others)
{
    int fds[40];
    struct rlimit files = {.rlim_cur = 280, .rlim_max = 280};
    cr_assert(setrlimit(RLIMIT_NOFILE, &files) == 0);
    start((struct http_options){.per_address_limit = 1000}); /* 24 connections are left */
    dial_many(fds, COUNT_OF(fds), "GET /");
    poll(NULL, 0, 200);
    int taken = 0;
    for (int fd = 0; fd < 280; fd++)
        taken += fcntl(fd, F_GETFD) >= 0;
    cr_expect_lt(taken, 40 + 24 + 30, "%d descriptors are open", taken);
    close_many(fds, COUNT_OF(fds));
}

/* Starting */

static void expect_refused(const char *address, enum err_code code, const char *text)
{
    struct err err = {0};
    struct http_server *unused = NULL;
    struct http_options options = {.listen_addresses = (const char *const[]){address, NULL},
                                   .routes = routes};
    cr_assert_not(http_start(&options, &unused, &err), "%s", address);
    cr_expect_eq(err.code, code, "%s: %s", address, err_name(err.code));
    cr_expect_str_eq(err.text, text);
    cr_expect_null(unused);
}

Test(http, a_taken_port_is_named)
{
    start((struct http_options){0});
    struct strbuf address = {0};
    struct strbuf text = {0};
    strbuf_printf(&address, "127.0.0.1:%u", http_port(server, 0));
    strbuf_printf(&text, "cannot listen on 127.0.0.1:%u: Address already in use",
                  http_port(server, 0));
    expect_refused(strbuf_text(&address), ERR_SYSTEM, strbuf_text(&text));
    strbuf_done(&address);
    strbuf_done(&text);
}

Test(http, no_address_at_all_is_refused)
{
    struct err err;
    struct http_options options = {.listen_addresses = (const char *const[]){NULL},
                                   .routes = routes};
    cr_expect_not(http_start(&options, &server, &err));
    cr_expect_str_eq(err.text, "there is no address to listen on");
}

Test(http, each_address_has_a_port_of_its_own)
{
    start((struct http_options){.listen_addresses =
                                    (const char *const[]){"127.0.0.1:0", "localhost:0", NULL}});
    cr_expect_neq(http_port(server, 0), 0);
    cr_expect_neq(http_port(server, 1), 0);
    cr_expect_neq(http_port(server, 0), http_port(server, 1));
    cr_expect_eq(http_port(server, 2), 0);
}

Test(http, serves_on_a_socket_that_was_handed_over_and_on_no_address)
{
    static const char *const taken_by_nobody[] = {"127.0.0.1:0", NULL};
    int fd;
    struct err err = {0};
    cr_assert(listen_open("127.0.0.1:0", &fd, &err), "%s", err.text);
    unsigned port = listen_port(fd);
    start((struct http_options){
        .listen_addresses = taken_by_nobody, .sockets = &fd, .socket_count = 1});
    close(fd);
    cr_expect_eq(http_port(server, 0), port);
    cr_expect_eq(http_port(server, 1), 0);
    expect(GET("/hello"), "HTTP/1.1 200 ");
}

Test(http, a_socket_that_was_handed_over_still_listens_after_a_stop)
{
    int fd;
    struct err err = {0};
    cr_assert(listen_open("127.0.0.1:0", &fd, &err), "%s", err.text);
    start((struct http_options){.sockets = &fd, .socket_count = 1});
    stop();
    start((struct http_options){.sockets = &fd, .socket_count = 1});
    expect(GET("/hello"), "HTTP/1.1 200 ");
    close(fd);
}

Test(http, a_failed_start_leaves_nothing_behind)
{
    static const char *const second_is_wrong[] = {"127.0.0.1:0", "nowhere", NULL};
    struct err err;
    struct http_options options = {.listen_addresses = second_is_wrong, .routes = routes};
    int before = count_descriptors(false);
    cr_expect_not(http_start(&options, &server, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_eq(count_descriptors(false), before);
}

Test(http, a_start_without_descriptors_left_fails_and_leaves_nothing_behind)
{
    int before = count_descriptors(false);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    rlim_t most = files.rlim_cur;
    for (rlim_t extra = 0; extra < 5 && !server; extra++) {
        struct err err = {0};
        struct http_options options = {.listen_addresses = loopback, .routes = routes};
        files.rlim_cur = (rlim_t)before + extra;
        setrlimit(RLIMIT_NOFILE, &files);
        bool started = http_start(&options, &server, &err);
        files.rlim_cur = most;
        setrlimit(RLIMIT_NOFILE, &files);
        cr_expect_not(started, "with %d descriptors", (int)extra);
        cr_expect(has(err.text, "Too many open files") || has(err.text, "is left for it"), "%s",
                  err.text);
        cr_expect_eq(count_descriptors(false), before, "with %d descriptors", (int)extra);
    }
}

Test(http, a_child_would_inherit_none_of_its_descriptors)
{
    int before = count_descriptors(true);
    start((struct http_options){0});
    int fd = dial();
    cr_assert(say(fd, "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"));
    char byte;
    cr_assert_eq(recv(fd, &byte, 1, 0), 1);
    cr_expect_eq(count_descriptors(true), before);
    close(fd);
}

Test(http, its_threads_take_no_signals)
{
    sigset_t none;
    sigset_t after;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    start((struct http_options){0});
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    cr_expect_not(sigismember(&after, SIGTERM), "the caller's own signals are blocked");
    poll(NULL, 0, 200); /* while a thread starts, the C library blocks all signals in it */
    DIR *folder = opendir("/proc/self/task");
    int threads = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        struct strbuf path = {0};
        strbuf_printf(&path, "/proc/self/task/%s/status", entry->d_name);
        char status[4096] = "";
        int fd = open(strbuf_text(&path), O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? 0 : read(fd, status, sizeof status - 1);
        strbuf_done(&path);
        close(fd);
        if (length <= 0 || *entry->d_name == '.' || strtol(entry->d_name, NULL, 10) == getpid())
            continue;
        threads++;
        unsigned long long blocked = strtoull(strstr(status, "SigBlk:") + 7, NULL, 16);
        cr_expect(blocked & (1ULL << (SIGTERM - 1)), "thread %s", entry->d_name);
    }
    closedir(folder);
    cr_expect_geq(threads, 3);
}

/* Stopping */

static int64_t stop_ms(void)
{
    int64_t before_ms = clock_monotonic_ms();
    stop();
    return clock_monotonic_ms() - before_ms;
}

Test(http, stops_at_once_though_clients_are_slow_and_idle)
{
    int fds[SLOW_CLIENTS];
    start((struct http_options){0});
    dial_many(fds, SLOW_CLIENTS / 2, "GET /hello HT");
    dial_many(fds + SLOW_CLIENTS / 2, SLOW_CLIENTS / 2, GET("/much"));
    cr_expect_lt(stop_ms(), 5000,
                 "waited for clients: they are idle for 10 s before they are closed");
    close_many(fds, SLOW_CLIENTS);
}

Test(http, a_stop_gives_the_port_and_every_descriptor_back)
{
    int before = count_descriptors(false);
    start((struct http_options){0});
    struct strbuf address = {0};
    strbuf_printf(&address, "127.0.0.1:%u", http_port(server, 0));
    expect(GET("/hello"), "HTTP/1.1 200 ");
    stop();
    cr_expect_eq(count_descriptors(false), before);

    start((struct http_options){.listen_addresses =
                                    (const char *const[]){strbuf_text(&address), NULL}});
    expect(GET("/hello"), "HTTP/1.1 200 ");
    strbuf_done(&address);
}

Test(http, stop_takes_null)
{
    http_stop(NULL);
}

/* Its log */

Test(http, a_shortage_of_descriptors_is_one_warning_and_not_many)
{
    int fds[20];
    int log[2];
    char text[8192] = "";
    struct rlimit files = {.rlim_max = RLIM_INFINITY};
    cr_assert_eq(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
    cr_assert(dup2(log[1], STDERR_FILENO) >= 0);
    start((struct http_options){.connection_limit = 64});
    getrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = new_client();
    files.rlim_cur = (rlim_t)count_descriptors(false) + 4;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        reach_server(fds[i]); /* the kernel takes them in; accept() then fails */
    poll(NULL, 0, 300);
    close_many(fds, COUNT_OF(fds));

    cr_assert(read(log[0], text, sizeof text - 1) > 0, "nothing was logged");
    const char *warning = strstr(text, "level=warn msg=\"cannot accept web connections\"");
    cr_assert_not_null(warning);
    cr_expect_null(strstr(warning + 1, "level=warn"), "%s", text);
    cr_expect(has(warning, "Too many open files"), "%s", text);
    expect(GET("/hello"), "HTTP/1.1 200 ");
}
