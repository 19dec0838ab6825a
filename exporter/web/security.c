#include "exporter/web/security.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "exporter/web/web_config.h"

struct security {
    atomic_uint references;
    struct tls *tls;
    struct auth *auth;
    size_t user_count;
    struct pair_list headers;
    struct text_list files;
};

static void config_free(struct web_config **config)
{
    web_config_free(*config);
}

static bool fill(struct security *security, struct web_config *config,
                 const struct security *before, struct err *err)
{
    if (config->has_tls && !tls_new(&config->tls, &security->tls, err))
        return false;
    security->user_count = config->users.count;
    if (config->users.count > 0 &&
        !auth_new(&config->users, security_auth(before), &security->auth, err))
        return false;
    security->headers = config->headers;
    security->files = config->files;
    config->headers = (struct pair_list){0};
    config->files = (struct text_list){0};
    return true;
}

bool security_read(const char *path, struct security *before, struct security **ret,
                   struct err *err)
{
    struct web_config *config CLEANUP(config_free) = NULL;
    if (!web_config_read(path, &config, err))
        return false;
    struct security *security = calloc(1, sizeof *security);
    if (!security)
        return err_memory(err);
    atomic_store(&security->references, 1);
    if (!fill(security, config, before, err)) {
        security_unref(security);
        return false;
    }
    *ret = security;
    return true;
}

struct security *security_ref(struct security *security)
{
    if (security)
        atomic_fetch_add(&security->references, 1);
    return security;
}

void security_unref(struct security *security)
{
    if (!security || atomic_fetch_sub(&security->references, 1) > 1)
        return;
    tls_free(security->tls);
    auth_free(security->auth);
    pair_list_done(&security->headers);
    text_list_done(&security->files);
    free(security);
}

const struct tls *security_tls(const struct security *security)
{
    return security ? security->tls : NULL;
}

struct auth *security_auth(const struct security *security)
{
    return security ? security->auth : NULL;
}

const struct pair_list *security_headers(const struct security *security)
{
    static const struct pair_list none;
    return security ? &security->headers : &none;
}

size_t security_user_count(const struct security *security)
{
    return security ? security->user_count : 0;
}

const struct text_list *security_files(const struct security *security)
{
    static const struct text_list none;
    return security ? &security->files : &none;
}
