#include "exporter/sources/pg.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#include "exporter/base/strbuf.h"
#include "exporter/sources/pg_connect.h"
#include "exporter/sources/pg_error.h"

struct pg {
    struct proc_pool *pool;
    char *conninfo;
    PGconn *connection; /* NULL while there is none */
    int server_version;
};

struct pg_rows {
    PGresult *result;
};

static void result_done(PGresult **result)
{
    PQclear(*result);
}

static void disconnect(struct pg *pg)
{
    PQfinish(pg->connection);
    pg->connection = NULL;
}

static bool flush(PGconn *connection, const struct pg_step *step, struct err *err)
{
    int flushed;
    while ((flushed = PQflush(connection)) == 1) {
        if (!pg_wait(connection, POLLIN | POLLOUT, step, err))
            return false;
        if (!PQconsumeInput(connection))
            return pg_fail_of_lost(connection, err);
    }
    return flushed == 0 || pg_fail_of_lost(connection, err);
}

/* The next result of the statements under way, NULL after the last. */
static bool next_result(PGconn *connection, const struct pg_step *step, PGresult **ret,
                        struct err *err)
{
    while (PQisBusy(connection)) {
        if (!pg_wait(connection, POLLIN, step, err))
            return false;
        if (!PQconsumeInput(connection))
            return pg_fail_of_lost(connection, err);
    }
    *ret = PQgetResult(connection);
    return true;
}

static bool last_result(PGconn *connection, const struct pg_step *step, PGresult **ret,
                        struct err *err)
{
    PGresult *last CLEANUP(result_done) = NULL;
    for (;;) {
        PGresult *result = NULL;
        if (!next_result(connection, step, &result, err))
            return false;
        if (!result)
            break;
        PQclear(last);
        last = result;
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            return pg_fail_of_result(connection, result, err);
    }
    *ret = TAKE(last);
    return *ret || err_memory(err);
}

/* Just over the rest; statement_timeout takes no more than 24 days. */
static int timeout_seconds(const struct pg_step *step)
{
    const int most = 24 * 3600;
    int seconds = step->limit_ms / 1000 + 1;
    return seconds < most ? seconds : most;
}

/*
 * Several statements in one message are one transaction, so that what is set ends with it. Whole
 * seconds, because pg_stat_statements would keep an entry for every other number.
 */
static void add_statements(struct strbuf *out, const char *statement, const struct pg_step *step)
{
    strbuf_printf(out,
                  "SET LOCAL statement_timeout = '%ds'; SET LOCAL search_path = pg_catalog; "
                  "SET TRANSACTION READ ONLY; %s",
                  timeout_seconds(step), statement);
}

static bool ask(PGconn *connection, const char *statement, const struct bound *bound,
                PGresult **ret, struct err *err)
{
    struct pg_step step = pg_step_begin(bound);
    struct strbuf statements CLEANUP(strbuf_done) = {0};
    add_statements(&statements, statement, &step);
    if (statements.failed)
        return err_memory(err);
    if (!PQsendQuery(connection, strbuf_text(&statements)))
        return pg_fail_of_lost(connection, err);
    return flush(connection, &step, err) && last_result(connection, &step, ret, err);
}

static bool connect_now(struct pg *pg, const struct bound *bound, struct err *err)
{
    if (!pg_connect(pg->pool, pg->conninfo, bound, &pg->connection, err))
        return false;
    pg->server_version = PQserverVersion(pg->connection);
    return true;
}

/* Ask over the connection there is, or a new one; after a failure there is none. */
static bool ask_once(struct pg *pg, const char *statement, const struct bound *bound,
                     PGresult **ret, struct err *err)
{
    if (!pg->connection && !connect_now(pg, bound, err))
        return false;
    if (ask(pg->connection, statement, bound, ret, err))
        return true;
    disconnect(pg);
    return false;
}

static struct pg_rows *rows_new(PGresult *result)
{
    struct pg_rows *rows = calloc(1, sizeof *rows);
    if (rows)
        rows->result = result;
    return rows;
}

bool pg_query(struct pg *pg, const char *statement, const struct bound *bound, struct pg_rows **ret,
              struct err *err)
{
    PGresult *result CLEANUP(result_done) = NULL;
    struct err failure = {0};
    bool kept = pg->connection != NULL;
    bool asked = ask_once(pg, statement, bound, &result, &failure);
    if (!asked && kept && failure.code == ERR_CONNECT) /* the server was restarted meanwhile */
        asked = ask_once(pg, statement, bound, &result, &failure);
    if (!asked)
        return err_set(err, failure.code, "%s", failure.text);
    struct pg_rows *rows = rows_new(result);
    if (!rows)
        return err_memory(err);
    result = NULL;
    *ret = rows;
    return true;
}

/* libpq quotes what it could not parse, which may be a part of a password. */
static bool may_hold_password(const char *conninfo)
{
    return strstr(conninfo, "password") || strchr(conninfo, '@');
}

static bool check_conninfo(const char *conninfo, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options CLEANUP(pg_options_done) = PQconninfoParse(conninfo, &message);
    bool shown = message && !may_hold_password(conninfo);
    if (!options && shown)
        pg_fail_with(err, ERR_CONFIG, message);
    else if (!options)
        err_set(err, ERR_CONFIG, "libpq cannot parse it (not shown: it may hold a password)");
    PQfreemem(message);
    if (!options)
        return err_prefix(err, "conninfo");
    const char *host = pg_option_value(options, "host");
    if (host && *host && strchr(host + 1, '@')) /* an unescaped @ in a URI's password */
        return err_set(err, ERR_CONFIG, "conninfo: @ in a host name (in a password, write %%40)");
    return true;
}

struct pg *pg_open(struct proc_pool *pool, const char *conninfo, struct err *err)
{
    if (!check_conninfo(conninfo, err))
        return NULL;
    struct pg *pg CLEANUP(pg_closep) = calloc(1, sizeof *pg);
    if (pg)
        pg->conninfo = strdup(conninfo);
    if (!pg || !pg->conninfo) {
        err_memory(err);
        return NULL;
    }
    pg->pool = pool;
    return TAKE(pg);
}

void pg_close(struct pg *pg)
{
    if (!pg)
        return;
    disconnect(pg);
    if (pg->conninfo)
        explicit_bzero(pg->conninfo, strlen(pg->conninfo));
    free(pg->conninfo);
    free(pg);
}

void pg_closep(struct pg **pg)
{
    pg_close(*pg);
}

int pg_server_version(const struct pg *pg)
{
    return pg->server_version;
}

pid_t pg_server_process(const struct pg *pg)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (!pg->connection ||
        getsockopt(PQsocket(pg->connection), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return 0;
    return peer.pid;
}

bool pg_failure_is_outage(enum err_code code)
{
    static const enum err_code outages[] = {ERR_TIMEOUT, ERR_CONNECT,    ERR_DNS,     ERR_TLS,
                                            ERR_AUTH,    ERR_PERMISSION, ERR_PROTOCOL};
    for (size_t i = 0; i < COUNT_OF(outages); i++) {
        if (outages[i] == code)
            return true;
    }
    return false;
}

void pg_rows_free(struct pg_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->result);
    free(rows);
}

void pg_rows_freep(struct pg_rows **rows)
{
    pg_rows_free(*rows);
}

int pg_rows_count(const struct pg_rows *rows)
{
    return PQntuples(rows->result);
}

bool pg_rows_null(const struct pg_rows *rows, int row, int column)
{
    return PQgetisnull(rows->result, row, column) != 0;
}

const char *pg_rows_text(const struct pg_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column);
}

double pg_rows_double(const struct pg_rows *rows, int row, int column)
{
    const char *text = PQgetvalue(rows->result, row, column);
    char *end;
    double value = strtod(text, &end);
    return end != text && *end == '\0' ? value : NAN;
}

bool pg_rows_bool(const struct pg_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column)[0] == 't';
}
