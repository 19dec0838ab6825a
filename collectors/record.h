/*
 * record - a small JSON file that a command leaves for the collector which tells of it.
 *
 * It is written when the command begins and again when it ends. While the command runs it holds a
 * lock beside the file, so that one that was killed is told from one that still works.
 */
#ifndef COLLECTORS_RECORD_H
#define COLLECTORS_RECORD_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/sources/json.h"

/*
 * Read the file, which must hold an object. *ret is NULL when it is not there, else freed by
 * json_free(). ERR_PROTOCOL names the file and the place, ERR_CONFIG, ERR_PERMISSION, ERR_SYSTEM,
 * ERR_MEMORY. Reads a local file.
 */
bool record_read(const char *path, struct json_t **ret, struct err *err) MUST_USE;

/* An optional member: a copy of a text, or NULL; a time in s since 1970, or 0. */
bool record_take_text(const struct json_at *at, const char *key, char **ret,
                      struct err *err) MUST_USE;
bool record_take_time(const struct json_at *at, const char *key, double *ret,
                      struct err *err) MUST_USE;

/* Append a member with a comma behind; none for NULL, and none for a time that is 0. */
void record_add_text(struct strbuf *out, const char *key, const char *text);
void record_add_time(struct strbuf *out, const char *key, double time);

/* Replace the file, making the folders above it. The errors of replace_file(). */
bool record_write(const char *path, const struct strbuf *text, struct err *err) MUST_USE;

/*
 * Be the one command of that record, until the descriptor is closed or we end, however. ERR_STUCK:
 * another one is; ERR_PERMISSION, ERR_SYSTEM. Never waits.
 */
bool record_lock(const char *path, int *ret_fd, struct err *err) MUST_USE;

/* Whether a command of that record runs now. Takes no lock. */
bool record_is_running(const char *path);

#endif
