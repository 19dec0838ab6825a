/*
 * http_gate - lets in who may ask: the part of the HTTP server that looks at users and passwords.
 *
 * A request whose password has to be worked out is suspended until that is done, so the server's
 * threads go on with all others.
 */
#ifndef EXPORTER_WEB_HTTP_GATE_H
#define EXPORTER_WEB_HTTP_GATE_H

#include <microhttpd.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/web/http.h"
#include "exporter/web/security.h"

struct http_gate;

enum http_pass {
    HTTP_PASS_OPEN,   /* answer it */
    HTTP_PASS_CLOSED, /* http_gate_refuse() */
    HTTP_PASS_BUSY,   /* the same: too many passwords are being worked out */
    HTTP_PASS_WAIT,   /* the request is suspended: it will come again */
};

/* A request on its way through the gate; all-zero at its start, ended by http_visit_done(). */
struct http_visit {
    struct auth_question *question;
};

/* ERR_SYSTEM, ERR_MEMORY. Starts a thread. */
bool http_gate_start(struct http_gate **ret, struct err *err) MUST_USE;

/* Resume every request that is suspended, from now on at once; before the server is stopped. */
void http_gate_stop(struct http_gate *gate); /* takes NULL */
void http_gate_free(struct http_gate *gate); /* takes NULL; after the server was stopped */

/* Whether this request may be answered, by the users of `security` (may be NULL). Does not block.
 */
enum http_pass http_gate_ask(struct http_gate *gate, struct security *security,
                             struct MHD_Connection *connection, struct http_visit *visit);

/* Fill in what is said to who is not let in. */
void http_gate_refuse(enum http_pass pass, struct http_response *response);

void http_visit_done(struct http_visit *visit);

#endif
