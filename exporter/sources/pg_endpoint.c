#include "exporter/sources/pg_endpoint.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static size_t list_count(const char *list)
{
    size_t count = 1;
    for (; *list; list++)
        count += *list == ',';
    return count;
}

/* Copy of the n-th entry of a list; entries past its end are empty. NULL: no memory. */
static char *list_entry(const char *list, size_t index)
{
    for (; index > 0; index--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return strndup(list, strcspn(list, ","));
}

static void endpoint_done(struct pg_endpoint *endpoint)
{
    free(endpoint->host);
    free(endpoint->hostaddr);
    free(endpoint->port);
}

void pg_endpoints_done(struct pg_endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++)
        endpoint_done(&endpoints->items[i]);
    free(endpoints->items);
    *endpoints = (struct pg_endpoints){0};
}

static bool add(struct pg_endpoints *list, const struct pg_address *address, struct err *err)
{
    struct pg_endpoint *items = reallocarray(list->items, list->count + 1, sizeof *items);
    if (!items)
        return err_memory(err);
    list->items = items;
    struct pg_endpoint *endpoint = &items[list->count++]; /* counted at once: done() frees it */
    *endpoint = (struct pg_endpoint){.host = strdup(address->host),
                                     .hostaddr = strdup(address->hostaddr),
                                     .port = strdup(address->port)};
    return (endpoint->host && endpoint->hostaddr && endpoint->port) || err_memory(err);
}

static bool is_name(const char *host)
{
    unsigned char binary[sizeof(struct in6_addr)];
    return *host != '\0' && *host != '/' && *host != '@' && inet_pton(AF_INET, host, binary) != 1 &&
           inet_pton(AF_INET6, host, binary) != 1;
}

static bool add_resolved(struct pg_endpoints *list, const struct pg_address *one,
                         const struct pg_resolver *resolver, struct err *err)
{
    struct probe_addresses found;
    if (!resolver->resolve(resolver->context, one->host, &found, err))
        return false;
    if (found.count == 0)
        return err_set(err, ERR_DNS, "host %s has no address", one->host);
    for (size_t i = 0; i < found.count; i++) {
        struct pg_address address = {one->host, found.text[i], one->port};
        if (!add(list, &address, err))
            return false;
    }
    return true;
}

static bool expand_entry(struct pg_endpoints *list, const struct pg_endpoint *entry,
                         const struct pg_resolver *resolver, struct err *err)
{
    if (!entry->host || !entry->hostaddr || !entry->port)
        return err_memory(err);
    struct pg_address one = {entry->host, entry->hostaddr, entry->port};
    if (*one.hostaddr == '\0' && is_name(one.host))
        return add_resolved(list, &one, resolver, err);
    return add(list, &one, err);
}

/* Left out of the options it would stand for the whole list again. */
static bool is_nowhere(const struct pg_endpoint *entry, size_t count)
{
    return count > 1 && entry->host && *entry->host == '\0' && entry->hostaddr &&
           *entry->hostaddr == '\0';
}

static bool expand_list(struct pg_endpoints *list, const struct pg_address *address,
                        const struct pg_resolver *resolver, struct err *err)
{
    size_t count = list_count(*address->hostaddr ? address->hostaddr : address->host);
    bool one_port = list_count(address->port) == 1;
    struct err unresolved = {0};
    for (size_t i = 0; i < count; i++) {
        struct pg_endpoint entry = {.host = list_entry(address->host, i),
                                    .hostaddr = list_entry(address->hostaddr, i),
                                    .port = list_entry(address->port, one_port ? 0 : i)};
        struct err failure = {0};
        bool added = is_nowhere(&entry, count)
                         ? err_set(&failure, ERR_CONFIG, "a list of hosts has an empty entry")
                         : expand_entry(list, &entry, resolver, &failure);
        endpoint_done(&entry);
        if (!added && failure.code != ERR_DNS)
            return err_set(err, failure.code, "%s", failure.text);
        if (!added)
            unresolved = failure;
    }
    return list->count > 0 || err_set(err, unresolved.code, "%s", unresolved.text);
}

static bool is_well_matched(const struct pg_address *address)
{
    size_t hosts = list_count(address->host), addresses = list_count(address->hostaddr);
    size_t ports = list_count(address->port);
    bool both = *address->host && *address->hostaddr;
    size_t count = *address->hostaddr ? addresses : hosts;
    return (!both || hosts == addresses) && (ports == 1 || ports == count);
}

bool pg_endpoints_expand(const struct pg_address *address, const struct pg_resolver *resolver,
                         struct pg_endpoints *ret, struct err *err)
{
    struct pg_endpoints list CLEANUP(pg_endpoints_done) = {0};
    struct pg_address whole = {address->host ? address->host : "",
                               address->hostaddr ? address->hostaddr : "",
                               address->port ? address->port : ""};
    bool expanded = is_well_matched(&whole) ? expand_list(&list, &whole, resolver, err)
                                            : add(&list, &whole, err);
    if (!expanded)
        return false;
    *ret = list;
    list = (struct pg_endpoints){0};
    return true;
}
