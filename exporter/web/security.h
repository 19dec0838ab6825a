/*
 * security - what the web server demands and says: TLS, users, headers. One file, read as a whole;
 * a running server exchanges the old one for the new.
 */
#ifndef EXPORTER_WEB_SECURITY_H
#define EXPORTER_WEB_SECURITY_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"
#include "exporter/web/auth.h"
#include "exporter/web/tls.h"

/* Shared and never changed; only auth remembers behind its own lock. */
struct security;

/*
 * Read a web configuration file (web_config.h) and the files it names. `before`, the one in force,
 * or NULL: what it remembers of logins is kept where the users are the same. The caller holds the
 * only reference. Errors as web_config_read() and tls_new(). Blocks on local files only.
 */
bool security_read(const char *path, struct security *before, struct security **ret,
                   struct err *err) MUST_USE;

struct security *security_ref(struct security *security); /* returns it; takes NULL */
void security_unref(struct security *security);           /* takes NULL */

/* Each is the security's own; NULL when it is not asked for. All of them take NULL. */
const struct tls *security_tls(const struct security *security);
struct auth *security_auth(const struct security *security);

/* The headers of every answer; empty for none. */
const struct pair_list *security_headers(const struct security *security);

/* How many users there are; 0: everybody may ask. */
size_t security_user_count(const struct security *security);

/* Every file it was made from, absolute. */
const struct text_list *security_files(const struct security *security);

#endif
