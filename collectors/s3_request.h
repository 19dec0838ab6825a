/*
 * s3_request - the request that pgBackRest itself would begin with: a signed listing of what a
 * stanza's archive holds, of one key at most.
 *
 * Pure. Options and credentials come from the repository's environment, so that they mean here what
 * they mean to pgBackRest; names that it took earlier (repo-s3-host) count, too.
 */
#ifndef COLLECTORS_S3_REQUEST_H
#define COLLECTORS_S3_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/repository.h"
#include "exporter/base/err.h"
#include "exporter/sources/fetch.h"

#define S3_REQUEST_HEADERS 4

struct s3_request {
    struct fetch_request fetch; /* with texts of the members below and of the environment */
    bool is_signed; /* false: pgBackRest gets its keys elsewhere (repo-s3-key-type=auto, web-id) */

    /* Owned. */
    char *host;
    char *authority;
    char *target;
    char *token; /* a whole header line, or NULL */
    char *payer; /* the same */
    const char *headers[S3_REQUEST_HEADERS];
    struct fetch_signature signature;
};

/*
 * Fill *ret from the options "repoN-s3-..." and "repoN-storage-..." of env, which must outlive it.
 * ERR_CONFIG names the option that is missing or wrong, never its value; ERR_MEMORY. Written on
 * success only, where it must stay in its place; released by s3_request_done().
 */
bool s3_request_make(const struct stanza_repository *repository, const struct repository_env *env,
                     struct s3_request *ret, struct err *err) MUST_USE;
void s3_request_done(struct s3_request *request); /* overwrites the token */

#endif
