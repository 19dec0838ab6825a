/*
 * tls - the server's side of TLS: its certificate, the versions it speaks, and what it asks of
 * the certificates of its clients. By GnuTLS, one set of credentials for any number of sessions.
 */
#ifndef EXPORTER_WEB_TLS_H
#define EXPORTER_WEB_TLS_H

#include <stdbool.h>

#include <gnutls/gnutls.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/web/web_config.h"

struct tls;

/*
 * Read the files that the configuration names. ERR_PERMISSION, ERR_CONFIG (a file is missing or
 * no PEM, the certificate's time is over or has not come, the key is another's or encrypted),
 * ERR_SYSTEM, ERR_MEMORY: the text names the file, and nothing of a key. Blocks on reading local
 * files only.
 */
bool tls_new(const struct web_tls_config *config, struct tls **ret, struct err *err) MUST_USE;

/* No session may use it any more. Takes NULL. */
void tls_free(struct tls *tls);

/*
 * Give these credentials to a server's session whose handshake has not begun, in place of those it
 * has. tls must outlive the session. False: the session is as it was or unusable: end it. Any
 * thread; does not block.
 */
bool tls_apply(const struct tls *tls, gnutls_session_t session) MUST_USE;

#endif
