#include "collectors/pgbackrest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/model/reason.h"

/*
 * pgBackRest waits several times its io-timeout before it gives a dead server up: 4 times in 2.45,
 * nearly 10 times in 2.55.1 (measured).
 */
#define IO_WAITS 12

#define VERSION_LIMIT 4096

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

bool pgbackrest_prepare(struct repository_env *env, int64_t time_ms, struct err *err)
{
    struct strbuf io_timeout CLEANUP(strbuf_done) = {0};
    strbuf_printf(&io_timeout, "%" PRId64, clamp(time_ms / 1000 / IO_WAITS, 1, 60));
    if (io_timeout.failed)
        return err_memory(err);
    return repository_env_set(env, "log-level-console", "off", err) &&
           repository_env_set(env, "log-level-file", "off", err) &&
           repository_env_set(env, "log-level-stderr", "error", err) &&
           repository_env_default(env, "io-timeout", strbuf_text(&io_timeout), err);
}

/* What a child gets of our time, so that it can still be killed within it. */
static struct bound child_bound(const struct bound *bound)
{
    struct bound child = *bound;
    child.deadline_ms -= clamp(bound_remaining_ms(bound) / 4, 0, 1500);
    return child;
}

static size_t list_length(const char *const *list)
{
    size_t length = 0;
    while (list[length])
        length++;
    return length;
}

/* program, the command with its options, then what every call has in common. */
static const char **build_argv(const struct pgbackrest_call *call, const char *stanza,
                               const char *repo)
{
    size_t count = list_length(call->arguments);
    const char **argv = calloc(count + 5, sizeof *argv);
    if (!argv)
        return NULL;
    argv[0] = call->program;
    memcpy(argv + 1, call->arguments, count * sizeof *argv);
    argv[count + 1] = "--no-config";
    argv[count + 2] = stanza;
    argv[count + 3] = call->takes_no_repo ? NULL : repo;
    return argv;
}

static void argv_freep(const char ***argv)
{
    free((void *)*argv);
}

static bool run_child(const struct pgbackrest_call *call, const struct bound *bound,
                      struct proc_result *result, struct err *err)
{
    struct strbuf stanza CLEANUP(strbuf_done) = {0};
    struct strbuf repo CLEANUP(strbuf_done) = {0};
    strbuf_printf(&stanza, "--stanza=%s", call->repository->stanza->name);
    strbuf_printf(&repo, "--repo=%" PRId64, call->repository->key);
    const char **argv CLEANUP(argv_freep) =
        build_argv(call, strbuf_text(&stanza), strbuf_text(&repo));
    if (stanza.failed || repo.failed || !argv)
        return err_memory(err);
    struct bound child = child_bound(bound);
    struct proc_spec spec = {
        .argv = argv,
        .envp = (const char *const *)call->env->items,
        .key = call->key,
        .queued = true,
    };
    return proc_run(call->pool, &spec, &child, result, err);
}

/* Errors are on stderr, since 2.55 on stdout. */
static void add_messages(const struct pgbackrest_call *call, const struct proc_result *result,
                         struct strbuf *out)
{
    repository_redact(call->env, strbuf_text(&result->errors), out);
    repository_redact(call->env, strbuf_text(&result->output), out);
    while (out->length > 0 && strchr(" \n", out->data[out->length - 1]))
        strbuf_truncate(out, out->length - 1);
}

static const char *without_process_name(const char *message)
{
    static const char process[] = "P00";
    if (strncmp(message, process, sizeof process - 1) == 0)
        message += sizeof process - 1;
    return message + strspn(message, " ");
}

static bool failed_exit(const struct pgbackrest_call *call, const struct proc_result *result,
                        struct err *err)
{
    struct strbuf messages CLEANUP(strbuf_done) = {0};
    add_messages(call, result, &messages);
    if (messages.failed)
        return err_memory(err);
    const char *message = without_process_name(strbuf_text(&messages));
    return err_set(err, reason_of_exit(result->exit_status, message),
                   "pgbackrest %s ended with status %d%s%s", call->arguments[0],
                   result->exit_status, *message ? ": " : "", message);
}

static bool cannot_run(const struct pgbackrest_call *call, const struct proc_result *result,
                       struct err *err)
{
    if (result->started || err->code != ERR_SYSTEM || access(call->program, X_OK) == 0)
        return false;
    err_system(err, errno, "cannot run %s (pgbackrest.command)", call->program);
    err->code = ERR_CONFIG;
    return true;
}

bool pgbackrest_run(const struct pgbackrest_call *call, const struct bound *bound,
                    struct proc_result *result, struct err *err)
{
    if (run_child(call, bound, result, err))
        return true;
    if (cannot_run(call, result, err))
        return false;
    if (err->code == ERR_EXIT && result->exited)
        failed_exit(call, result, err);
    return err_prefix(err, "repository %" PRId64 " (%s)", call->repository->key,
                      call->repository->name);
}

bool pgbackrest_failure_is_repository(const struct proc_result *result, int64_t time_ms,
                                      const struct err *err)
{
    if (err->code == ERR_STUCK)
        return true;
    if (!result->started || err->code == ERR_MEMORY)
        return false;
    /* pgbackrest that gets TERM ends with a status, which is our doing and no refusal. */
    if (!result->interrupted)
        return result->exited && result->exit_status != 0;
    return err->code == ERR_TIMEOUT && result->duration_ms >= time_ms / 2;
}

/* "pgBackRest 2.45\n"; warnings about the configuration may come before it. */
static char *parse_version(const char *output)
{
    static const char name[] = "pgBackRest ";
    const char *found = strstr(output, name);
    if (!found)
        return NULL;
    found += sizeof name - 1;
    size_t length = strcspn(found, " \n");
    return length > 0 ? strndup(found, length) : NULL;
}

char *pgbackrest_version(struct proc_pool *pool, const char *program, const struct bound *bound)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    const char *const argv[] = {program, "version", NULL};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    struct err err;
    struct bound child = child_bound(bound);
    struct proc_spec spec = {.argv = argv, .envp = environment, .output_limit = VERSION_LIMIT};
    if (!proc_run(pool, &spec, &child, &result, &err))
        return NULL; /* whatever hinders it hinders every other command too, and that one tells */
    return parse_version(strbuf_text(&result.output));
}
