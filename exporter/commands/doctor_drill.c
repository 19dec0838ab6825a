/*
 * doctor_drill - restores that were promised to be proven, and were not of late.
 */
#include "collectors/drill.h"

#include <inttypes.h>

#include "exporter/base/clock.h"
#include "exporter/commands/doctor_check.h"
#include "exporter/report/when.h"

static void say_overdue(const struct doctor *doctor, const struct stanza_repository *repository,
                        const struct drill_observation *seen, struct report *report)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct strbuf drill CLEANUP(strbuf_done) = {0};
    struct report_item *group = doctor_group(report, "Restore drill of repository %" PRId64 " (%s)",
                                             repository->key, repository->name);
    strbuf_puts(&text, "the last drill that proved a restore was ");
    when_add_utc(&text, seen->success_ended_at);
    strbuf_puts(&text, ", and one is wanted every ");
    when_add_span(&text, repository->settings->objectives.drill);
    doctor_add_self(doctor, &drill);
    strbuf_puts(&drill, " drill --stanza=");
    strbuf_shell_word(&drill, repository->stanza->name);
    strbuf_printf(&drill, " --repo=%" PRId64, repository->key);
    report_verdict(report, group, GRADE_WARNING, "%s",
                   seen->success_ended_at > 0 ? strbuf_text(&text)
                                              : "no restore from it was ever proven by a drill");
    report_step(report, group, "prove that a restore works", strbuf_text(&drill));
}

static void check(const struct doctor *doctor, const struct stanza_repository *repository,
                  struct report *report)
{
    const struct drill_observation *seen = doctor_observation_of(doctor, "drill", repository);
    if (!seen || !repository->settings)
        return;
    double objective = repository->settings->objectives.drill;
    if (objective <= 0)
        return;
    if (clock_wall_seconds() - seen->success_ended_at > objective)
        say_overdue(doctor, repository, seen, report);
}

void doctor_check_drill(const struct doctor *doctor, struct report *report)
{
    doctor_each_repository(doctor, check, report);
}
