#include "exporter/web/http_gate.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "exporter/web/auth_queue.h"

/* A hash of cost 12 takes about 0.2 s: the last of 16 waits for some seconds, not for minutes. */
#define QUESTIONS            16
#define QUESTIONS_OF_ADDRESS 4

struct http_gate {
    struct auth_queue *queue;
};

bool http_gate_start(struct http_gate **ret, struct err *err)
{
    const struct auth_queue_limits limits = {QUESTIONS, QUESTIONS_OF_ADDRESS};
    struct http_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return err_memory(err);
    if (!auth_queue_start(&limits, &gate->queue, err)) {
        free(gate);
        return false;
    }
    *ret = gate;
    return true;
}

void http_gate_stop(struct http_gate *gate)
{
    if (gate)
        auth_queue_stop(gate->queue);
}

void http_gate_free(struct http_gate *gate)
{
    if (!gate)
        return;
    auth_queue_free(gate->queue);
    free(gate);
}

/* The client as text, without its port; "" for one that has no address. */
static void say_address(struct MHD_Connection *connection, char text[static INET6_ADDRSTRLEN])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    const void *bytes = NULL;
    text[0] = '\0';
    if (!address)
        return;
    if (address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (bytes && !inet_ntop(address->sa_family, bytes, text, INET6_ADDRSTRLEN))
        text[0] = '\0';
}

static void resume(void *connection)
{
    MHD_resume_connection(connection);
}

/* Suspend first: the verdict may come before this returns. */
static enum http_pass work_out(struct http_gate *gate, struct security *security,
                               struct MHD_Connection *connection, struct login *login,
                               struct http_visit *visit)
{
    char address[INET6_ADDRSTRLEN];
    say_address(connection, address);
    visit->question = auth_question_new(gate->queue, security, login, address);
    if (!visit->question)
        return HTTP_PASS_BUSY;
    MHD_suspend_connection(connection);
    auth_question_ask(visit->question, resume, connection);
    return HTTP_PASS_WAIT;
}

static enum http_pass verdict(const struct auth_question *question)
{
    switch (auth_question_verdict(question)) {
    case AUTH_RIGHT:
        return HTTP_PASS_OPEN;
    case AUTH_WRONG:
        return HTTP_PASS_CLOSED;
    case AUTH_WITHOUT:
        break;
    }
    return HTTP_PASS_BUSY;
}

enum http_pass http_gate_ask(struct http_gate *gate, struct security *security,
                             struct MHD_Connection *connection, struct http_visit *visit)
{
    struct auth *auth = security_auth(security);
    struct login login CLEANUP(login_done) = {0};
    if (visit->question)
        return verdict(visit->question);
    if (!auth)
        return HTTP_PASS_OPEN;
    if (!login_parse(
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION),
            &login))
        return HTTP_PASS_CLOSED;
    if (auth_recall(auth, &login) == AUTH_GRANTED)
        return HTTP_PASS_OPEN;
    return work_out(gate, security, connection, &login, visit);
}

void http_gate_refuse(enum http_pass pass, struct http_response *response)
{
    bool closed = pass == HTTP_PASS_CLOSED;
    response->status = closed ? MHD_HTTP_UNAUTHORIZED : MHD_HTTP_SERVICE_UNAVAILABLE;
    strbuf_puts(&response->body, closed ? "a name and a password that fit are needed\n"
                                        : "too many passwords are being checked; ask again\n");
}

void http_visit_done(struct http_visit *visit)
{
    auth_question_free(visit->question);
    visit->question = NULL;
}
