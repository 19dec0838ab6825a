#include "exporter/sources/pg_error.h"

#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

static const struct {
    const char *prefix;
    enum err_code code;
} sqlstates[] = {
    {"28", ERR_AUTH},    /* invalid authorization */
    {"3D000", ERR_AUTH}, /* unknown database */
    {"42501", ERR_PERMISSION},
    {"08", ERR_CONNECT},    /* connection exceptions; PgBouncer's own errors too */
    {"53300", ERR_CONNECT}, /* too many connections */
    {"57014", ERR_TIMEOUT}, /* cancelled: by our statement_timeout, as a rule */
    {"57P", ERR_CONNECT},   /* shutting down, crashed, starting up, dropped, idle for too long */
};

static enum err_code code_of_sqlstate(const char *sqlstate)
{
    for (size_t i = 0; i < COUNT_OF(sqlstates); i++) {
        if (strncmp(sqlstate, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0)
            return sqlstates[i].code;
    }
    return ERR_QUERY;
}

/* What libpq itself says of a failed connection; the first that fits. It has no codes for these. */
static const struct {
    const char *words;
    enum err_code code;
} client_failures[] = {
    {"SSL SYSCALL", ERR_CONNECT}, /* reset or closed in the middle of the handshake */
    {"SSL", ERR_TLS},
    {"certificate", ERR_TLS},
    {"private key", ERR_TLS},
    {"password", ERR_AUTH},
    {"authentication method", ERR_AUTH},
    {"SCRAM", ERR_AUTH},
    {"channel binding", ERR_AUTH},
    {"GSSAPI", ERR_AUTH},
    {"expected authentication request", ERR_PROTOCOL},
    {"Permission denied", ERR_PERMISSION},
    {"out of memory", ERR_MEMORY},
};

static enum err_code code_of_client_failure(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(client_failures); i++) {
        if (strstr(text, client_failures[i].words))
            return client_failures[i].code;
    }
    return ERR_CONNECT;
}

/* The SQLSTATE in "FATAL:  28P01: text", as PQERRORS_VERBOSE writes it in any language; or NULL. */
static const char *find_sqlstate(const char *text)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  ")) {
        if (strspn(at + 3, letters) == 5 && at[8] == ':')
            return at + 3;
    }
    return NULL;
}

/* All lines in one, but for the verbose form's place in the server's source. */
static void add_one_line(struct strbuf *out, const char *text)
{
    while (*text) {
        text += strspn(text, " \t\r\n");
        size_t length = strcspn(text, "\r\n");
        bool wanted = length > 0 && strncmp(text, "LOCATION:", strlen("LOCATION:")) != 0;
        if (wanted && out->length > 0)
            strbuf_putc(out, ' ');
        if (wanted)
            utf8_repair_printable(out, text, length);
        text += length;
    }
}

bool pg_fail_with(struct err *err, enum err_code code, const char *text)
{
    struct strbuf line CLEANUP(strbuf_done) = {0};
    add_one_line(&line, text);
    return err_set(err, code, "%s", strbuf_text(&line));
}

bool pg_fail_of_connection(const PGconn *connection, struct err *err)
{
    static const char made[] = "connection to server"; /* begins whatever went wrong on the way */
    const char *text = PQerrorMessage(connection);
    if (strncmp(text, made, strlen(made)) != 0) {
        pg_fail_with(err, ERR_CONFIG, text);
        return err_prefix(err, "PostgreSQL connection options");
    }
    const char *sqlstate = find_sqlstate(text);
    const char *reason = strstr(text, " failed: ");
    enum err_code code =
        sqlstate ? code_of_sqlstate(sqlstate) : code_of_client_failure(reason ? reason : text);
    return pg_fail_with(err, code, text);
}

/* "PostgreSQL at /var/run/postgresql:5432" before the text of *err. */
static bool name_server(const PGconn *connection, struct err *err)
{
    const char *host = PQhost(connection), *port = PQport(connection);
    return err_prefix(err, "PostgreSQL at %s:%s", host ? host : "", port ? port : "");
}

bool pg_fail_of_result(const PGconn *connection, const PGresult *result, struct err *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate && message)
        pg_fail_with(err, code_of_sqlstate(sqlstate), message);
    else
        pg_fail_with(err, ERR_CONNECT, PQresultErrorMessage(result));
    return name_server(connection, err);
}

bool pg_fail_of_lost(const PGconn *connection, struct err *err)
{
    pg_fail_with(err, ERR_CONNECT, PQerrorMessage(connection));
    return name_server(connection, err);
}
