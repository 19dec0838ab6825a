#include "exporter/sources/pg_endpoint.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "exporter/base/strbuf.h"

/* "two" has two addresses, "one" has one, "none" has none, others are unknown. */
static bool fake_resolve(void *context, const char *host, struct probe_addresses *ret,
                         struct err *err)
{
    size_t *calls = context;
    (*calls)++;
    *ret = (struct probe_addresses){0};
    if (strcmp(host, "late") == 0)
        return err_set(err, ERR_STOPPED, "stopped");
    ret->count = strcmp(host, "two") == 0 ? 2 : strcmp(host, "one") == 0 ? 1 : 0;
    for (size_t i = 0; i < ret->count; i++)
        snprintf(ret->text[i], sizeof ret->text[i], "10.0.0.%zu", i + 1);
    return ret->count > 0 || strcmp(host, "none") == 0 ||
           err_set(err, ERR_DNS, "host %s is unknown", host);
}

static size_t resolved;

static bool expand(struct pg_address address, struct pg_endpoints *ret, struct err *err)
{
    struct pg_resolver resolver = {.resolve = fake_resolve, .context = &resolved};
    resolved = 0;
    return pg_endpoints_expand(&address, &resolver, ret, err);
}

/* host|hostaddr|port of each endpoint, separated by blanks. */
static void assert_expands(struct pg_address address, const char *wanted)
{
    struct pg_endpoints list CLEANUP(pg_endpoints_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct err err = {0};
    cr_assert(expand(address, &list, &err), "%s", err.text);
    for (size_t i = 0; i < list.count; i++)
        strbuf_printf(&text, "%s%s|%s|%s", i ? " " : "", list.items[i].host, list.items[i].hostaddr,
                      list.items[i].port);
    cr_assert_str_eq(strbuf_text(&text), wanted);
}

Test(pg_endpoint, a_name_becomes_one_endpoint_per_address)
{
    assert_expands((struct pg_address){"two", NULL, "5433"}, "two|10.0.0.1|5433 two|10.0.0.2|5433");
}

Test(pg_endpoint, sockets_and_numeric_addresses_are_not_resolved)
{
    assert_expands((struct pg_address){"/run/postgresql", "", "5432"}, "/run/postgresql||5432");
    assert_expands((struct pg_address){"@abstract", NULL, NULL}, "@abstract||");
    assert_expands((struct pg_address){"127.0.0.1", NULL, NULL}, "127.0.0.1||");
    assert_expands((struct pg_address){"::1", NULL, NULL}, "::1||");
    assert_expands((struct pg_address){NULL, NULL, NULL}, "||");
    cr_assert_eq(resolved, 0);
}

Test(pg_endpoint, a_given_hostaddr_is_not_resolved)
{
    assert_expands((struct pg_address){"one", "192.0.2.1", "1"}, "one|192.0.2.1|1");
    cr_assert_eq(resolved, 0);
    assert_expands((struct pg_address){NULL, "192.0.2.1,192.0.2.2", "1,2"},
                   "|192.0.2.1|1 |192.0.2.2|2");
}

Test(pg_endpoint, a_list_keeps_its_order_and_its_ports)
{
    assert_expands((struct pg_address){"one,/run,two", NULL, "1,2,3"},
                   "one|10.0.0.1|1 /run||2 two|10.0.0.1|3 two|10.0.0.2|3");
    assert_expands((struct pg_address){"/a,/b", NULL, "7"}, "/a||7 /b||7");
}

Test(pg_endpoint, a_host_without_hostaddr_in_a_list_is_resolved)
{
    assert_expands((struct pg_address){"one,one", "192.0.2.1,", "1"},
                   "one|192.0.2.1|1 one|10.0.0.1|1");
    cr_assert_eq(resolved, 1);
}

Test(pg_endpoint, an_unknown_name_is_passed_over_while_others_are_left)
{
    assert_expands((struct pg_address){"unknown,one,none", NULL, "1,2,3"}, "one|10.0.0.1|2");
}

static void assert_fails(struct pg_address address, enum err_code code, const char *wanted)
{
    struct pg_endpoints list = {0};
    struct err err = {0};
    cr_assert(!expand(address, &list, &err));
    cr_assert_eq(err.code, code, "%s", err_name(err.code));
    cr_assert(strstr(err.text, wanted), "%s", err.text);
    cr_assert_eq(list.count, 0);
}

Test(pg_endpoint, no_known_name_is_an_error)
{
    assert_fails((struct pg_address){"unknown", NULL, NULL}, ERR_DNS, "host unknown is unknown");
    assert_fails((struct pg_address){"none", NULL, NULL}, ERR_DNS, "host none has no address");
}

Test(pg_endpoint, what_stops_the_resolver_stops_the_list)
{
    assert_fails((struct pg_address){"one,late,two", NULL, NULL}, ERR_STOPPED, "stopped");
    cr_assert_eq(resolved, 2);
}

Test(pg_endpoint, an_empty_host_in_a_list_is_refused)
{
    assert_fails((struct pg_address){"one,,two", NULL, NULL}, ERR_CONFIG, "empty entry");
}

Test(pg_endpoint, lists_of_unlike_length_are_left_to_libpq)
{
    assert_expands((struct pg_address){"one,two", NULL, "1,2,3"}, "one,two||1,2,3");
    assert_expands((struct pg_address){"one,two", "192.0.2.1", "1"}, "one,two|192.0.2.1|1");
    cr_assert_eq(resolved, 0);
}
