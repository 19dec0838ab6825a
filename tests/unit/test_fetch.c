/*
 * Peers on loopback that never come as far as an answer: what is behind TLS is tested end to end.
 * Of the hosts, *.test are the probe child's in test_probe.c.
 */
#include "exporter/sources/fetch.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Long enough for any machine where an answer is expected, short where none is. */
#define LONG_MS  30000
#define SHORT_MS 300
#define NAME_MS  3000

static struct proc_pool *pool;
static struct fetch_result result;
static struct err err;

static void set_up(void)
{
    const struct proc_limits limits = {.at_once = 1, .stuck = 1};
    pool = proc_pool_new(&limits);
    cr_assert(pool);
}

static void tear_down(void)
{
    fetch_result_done(&result);
    proc_pool_free(pool);
}

TestSuite(fetch, .init = set_up, .fini = tear_down);

/* A socket that listens at 127.0.0.1, or only has the port so that nobody else takes it. */
static int peer(bool listens, unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    if (listens)
        cr_assert_eq(listen(fd, 8), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static struct fetch_request request_to(const char *host, unsigned port)
{
    return (struct fetch_request){
        .host = host, .port = port, .authority = host, .target = "/", .verify = true};
}

static bool get(const struct fetch_request *request, int timeout_ms, int stop_fd)
{
    struct bound bound = bound_after(timeout_ms, stop_fd);
    return fetch_get(pool, request, &bound, &result, &err);
}

static void expect_failure(const struct fetch_request *request, int timeout_ms, enum err_code code)
{
    cr_expect_not(get(request, timeout_ms, -1));
    cr_expect_eq(err.code, code, "%s: %s", err_name(err.code), err.text);
}

Test(fetch, a_peer_that_refuses_is_named_with_its_port)
{
    unsigned port;
    int fd = peer(false, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    char place[32];
    snprintf(place, sizeof place, "127.0.0.1:%u", port);
    expect_failure(&request, LONG_MS, ERR_CONNECT);
    cr_expect(strstr(err.text, place), "%s", err.text);
    cr_expect_eq(result.status, 0);
    cr_expect_lt(result.phase_s[FETCH_CONNECT], 0);
    close(fd);
}

Test(fetch, a_peer_that_never_speaks_ends_at_the_deadline_and_its_step_is_named)
{
    unsigned port;
    int fd = peer(true, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    int64_t begun_ms = clock_monotonic_ms();
    expect_failure(&request, SHORT_MS, ERR_TIMEOUT);
    cr_expect_lt(clock_monotonic_ms() - begun_ms, LONG_MS);
    cr_expect_geq(clock_monotonic_ms() - begun_ms, SHORT_MS);
    cr_expect(strstr(err.text, "no connection or no end of its TLS handshake within "), "%s",
              err.text);
    cr_expect_lt(result.phase_s[FETCH_TLS], 0);
    close(fd);
}

Test(fetch, a_stop_ends_the_wait_at_once)
{
    unsigned port;
    int fd = peer(true, &port), stop_fd = eventfd(1, EFD_CLOEXEC);
    struct fetch_request request = request_to("127.0.0.1", port);
    int64_t begun_ms = clock_monotonic_ms();
    cr_expect_not(get(&request, LONG_MS, stop_fd));
    cr_expect_eq(err.code, ERR_STOPPED, "%s", err.text);
    cr_expect_lt(clock_monotonic_ms() - begun_ms, LONG_MS / 2);
    close(stop_fd);
    close(fd);
}

/* Takes one connection and answers without TLS. */
static void *answer_plainly(void *context)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    char hello[4096];
    int fd = accept(*(const int *)context, NULL, NULL);
    bool done = fd >= 0 && read(fd, hello, sizeof hello) > 0 &&
                write(fd, answer, sizeof answer - 1) == (ssize_t)sizeof answer - 1;
    close(fd);
    return done ? context : NULL;
}

Test(fetch, an_answer_without_tls_is_none)
{
    unsigned port;
    pthread_t thread;
    void *answered = NULL;
    int fd = peer(true, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    cr_assert_eq(pthread_create(&thread, NULL, answer_plainly, &fd), 0);
    expect_failure(&request, LONG_MS, ERR_TLS);
    pthread_join(thread, &answered);
    cr_expect(answered);
    close(fd);
}

/* What this thread has read from files and sockets, in bytes. */
static unsigned long long bytes_read(void)
{
    static const char name[] = "rchar: ";
    char line[64] = {0};
    FILE *file = fopen("/proc/thread-self/io", "re");
    cr_assert(file);
    cr_assert(fgets(line, sizeof line, file));
    fclose(file);
    cr_assert_eq(strncmp(line, name, sizeof name - 1), 0);
    return strtoull(line + sizeof name - 1, NULL, 10);
}

/* libcurl loads whom it trusts before the first byte of the handshake. */
Test(fetch, the_large_file_of_the_systems_authorities_is_not_read_for_each_request)
{
    unsigned port;
    pthread_t thread;
    int fd = peer(true, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    cr_assert_eq(pthread_create(&thread, NULL, answer_plainly, &fd), 0);
    unsigned long long before = bytes_read();
    expect_failure(&request, LONG_MS, ERR_TLS);
    cr_expect_lt(bytes_read() - before, 100000);
    pthread_join(thread, NULL);
    close(fd);
}

Test(fetch, a_proxy_of_the_environment_is_not_asked)
{
    unsigned port, proxy_port;
    int fd = peer(false, &port), proxy = peer(true, &proxy_port);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy_port);
    setenv("https_proxy", url, 1);
    setenv("ALL_PROXY", url, 1);
    struct fetch_request request = request_to("127.0.0.1", port);
    expect_failure(&request, LONG_MS, ERR_CONNECT);
    struct pollfd asked = {.fd = proxy, .events = POLLIN};
    cr_expect_eq(poll(&asked, 1, 0), 0, "the proxy was asked");
    close(proxy);
    close(fd);
}

Test(fetch, an_address_of_version_6_needs_no_brackets)
{
    struct fetch_request request = request_to("::1", 1);
    expect_failure(&request, LONG_MS, ERR_CONNECT);
    cr_expect_not(strstr(err.text, "resolve"), "%s", err.text);
}

Test(fetch, a_name_that_nobody_answers_for_is_given_up)
{
    struct fetch_request request = request_to("hangs.test", 1);
    int64_t begun_ms = clock_monotonic_ms();
    expect_failure(&request, SHORT_MS, ERR_DNS);
    cr_expect_lt(clock_monotonic_ms() - begun_ms, LONG_MS);
    cr_expect_lt(result.phase_s[FETCH_DNS], 0);
}

Test(fetch, an_authority_file_that_is_not_there_is_a_matter_of_configuration)
{
    unsigned port;
    int fd = peer(true, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    request.ca_file = "/nowhere/ca.crt";
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    cr_expect(strstr(err.text, "/nowhere/ca.crt"), "%s", err.text);
    close(fd);
}

/* Whoever opened it would wait for ever for somebody to write. */
Test(fetch, an_authority_file_that_is_a_named_pipe_is_not_waited_for, .timeout = 20)
{
    char path[] = "/tmp/test_fetch_XXXXXX";
    struct fetch_request request = request_to("127.0.0.1", 1);
    cr_assert_eq(close(mkstemp(path)), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    request.ca_file = path;
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    cr_expect(strstr(err.text, path), "%s", err.text);
    cr_expect_eq(unlink(path), 0);
}

Test(fetch, authorities_without_an_end_are_not_read_to_it)
{
    char path[] = "/tmp/test_fetch_XXXXXX";
    struct fetch_request request = request_to("127.0.0.1", 1);
    int fd = mkstemp(path);
    cr_assert_eq(ftruncate(fd, 1 << 30), 0);
    request.ca_file = path;
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    cr_expect(strstr(err.text, "File too large"), "%s", err.text);
    cr_expect_eq(unlink(path), 0);
    close(fd);
}

Test(fetch, an_authority_file_without_any_authority_does_not_end_in_trusting_the_systems)
{
    unsigned port;
    int fd = peer(true, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    request.ca_file = "/dev/null";
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    char path[] = "/tmp/test_fetch_XXXXXX";
    cr_assert_eq(close(mkstemp(path)), 0);
    request.ca_file = path;
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    request.ca_file = "/proc/self/status"; /* words, but no certificate */
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    cr_expect_eq(unlink(path), 0);
    close(fd);
}

Test(fetch, what_would_end_a_line_early_is_not_sent)
{
    const char *const headers[] = {"x-fine: a b", "x-token: a\r\nHost: elsewhere", NULL};
    struct fetch_signature signature = {"eu\nwest", "s3", "key", "secret"};
    struct fetch_request base = request_to("127.0.0.1", 1), request;
    request = base, request.headers = headers;
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    cr_expect_not(strstr(err.text, "elsewhere"), "%s", err.text);
    request = base, request.target = "/a b";
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    request = base, request.authority = "a\tb";
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    request = base, request.host = "trusted@127.0.0.1";
    expect_failure(&request, LONG_MS, ERR_CONFIG);
    request = base, request.signature = &signature;
    expect_failure(&request, LONG_MS, ERR_CONFIG);
}

Test(fetch, secrets_are_in_no_message)
{
    const char *const headers[] = {"x-amz-security-token: tokentoken", NULL};
    struct fetch_signature signature = {"auto", "s3", "keykeykey", "secretsecret"};
    unsigned port;
    int fd = peer(false, &port);
    struct fetch_request request = request_to("127.0.0.1", port);
    request.headers = headers;
    request.signature = &signature;
    expect_failure(&request, LONG_MS, ERR_CONNECT);
    cr_expect_not(strstr(err.text, "tokentoken"));
    cr_expect_not(strstr(err.text, "keykeykey"));
    cr_expect_not(strstr(err.text, "secretsecret"));
    close(fd);
}

static size_t entries(const char *directory)
{
    size_t count = 0;
    DIR *list = opendir(directory);
    cr_assert(list);
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

Test(fetch, neither_a_thread_nor_a_descriptor_stays_behind)
{
    unsigned port;
    int fd = peer(true, &port);
    struct fetch_request request = request_to("localhost", port);
    /* Long enough for the name; what libraries keep for good is there after the first. */
    expect_failure(&request, NAME_MS, ERR_TIMEOUT);
    size_t threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
    expect_failure(&request, NAME_MS, ERR_TIMEOUT);
    cr_expect_eq(entries("/proc/self/task"), threads);
    cr_expect_eq(entries("/proc/self/fd"), descriptors);
    close(fd);
}
