/*
 * doctor_active - `pgbackrest check`: ends a WAL segment of production (pg_switch_wal) and waits
 * until it has arrived. Only where archive_command is to bring it, one repository at a time.
 */
#include <inttypes.h>

#include "collectors/pgbackrest.h"
#include "exporter/commands/doctor_check.h"

#define CHECK_MS        45000
#define ARCHIVE_TIMEOUT "30" /* s: check waits so long for its segment */

static bool run_check(const struct doctor *doctor, const struct stanza_repository *repository,
                      struct err *err)
{
    static const char *const words[] = {"check", NULL};
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    struct bound bound = bound_after(CHECK_MS, doctor->bound.stop_fd);
    if (!repository_env(repository, &env, err) || !pgbackrest_prepare(&env, CHECK_MS, err) ||
        !repository_env_set(&env, "archive-timeout", ARCHIVE_TIMEOUT, err))
        return false;
    const struct pgbackrest_call call = {
        .pool = doctor->pool,
        .program = doctor->settings->pgbackrest.command,
        .repository = repository,
        .env = &env,
        .arguments = words,
        .takes_no_repo = true,
    };
    return pgbackrest_run(&call, &bound, &result, err);
}

static void check(const struct doctor *doctor, const struct stanza_repository *repository,
                  struct report *report)
{
    struct strbuf again CLEANUP(strbuf_done) = {0};
    struct err err = {0};
    if (!repository->stanza->conninfo || !repository_has_continuous_wal(repository))
        return;
    struct report_item *group =
        doctor_group(report, "Check of repository %" PRId64 " (%s) of %s", repository->key,
                     repository->name, repository->stanza->name);
    if (run_check(doctor, repository, &err)) {
        report_verdict(report, group, GRADE_PROVEN,
                       "a WAL segment was ended and arrived (pgbackrest check)");
        return;
    }
    doctor_add_run(doctor, repository, "check", &again);
    report_verdict(report, group, GRADE_FAILED, "pgbackrest check failed: %s", err.text);
    report_step(report, group, "mend what it names, then try again", strbuf_text(&again));
}

void doctor_check_active(const struct doctor *doctor, struct report *report)
{
    doctor_each_repository(doctor, check, report);
}
