#include "collectors/pgbackrest_info.h"

#include <inttypes.h>

bool pgbackrest_info(const struct pgbackrest_call *call, const struct bound *bound,
                     struct info **ret, struct err *err)
{
    static const char *const arguments[] = {"info", "--output=json", NULL};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    struct pgbackrest_call info = *call;
    info.arguments = arguments;
    if (!pgbackrest_run(&info, bound, &result, err))
        return false;
    return info_parse(strbuf_text(&result.output), result.output.length, ret, err) ||
           err_prefix(err, "repository %" PRId64 " (%s)", call->repository->key,
                      call->repository->name);
}
