/*
 * The runner of these tests is also the probe child: proc starts /proc/self/exe, which is the
 * runner, and a constructor hands `--probe` over before Criterion sees it.
 */
#include "exporter/sources/probe.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

static struct proc_pool *pool;
static struct probe_addresses addresses;
static struct err err;

/* The answer about a host that needs no resolver, as bytes; how many. */
static size_t sound_answer(char *bytes, size_t size)
{
    char *const argv[] = {strdup("x"), strdup("--probe"), strdup("resolve"), strdup("127.0.0.1"),
                          NULL};
    int memory = memfd_create("answer", MFD_CLOEXEC);
    int own_output = dup(STDOUT_FILENO);
    dup2(memory, STDOUT_FILENO);
    if (probe_main(4, argv) != 0)
        _exit(1);
    dup2(own_output, STDOUT_FILENO);
    ssize_t length = pread(memory, bytes, size, 0);
    return length > 0 ? (size_t)length : 0;
}

/* Answers that are nearly sound. */
static void answer_wrong(const char *host)
{
    char bytes[8192] = "";
    size_t length = sound_answer(bytes, sizeof bytes);
    if (strcmp(host, "short.test") == 0)
        length--;
    if (strcmp(host, "long.test") == 0)
        length++;
    if (strcmp(host, "foreign.test") == 0)
        bytes[0] ^= 1;
    _exit(write(STDOUT_FILENO, bytes, length) == (ssize_t)length ? 0 : 1);
}

/* Hosts for which the child misbehaves as a resolver or a broken program may. */
static void misbehave(const char *host)
{
    static const char *const wrong[] = {"sound.test", "short.test", "long.test", "foreign.test"};
    if (strcmp(host, "hangs.test") == 0) {
        for (;;)
            pause();
    }
    if (strcmp(host, "crashes.test") == 0)
        abort();
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (strcmp(host, wrong[i]) == 0)
            answer_wrong(host);
    }
}

__attribute__((constructor)) static void be_the_probe(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--probe") != 0)
        return;
    if (argc == 4)
        misbehave(argv[3]);
    _exit(probe_main(argc, argv));
}

static void pool_setup(void)
{
    const struct proc_limits limits = {.at_once = 1, .stuck = 1};
    pool = proc_pool_new(&limits);
    cr_assert_not_null(pool);
}

static void pool_teardown(void)
{
    proc_pool_free(pool);
}

TestSuite(probe, .init = pool_setup, .fini = pool_teardown, .timeout = 30);

static bool resolve_within(const char *host, int64_t timeout_ms)
{
    struct bound bound = bound_after(timeout_ms, -1);
    return probe_resolve(pool, host, &bound, &addresses, &err);
}

static void expect_only(const char *address)
{
    cr_expect_eq(addresses.count, 1);
    cr_expect_str_eq(addresses.text[0], address);
}

Test(probe, a_name_becomes_its_addresses)
{
    bool loopback = false;
    cr_assert(resolve_within("localhost", 20000), "%s", err.text);
    cr_assert_leq(addresses.count, PROBE_ADDRESS_MAX);
    for (size_t i = 0; i < addresses.count; i++)
        loopback = loopback || strcmp(addresses.text[i], "127.0.0.1") == 0 ||
                   strcmp(addresses.text[i], "::1") == 0;
    cr_expect(loopback);
}

Test(probe, a_numeric_ipv4_address_needs_no_child)
{
    cr_assert(resolve_within("192.0.2.7", 0), "%s", err.text);
    expect_only("192.0.2.7");
}

Test(probe, a_numeric_ipv6_address_needs_no_child)
{
    cr_assert(resolve_within("2001:db8:0::7", 0), "%s", err.text);
    expect_only("2001:db8::7");
}

Test(probe, a_scope_is_kept)
{
    cr_assert(resolve_within("fe80::1%lo", 0), "%s", err.text);
    expect_only("fe80::1%lo");
}

Test(probe, a_name_that_does_not_exist_is_a_dns_error_that_names_it)
{
    cr_assert_not(resolve_within("not a name", 20000));
    cr_expect_eq(err.code, ERR_DNS);
    cr_expect_not_null(strstr(err.text, "cannot resolve not a name: "), "%s", err.text);
    cr_expect_null(strstr(err.text, "no answer within"), "%s", err.text);
}

Test(probe, a_resolver_that_does_not_answer_is_a_dns_error_that_names_the_limit)
{
    cr_assert_not(resolve_within("hangs.test", 200));
    cr_expect_eq(err.code, ERR_DNS);
    cr_expect_not_null(strstr(err.text, "cannot resolve hangs.test: no answer within "), "%s",
                       err.text);
    cr_expect_not_null(strstr(err.text, "00 ms"), "%s", err.text);
}

Test(probe, a_stop_is_told_as_a_stop)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    close(ends[1]); /* readable: end of file */
    struct bound bound = bound_after(20000, ends[0]);
    cr_assert_not(probe_resolve(pool, "localhost", &bound, &addresses, &err));
    cr_expect_eq(err.code, ERR_STOPPED);
    close(ends[0]);
}

Test(probe, a_whole_answer_is_taken)
{
    cr_assert(resolve_within("sound.test", 20000), "%s", err.text);
    expect_only("127.0.0.1");
}

static void expect_no_answer(const char *host)
{
    addresses = (struct probe_addresses){.count = 1, .text = {"before"}};
    cr_expect_not(resolve_within(host, 20000));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect_not_null(strstr(err.text, "bytes that are no answer"), "%s", err.text);
    expect_only("before");
}

Test(probe, an_answer_without_its_last_byte_is_none)
{
    expect_no_answer("short.test");
}

Test(probe, an_answer_with_a_byte_more_is_none)
{
    expect_no_answer("long.test");
}

Test(probe, an_answer_of_something_else_is_none)
{
    expect_no_answer("foreign.test");
}

Test(probe, a_child_that_crashes_is_told_as_such)
{
    cr_assert_not(resolve_within("crashes.test", 20000));
    cr_expect_eq(err.code, ERR_EXIT);
    cr_expect_not_null(strstr(err.text, "cannot resolve crashes.test: "), "%s", err.text);
}

/* Let /etc/hosts be this text, for this process and its children only. */
static void hosts_are(const char *text)
{
    char path[] = "/tmp/hosts.XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    cr_assert_eq(unshare(CLONE_NEWNS), 0, "needs root, or `unshare -r` before the runner");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount(path, "/etc/hosts", NULL, MS_BIND, NULL), 0);
    unlink(path);
}

Test(probe, addresses_beyond_the_most_are_left_out)
{
    struct strbuf hosts CLEANUP(strbuf_done) = {0};
    for (int i = 0; i < PROBE_ADDRESS_MAX + 4; i++)
        strbuf_printf(&hosts, "192.0.2.%d many.test\n", 100 + i);
    hosts_are(strbuf_text(&hosts));
    cr_assert(resolve_within("many.test", 20000), "%s", err.text);
    cr_expect_eq(addresses.count, PROBE_ADDRESS_MAX);
    for (size_t i = 0; i < addresses.count; i++)
        cr_expect_eq(strncmp(addresses.text[i], "192.0.2.1", 9), 0, "%s", addresses.text[i]);
}

/* Start the child as its parent does, with other arguments. */
static void expect_refused(const char *operation, const char *argument)
{
    const char *const argv[] = {"/proc/self/exe", "--probe", operation, argument, NULL};
    const char *const envp[] = {NULL};
    const struct proc_spec spec = {.argv = argv, .envp = envp};
    struct bound bound = bound_after(20000, -1);
    struct proc_result result CLEANUP(proc_result_done) = {0};
    cr_expect_not(proc_run(pool, &spec, &bound, &result, &err));
    cr_expect_eq(result.exit_status, 2);
    cr_expect_not_null(strstr(strbuf_text(&result.errors), "--probe OPERATION ARGUMENT"));
    cr_expect_str_eq(strbuf_text(&result.output), "");
}

Test(probe, an_operation_that_does_not_exist_is_refused)
{
    expect_refused("remove", "/");
}

Test(probe, an_operation_without_its_argument_is_refused)
{
    expect_refused("resolve", NULL);
}
