/*
 * err - what went wrong: a code for the program, a sentence for the operator.
 *
 * The code is also the `reason` label of the error metrics, so it comes from one closed table and
 * never from outside. The text is for logs, pages and commands only, never for a label.
 */
#ifndef EXPORTER_BASE_ERR_H
#define EXPORTER_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "exporter/base/attrs.h"

/* code, reason label, what it means to a person */
#define ERR_CODES(X)                                                                               \
    X(ERR_NONE, "", "no error")                                                                    \
    X(ERR_TIMEOUT, "timeout", "no answer in time")                                                 \
    X(ERR_STUCK, "stuck", "a child process that cannot be killed still waits")                     \
    X(ERR_CONNECT, "connect", "the connection was refused, reset or unreachable")                  \
    X(ERR_DNS, "dns", "the host name could not be resolved")                                       \
    X(ERR_TLS, "tls", "the TLS connection or its certificate was not accepted")                    \
    X(ERR_AUTH, "auth", "the credentials were refused")                                            \
    X(ERR_BUCKET, "bucket", "the bucket does not exist")                                           \
    X(ERR_PERMISSION, "permission", "a permission is missing")                                     \
    X(ERR_CLOCK_SKEW, "clock_skew", "the clocks are too far apart")                                \
    X(ERR_REDIRECT, "redirect", "the server points to another endpoint or region")                 \
    X(ERR_MISSING_STANZA_PATH, "missing_stanza_path", "the repository has no path for the stanza") \
    X(ERR_MISSING_STANZA_DATA, "missing_stanza_data", "the stanza has no backup or archive info")  \
    X(ERR_NO_BACKUP, "no_backup", "the repository has no backup")                                  \
    X(ERR_CRYPTO, "crypto", "the repository could not be decrypted")                               \
    X(ERR_CONFIG, "config", "the configuration is wrong")                                          \
    X(ERR_NOT_MOUNTED, "not_mounted", "the file system is not mounted")                            \
    X(ERR_STALE, "stale", "the file handle is stale")                                              \
    X(ERR_PROTOCOL, "protocol", "the answer was not understood")                                   \
    X(ERR_QUERY, "protocol", "the database answered something unexpected")                         \
    X(ERR_TOO_BIG, "protocol", "the answer is larger than its limit")                              \
    X(ERR_EXIT, "other", "a program ended with an error")                                          \
    X(ERR_SYSTEM, "other", "a system call failed")                                                 \
    X(ERR_MEMORY, "other", "out of memory")                                                        \
    X(ERR_STOPPED, "other", "the program was asked to stop")                                       \
    X(ERR_OTHER, "other", "an error of no known kind")

#define ERR_ENUM(code, reason, meaning) code,
enum err_code { ERR_CODES(ERR_ENUM) ERR_CODE_COUNT };
#undef ERR_ENUM

/* Longest text kept, its final NUL included; what does not fit is cut at a character. */
#define ERR_TEXT_SIZE 2048

struct err {
    enum err_code code;
    char text[ERR_TEXT_SIZE];
};

/*
 * Fill *err with a code and a printf text (lower case, no final stop, naming the object and the
 * limit). Returns false always, so that a failing path is one line. err may be NULL.
 */
bool err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);

/* The same with the text of an errno value behind it: "cannot open X: Permission denied". */
bool err_system(struct err *err, int error_number, const char *format, ...) PRINTF(3, 4);

/* ERR_MEMORY with its fixed text; returns false. */
bool err_memory(struct err *err);

/* Put "printf text: " before the text that *err holds; the code stays. Returns false. */
bool err_prefix(struct err *err, const char *format, ...) PRINTF(2, 3);

/* The bounded value of the `reason` label; "" for ERR_NONE. Never NULL, static. */
const char *err_reason(enum err_code code);

/* What the code means, for documentation and pages. Never NULL, static. */
const char *err_meaning(enum err_code code);

/* The code's own name ("ERR_TIMEOUT"), for tests and debug logs. Never NULL, static. */
const char *err_name(enum err_code code);

#endif
