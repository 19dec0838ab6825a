#include "exporter/sources/pg_connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "exporter/sources/pg_endpoint.h"
#include "exporter/sources/pg_error.h"

void pg_options_done(PQconninfoOption **options)
{
    PQconninfoFree(*options);
}

static void connection_done(PGconn **connection)
{
    PQfinish(*connection);
}

struct pg_step pg_step_begin(const struct bound *bound)
{
    return (struct pg_step){.bound = bound, .limit_ms = bound_remaining_ms(bound)};
}

static bool fail_of_wait(const PGconn *connection, const struct pg_step *step, struct err *err)
{
    const char *host = PQhost(connection), *port = PQport(connection);
    return err_set(err, ERR_TIMEOUT, "PostgreSQL at %s:%s did not answer within %d ms",
                   host ? host : "", port ? port : "", step->limit_ms);
}

bool pg_wait(const PGconn *connection, short events, const struct pg_step *step, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = PQsocket(connection), .events = events},
            {.fd = step->bound->stop_fd, .events = POLLIN},
        };
        int remaining_ms = bound_remaining_ms(step->bound);
        if (remaining_ms == 0)
            return fail_of_wait(connection, step, err);
        int ready = poll(fds, COUNT_OF(fds), remaining_ms);
        if (ready < 0 && errno != EINTR)
            return err_system(err, errno, "cannot wait for PostgreSQL");
        if (ready > 0 && fds[1].revents)
            return err_set(err, ERR_STOPPED, "stopped while waiting for PostgreSQL");
        if (ready > 0)
            return true;
    }
}

static void ignore_notice(void *unused UNUSED, const PGresult *notice UNUSED)
{
}

static bool connect_steps(PGconn *connection, const struct bound *bound, struct err *err)
{
    struct pg_step step = pg_step_begin(bound);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED)
            return pg_fail_of_connection(connection, err);
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!pg_wait(connection, events, &step, err))
            return false;
        status = PQconnectPoll(connection);
    }
    return PQsetnonblocking(connection, 1) == 0 || pg_fail_of_lost(connection, err);
}

/*
 * What stands before the conninfo ("dbname" is expanded) is overridden by it, what follows it
 * overrides. Encrypting by GSSAPI would talk to the Kerberos server without a bound.
 */
static PGconn *start_connection(const char *conninfo, const struct pg_endpoint *endpoint)
{
    const char *const names[] = {"fallback_application_name",
                                 "gssencmode",
                                 "client_encoding",
                                 "dbname",
                                 "host",
                                 "hostaddr",
                                 "port",
                                 NULL};
    const char *const values[] = {"pgbackup_exporter", "disable",          "UTF8",         conninfo,
                                  endpoint->host,      endpoint->hostaddr, endpoint->port, NULL};
    return PQconnectStartParams(names, values, 1);
}

static bool connect_one(const char *conninfo, const struct pg_endpoint *endpoint,
                        const struct bound *bound, PGconn **ret, struct err *err)
{
    PGconn *connection CLEANUP(connection_done) = start_connection(conninfo, endpoint);
    if (!connection)
        return err_memory(err);
    if (PQstatus(connection) == CONNECTION_BAD)
        return pg_fail_of_connection(connection, err);
    PQsetNoticeReceiver(connection, ignore_notice, NULL); /* else libpq prints to stderr */
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);    /* the only way to a SQLSTATE here */
    if (!connect_steps(connection, bound, err))
        return false;
    *ret = TAKE(connection);
    return true;
}

struct resolving {
    struct proc_pool *pool;
    const struct bound *bound;
};

static bool resolve(void *context, const char *host, struct probe_addresses *ret, struct err *err)
{
    const struct resolving *resolving = context;
    return probe_resolve(resolving->pool, host, resolving->bound, ret, err);
}

/*
 * All options as libpq would take them, from conninfo, service file and environment: only a
 * connection knows them. An option that cannot be right keeps it from connecting anywhere.
 */
static PQconninfoOption *effective_options(const char *conninfo)
{
    const char *const names[] = {"dbname", "sslmode", NULL};
    const char *const values[] = {conninfo, "none, only asking", NULL};
    PGconn *connection CLEANUP(connection_done) = PQconnectStartParams(names, values, 1);
    return PQconninfo(connection);
}

const char *pg_option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++) {
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    }
    return NULL;
}

static bool find_endpoints(const char *conninfo, struct resolving *resolving,
                           struct pg_endpoints *ret, struct err *err)
{
    PQconninfoOption *options CLEANUP(pg_options_done) = effective_options(conninfo);
    if (!options)
        return err_memory(err);
    struct pg_address address = {
        .host = pg_option_value(options, "host"),
        .hostaddr = pg_option_value(options, "hostaddr"),
        .port = pg_option_value(options, "port"),
    };
    struct pg_resolver resolver = {.resolve = resolve, .context = resolving};
    return pg_endpoints_expand(&address, &resolver, ret, err);
}

static bool another_may_answer(const struct err *err)
{
    return err->code == ERR_CONNECT || err->code == ERR_TIMEOUT;
}

bool pg_connect(struct proc_pool *pool, const char *conninfo, const struct bound *bound,
                PGconn **ret, struct err *err)
{
    struct resolving resolving = {.pool = pool, .bound = bound};
    struct pg_endpoints endpoints CLEANUP(pg_endpoints_done) = {0};
    if (!find_endpoints(conninfo, &resolving, &endpoints, err))
        return false;
    struct err failure = {0};
    for (size_t i = 0; i < endpoints.count; i++) {
        int share_ms = bound_remaining_ms(bound) / (int)(endpoints.count - i);
        struct bound share = bound_after(share_ms, bound->stop_fd);
        if (connect_one(conninfo, &endpoints.items[i], &share, ret, &failure))
            return true;
        if (!another_may_answer(&failure))
            break;
    }
    return err_set(err, failure.code, "%s", failure.text);
}
