#include "collectors/pgbackrest_repo.h"

static bool run(struct repo_reader *reader, const char *const *arguments,
                struct proc_result *result, struct err *err)
{
    struct pgbackrest_call call = {
        .pool = reader->pool,
        .program = reader->program,
        .repository = reader->repository,
        .env = reader->env,
        .arguments = arguments,
        .key = reader->key,
    };
    reader->repository_is_at_fault = false;
    if (pgbackrest_run(&call, &reader->bound, result, err))
        return true;
    reader->repository_is_at_fault = pgbackrest_failure_is_repository(result, reader->time_ms, err);
    return false;
}

bool repo_reader_list(struct repo_reader *reader, const char *path, struct repo_listing *ret,
                      struct err *err)
{
    const char *const arguments[] = {"repo-ls", "--output=json", path, NULL};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    if (!run(reader, arguments, &result, err))
        return false;
    return repo_ls_parse(strbuf_text(&result.output), result.output.length, ret, err) ||
           err_prefix(err, "repo-ls %s", path);
}

bool repo_reader_get(struct repo_reader *reader, const char *path, struct strbuf *ret,
                     struct err *err)
{
    const char *const arguments[] = {"repo-get", path, NULL};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    if (!run(reader, arguments, &result, err))
        return false;
    *ret = result.output;
    result.output = (struct strbuf){0};
    return true;
}
