/*
 * doctor_repository - repositories that cannot be read or hold nothing, with the command that
 * mends it where there is one.
 */
#include <inttypes.h>

#include "collectors/backups.h"
#include "collectors/model/reason.h"
#include "exporter/commands/doctor_check.h"

/* pgBackRest's command that mends it, by `run`. */
static const struct {
    enum err_code code;
    const char *sentence;
    const char *command;
} remedies[] = {
    {ERR_MISSING_STANZA_PATH,
     "is its file system mounted? If so, and only if it never held this stanza, create it",
     "stanza-create"},
    {ERR_NO_BACKUP, "take a full backup", "backup --type=full"},
};

static void add_step(const struct doctor *doctor, const struct stanza_repository *repository,
                     enum err_code code, struct report *report, struct report_item *group)
{
    const char *sentence = reason_advice(code);
    const char *command = "info";
    struct strbuf line CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < COUNT_OF(remedies); i++) {
        if (remedies[i].code != code)
            continue;
        sentence = remedies[i].sentence;
        command = remedies[i].command;
    }
    doctor_add_run(doctor, repository, command, &line);
    report_step(report, group, sentence ? sentence : "see what pgbackrest says",
                strbuf_text(&line));
}

static void check(const struct doctor *doctor, const struct stanza_repository *repository,
                  struct report *report)
{
    const struct backups_observation *seen = doctor_observation_of(doctor, "backups", repository);
    if (!seen || (seen->readable && seen->reason == ERR_NONE))
        return;
    struct report_item *group =
        doctor_group(report, "Repository %" PRId64 " (%s) of %s", repository->key, repository->name,
                     repository->stanza->name);
    report_verdict(report, group, GRADE_FAILED, "%s%s",
                   seen->readable ? "" : "cannot be read: ", err_meaning(seen->reason));
    add_step(doctor, repository, seen->reason, report, group);
}

void doctor_check_repository(const struct doctor *doctor, struct report *report)
{
    doctor_each_repository(doctor, check, report);
}
