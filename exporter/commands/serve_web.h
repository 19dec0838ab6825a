/*
 * serve_web - the web configuration of a server that runs: read at its start, and again when one of
 * its files has changed. A wrong one leaves the one before in force.
 */
#ifndef EXPORTER_COMMANDS_SERVE_WEB_H
#define EXPORTER_COMMANDS_SERVE_WEB_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/commands/watch.h"
#include "exporter/web/http.h"
#include "exporter/web/security.h"

/* All-zero: no web configuration. Used by one thread. */
struct serve_web {
    char *path;                /* or NULL */
    struct security *security; /* in force */
    struct watch *watch;       /* of its files */
    struct err error;          /* of the last reading; ERR_NONE when it worked */
    int64_t tried_ms;
};

/* Read the file at path; NULL: none, and that is no error. Errors as security_read(). */
bool serve_web_open(struct serve_web *web, const char *path, struct err *err) MUST_USE;

/* Whether a file has changed, or the time has come to see whether what was wrong was mended. */
bool serve_web_is_due(struct serve_web *web);

/* Read it again and put it into force; what comes of it is logged and stays in web->error. */
void serve_web_reload(struct serve_web *web, struct http_server *server);

void serve_web_close(struct serve_web *web);

#endif
