/*
 * auth_queue - works out passwords one after the other in a thread of its own, so that no thread of
 * the web server waits for bcrypt. Who is known already never comes here.
 */
#ifndef EXPORTER_WEB_AUTH_QUEUE_H
#define EXPORTER_WEB_AUTH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/web/auth.h"
#include "exporter/web/security.h"

struct auth_queue;

/* Whether one login is right. Used by the thread that asks, but for the time between ask and ready.
 */
struct auth_question;

enum auth_verdict {
    AUTH_WITHOUT, /* no verdict: not asked yet, or the queue was stopped */
    AUTH_RIGHT,
    AUTH_WRONG,
};

struct auth_queue_limits {
    size_t questions;            /* at most this many at a time */
    size_t questions_of_address; /* of one client, so that one alone cannot keep all others out */
};

/* Start the thread. It takes no signals when the caller has blocked them. ERR_SYSTEM, ERR_MEMORY.
 */
bool auth_queue_start(const struct auth_queue_limits *limits, struct auth_queue **ret,
                      struct err *err) MUST_USE;

/*
 * Make all that wait ready without a verdict, now and later. Blocks for the one hash that is being
 * worked out, which is up to seconds for a hash of a high cost. Takes NULL; twice is once.
 */
void auth_queue_stop(struct auth_queue *queue);

/* Stop and free; no question must be left. Takes NULL. */
void auth_queue_free(struct auth_queue *queue);

/*
 * A place for a question in the queue. `address` names the client (any text). Takes login over, and
 * a reference of security, whose users it is asked of. NULL: no place is left, or no memory; login
 * is the caller's still. All of them from any thread; none blocks.
 */
struct auth_question *auth_question_new(struct auth_queue *queue, struct security *security,
                                        struct login *login, const char *address) MUST_USE;

/* Ask, once. ready(context) is called when there is a verdict, by another thread or at once. */
void auth_question_ask(struct auth_question *question, void (*ready)(void *context), void *context);

/* After ready. */
enum auth_verdict auth_question_verdict(const struct auth_question *question);

/* Give its place back. Before ask or after ready. Takes NULL. */
void auth_question_free(struct auth_question *question);

#endif
