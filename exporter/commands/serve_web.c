#include "exporter/commands/serve_web.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/base/clock.h"
#include "exporter/base/log.h"

#define AGAIN_MS 60000

static void watch_files(struct serve_web *web)
{
    const struct text_list *files = security_files(web->security);
    web->watch = watch_again(web->watch, (const char *const *)files->items, files->count);
}

bool serve_web_open(struct serve_web *web, const char *path, struct err *err)
{
    if (!path)
        return true;
    if (!security_read(path, NULL, &web->security, err))
        return false;
    web->path = strdup(path);
    if (!web->path)
        return err_memory(err);
    watch_files(web);
    log_info("web configuration read",
             FIELDS(TEXT("file", path), TEXT("tls", security_tls(web->security) ? "yes" : "no"),
                    NUMBER("users", security_user_count(web->security))));
    return true;
}

bool serve_web_is_due(struct serve_web *web)
{
    bool again = web->error.code != ERR_NONE && clock_monotonic_ms() - web->tried_ms > AGAIN_MS;
    return (web->watch && watch_changed(web->watch)) || again;
}

static bool read_again(struct serve_web *web, struct http_server *server, struct err *err)
{
    struct security *security = NULL;
    if (!security_read(web->path, web->security, &security, err))
        return false;
    if (!http_secure(server, security, err)) {
        security_unref(security);
        return err_prefix(err, "%s", web->path);
    }
    security_unref(web->security);
    web->security = security;
    watch_files(web);
    return true;
}

/* What fails for the same reason again is no news. */
void serve_web_reload(struct serve_web *web, struct http_server *server)
{
    struct err err = {0};
    if (!web->path)
        return;
    web->tried_ms = clock_monotonic_ms();
    if (read_again(web, server, &err))
        log_info("web configuration reloaded", FIELDS(TEXT("file", web->path)));
    else if (strcmp(err.text, web->error.text) != 0)
        log_error("web configuration not reloaded, the one before stays",
                  FIELDS(TEXT("error", err.text)));
    web->error = err;
}

void serve_web_close(struct serve_web *web)
{
    security_unref(web->security);
    watch_free(web->watch);
    free(web->path);
    *web = (struct serve_web){0};
}
