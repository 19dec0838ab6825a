/*
 * doctor_database - repositories that are behind the server: it was upgraded or made anew, and
 * until stanza-upgrade they refuse its WAL and its backups.
 */
#include <inttypes.h>

#include "collectors/archiver.h"
#include "collectors/backups.h"
#include "exporter/commands/doctor_check.h"

static uint64_t system_id_of(const struct doctor *doctor,
                             const struct stanza_repository *repository)
{
    const struct backups_observation *seen = doctor_observation_of(doctor, "backups", repository);
    const struct info_stanza *stanza = seen ? backups_observation_stanza(seen) : NULL;
    const struct info_database *database =
        stanza ? info_current_database(stanza, repository->key) : NULL;
    return database ? database->system_id : 0;
}

static void say_behind(const struct doctor *doctor, const struct stanza_repository *repository,
                       struct report *report)
{
    struct strbuf upgrade CLEANUP(strbuf_done) = {0};
    struct strbuf backup CLEANUP(strbuf_done) = {0};
    struct report_item *group = doctor_group(report, "Database of repository %" PRId64 " (%s)",
                                             repository->key, repository->name);
    doctor_add_run(doctor, repository, "stanza-upgrade", &upgrade);
    doctor_add_run(doctor, repository, "backup --type=full", &backup);
    report_verdict(report, group, GRADE_FAILED,
                   "it knows another database than the server of %s is now: it takes neither WAL "
                   "nor backups of it (stanza-upgrade is needed)",
                   repository->stanza->name);
    report_step(report, group,
                "if the cluster was upgraded or made anew on purpose, and this is no wrong server",
                strbuf_text(&upgrade));
    report_step(report, group, "then begin anew with a full backup", strbuf_text(&backup));
}

static void check(const struct doctor *doctor, const struct stanza_repository *repository,
                  struct report *report)
{
    const struct archiver_observation *server =
        doctor_observation(doctor, "archiver", repository->stanza->name, true);
    uint64_t known = system_id_of(doctor, repository);
    if (server && server->has_position && server->system_id != 0 && known != 0 &&
        known != server->system_id)
        say_behind(doctor, repository, report);
}

void doctor_check_database(const struct doctor *doctor, struct report *report)
{
    doctor_each_repository(doctor, check, report);
}
