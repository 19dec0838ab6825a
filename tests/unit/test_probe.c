/*
 * The runner of these tests is also the probe child: proc starts /proc/self/exe, which is the
 * runner, and a constructor hands `--probe` over before Criterion sees it.
 */
#include "exporter/sources/probe.h"

#include <criterion/criterion.h>
#include <unistd.h>

static struct proc_pool *pool;
static struct probe_addresses addresses;
static struct err err;

/* Hosts for which the child misbehaves as a resolver or a broken program may. */
static void misbehave(const char *host)
{
    if (strcmp(host, "hangs.test") == 0) {
        for (;;)
            pause();
    }
    if (strcmp(host, "half.test") == 0)
        _exit(write(STDOUT_FILENO, "borp", 4) == 4 ? 0 : 1);
    if (strcmp(host, "crashes.test") == 0)
        abort();
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

Test(probe, half_an_answer_is_none)
{
    cr_assert_not(resolve_within("half.test", 20000));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect_str_eq(err.text,
                     "cannot resolve half.test: the probe resolve gave 4 bytes that are no answer");
}

Test(probe, a_child_that_crashes_is_told_as_such)
{
    cr_assert_not(resolve_within("crashes.test", 20000));
    cr_expect_eq(err.code, ERR_EXIT);
}

Test(probe, a_failure_leaves_the_answer_alone)
{
    addresses = (struct probe_addresses){.count = 1, .text = {"before"}};
    cr_assert_not(resolve_within("half.test", 20000));
    expect_only("before");
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
