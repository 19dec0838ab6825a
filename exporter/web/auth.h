/*
 * auth - names and passwords (HTTP Basic) against bcrypt hashes.
 *
 * A bcrypt hash is slow to check on purpose, so a login that was right once is remembered, as a
 * keyed digest and never as its text. What is wrong is worked out each time, and a name that
 * nobody has costs the same work as one of those that exist: time tells nothing about names.
 */
#ifndef EXPORTER_WEB_AUTH_H
#define EXPORTER_WEB_AUTH_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

/* Highest cost of a hash that is taken: each step doubles the work, and 17 takes seconds. */
#define AUTH_COST_MAX 17

struct auth;

/* What a client says it is. Both are secrets. */
struct login {
    char *name;
    char *password;
};

enum auth_answer {
    AUTH_GRANTED, /* it was right before, with the same hash */
    AUTH_UNKNOWN, /* auth_work_out() has to tell */
};

/* Whether a user can be one: ERR_CONFIG for a colon in the name, for no bcrypt hash ($2a$, $2b$,
 * $2y$), for a cost above AUTH_COST_MAX. The hash is not in the text. */
bool auth_check_user(const char *name, const char *hash, struct err *err) MUST_USE;

/*
 * For users that were checked; there must be one. What `before` (may be NULL) remembers of a user
 * with the same hash stays remembered. ERR_MEMORY, ERR_SYSTEM (no random bytes).
 */
bool auth_new(const struct pair_list *users, struct auth *before, struct auth **ret,
              struct err *err) MUST_USE;
void auth_free(struct auth *auth); /* takes NULL */

/*
 * Read the value of an Authorization header (may be NULL) into *ret, ended with login_done().
 * false: it is no Basic login. Pure.
 */
bool login_parse(const char *header, struct login *ret) MUST_USE;
void login_done(struct login *login); /* overwrites both */

/* What is known without work. Any thread; does not block. */
enum auth_answer auth_recall(struct auth *auth, const struct login *login);

/*
 * Whether the login is right; then it is remembered. Any thread. Blocks for the work of one hash,
 * whether the name exists or not: 50 ms at cost 10 or so, twice that with each step.
 */
bool auth_work_out(struct auth *auth, const struct login *login);

#endif
