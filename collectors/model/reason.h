/*
 * reason - why pgBackRest could not read a repository, as one code of the program's closed table.
 *
 * Pure. pgBackRest tells a missing path from a missing backup by a number; everything else is
 * "other" and only its message says more: the name of its own error class in brackets, what the
 * system or OpenSSL said, and for an object store the whole HTTP answer.
 */
#ifndef COLLECTORS_MODEL_REASON_H
#define COLLECTORS_MODEL_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/err.h"

/*
 * From the status of a repository in info's JSON. encrypted: a cipher is configured, so an info
 * file that reads as garbage was decrypted with the wrong passphrase. ERR_NONE for code 0 only;
 * ERR_OTHER for what is in no table.
 */
enum err_code reason_of_status(int64_t code, const char *message, bool encrypted);

/*
 * From the exit status of a pgbackrest command (not 0) and all that it printed. ERR_OTHER for what
 * is in no table.
 */
enum err_code reason_of_exit(int exit_status, const char *messages);

/*
 * What to do about it, for people: one sentence, static; NULL when there is no advice beyond the
 * message itself.
 */
const char *reason_advice(enum err_code code);

#endif
