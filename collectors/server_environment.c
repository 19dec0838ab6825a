#include "collectors/server_environment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/parse/credentials.h"

static const char prefix[] = "PGBACKREST_";

/* What a file may have is cut there: an environment of that size may lack its end. */
#define ENVIRONMENT_LIMIT ((size_t)64 << 10)

static void wipe(struct strbuf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->size);
    strbuf_done(buf);
}

/* PGBACKREST_REPO2_S3_KEY is the option repo2-s3-key. */
static bool is_secret(const char *name)
{
    struct strbuf option CLEANUP(strbuf_done) = {0};
    for (name += sizeof prefix - 1; *name; name++) {
        char byte = *name;
        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte - 'A' + 'a');
        strbuf_putc(&option, byte == '_' ? '-' : byte);
    }
    return option.failed || repository_option_is_secret(strbuf_text(&option));
}

static bool add_pgbackrest(struct server_environment *environment, const char *name,
                           const char *value, struct err *err)
{
    struct strbuf item CLEANUP(wipe) = {0};
    if (!strbuf_reserve(&item, strlen(name) + strlen(value) + 2))
        return err_memory(err);
    strbuf_printf(&item, "%s=%s", name, value);
    if (is_secret(name) && !repository_env_hide(&environment->hidden, value, err))
        return false;
    return text_list_add(&environment->variables, strbuf_text(&item), err);
}

static bool add_variable(struct server_environment *environment, const char *name,
                         const char *value, struct err *err)
{
    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        return add_pgbackrest(environment, name, value, err);
    if (strcmp(name, "PATH") != 0 || environment->path)
        return true;
    environment->path = strdup(value);
    return environment->path ? true : err_memory(err);
}

/* NAME=value, each ended by a NUL; cut in two in place. */
static bool add_items(struct server_environment *environment, struct strbuf *items, struct err *err)
{
    size_t at = 0;
    while (at < items->length) {
        char *name = items->data + at;
        at += strlen(name) + 1;
        char *sign = strchr(name, '=');
        if (!sign)
            continue;
        *sign = '\0';
        if (!add_variable(environment, name, sign + 1, err))
            return false;
    }
    return true;
}

static bool read_process_file(pid_t pid, const char *name, struct strbuf *ret, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    bool exposed = false;
    strbuf_printf(&path, "/proc/%jd/%s", (intmax_t)pid, name);
    if (path.failed)
        return err_memory(err);
    return repository_read_file(strbuf_text(&path), ret, &exposed, err) ||
           err_prefix(err, "%s", strbuf_text(&path));
}

/* The fourth field of /proc/PID/stat; the second, a name, may hold anything but is in brackets. */
static bool parent_of(pid_t pid, intmax_t *ret, struct err *err)
{
    struct strbuf line CLEANUP(strbuf_done) = {0};
    if (!read_process_file(pid, "stat", &line, err))
        return false;
    const char *name_end = strrchr(strbuf_text(&line), ')');
    if (!name_end || strlen(name_end) < sizeof ") S ")
        return err_set(err, ERR_SYSTEM, "/proc/%jd/stat names no parent", (intmax_t)pid);
    *ret = strtoimax(name_end + strlen(") S "), NULL, 10);
    return true;
}

static bool check_server(pid_t server, pid_t backend, struct err *err)
{
    intmax_t parent = 0;
    if (server <= 0)
        return err_set(err, ERR_CONFIG,
                       "the connection is none by a local socket to a process seen from here");
    if (!parent_of(backend, &parent, err))
        return false;
    return parent == server ||
           err_set(err, ERR_CONFIG,
                   "who listens on the local socket is not the server itself (a pooler?)");
}

static void take(struct server_environment *environment, struct server_environment *ret)
{
    *ret = *environment;
    *environment = (struct server_environment){0};
}

bool server_environment_of_process(pid_t server, pid_t backend, struct server_environment *ret,
                                   struct err *err)
{
    struct server_environment environment CLEANUP(server_environment_done) = {0};
    struct strbuf items CLEANUP(wipe) = {0};
    if (!check_server(server, backend, err) || !read_process_file(server, "environ", &items, err))
        return false;
    if (items.length >= ENVIRONMENT_LIMIT)
        return err_set(err, ERR_CONFIG, "it is larger than %zu bytes", ENVIRONMENT_LIMIT);
    if (!add_items(&environment, &items, err))
        return false;
    take(&environment, ret);
    return true;
}

static bool parse_file(const char *file, struct credentials *ret, struct err *err)
{
    struct strbuf text CLEANUP(wipe) = {0};
    bool exposed = false;
    return (repository_read_file(file, &text, &exposed, err) &&
            credentials_parse(text.data, text.length, ret, err)) ||
           err_prefix(err, "%s", file);
}

bool server_environment_of_file(const char *file, struct server_environment *ret, struct err *err)
{
    struct server_environment environment CLEANUP(server_environment_done) = {0};
    struct credentials credentials CLEANUP(credentials_done) = {0};
    if (!parse_file(file, &credentials, err))
        return false;
    for (size_t i = 0; i < credentials.pairs.count; i++) {
        const char *name = credentials.pairs.items[i].name;
        const char *value = credentials_get(&credentials, name); /* the last one given counts */
        if (!server_environment_get(&environment, name) &&
            !add_variable(&environment, name, value, err))
            return false;
    }
    take(&environment, ret);
    return true;
}

bool server_is_our_user(pid_t server)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct stat status;
    if (geteuid() == 0)
        return true;
    strbuf_printf(&path, "/proc/%jd", (intmax_t)server);
    return server > 0 && stat(strbuf_text(&path), &status) == 0 && status.st_uid == geteuid();
}

const char *server_environment_get(const struct server_environment *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < environment->variables.count; i++) {
        const char *item = environment->variables.items[i];
        if (strncmp(item, name, length) == 0 && item[length] == '=')
            return item + length + 1;
    }
    return NULL;
}

void server_environment_done(struct server_environment *environment)
{
    text_list_done(&environment->variables);
    repository_env_done(&environment->hidden);
    free(environment->path);
    *environment = (struct server_environment){0};
}
