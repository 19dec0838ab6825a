/*
 * doctor_log - what archive-push itself wrote of its failures: PostgreSQL's statistics count them,
 * the log says why.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/repository.h"
#include "exporter/commands/doctor_check.h"
#include "exporter/commands/doctor_log_line.h"
#include "exporter/sources/probe_folder.h"

#define DEFAULT_LOG_PATH "/var/log/pgbackrest" /* pgBackRest's own */
#define LOOK_MS          3000

static const char *const endings[] = {"archive-push-async", "archive-push"};

/* It may echo the keys of any repository. */
static bool add_redacted(const struct stanza *stanza, const char *text, struct strbuf *out)
{
    struct strbuf shown CLEANUP(strbuf_done) = {0};
    strbuf_puts(&shown, text);
    for (size_t i = 0; i < stanza->repository_count; i++) {
        struct repository_env env CLEANUP(repository_env_done) = {0};
        struct strbuf next CLEANUP(strbuf_done) = {0};
        if (!repository_env(&stanza->repositories[i], &env, NULL))
            return false; /* its keys are not known, so they cannot be hidden */
        repository_redact(&env, strbuf_text(&shown), &next);
        strbuf_truncate(&shown, 0);
        strbuf_puts(&shown, strbuf_text(&next));
    }
    strbuf_puts(out, strbuf_text(&shown));
    return !shown.failed;
}

static void say(const struct stanza *stanza, const char *file, const char *text,
                struct report *report)
{
    struct strbuf error CLEANUP(strbuf_done) = {0};
    struct strbuf when CLEANUP(strbuf_done) = {0};
    struct strbuf shown CLEANUP(strbuf_done) = {0};
    struct strbuf tail CLEANUP(strbuf_done) = {0};
    struct report_item *group = doctor_group(report, "Log of archive-push of %s", stanza->name);
    if (!doctor_log_last_error(text, &error, &when)) {
        report_verdict(report, group, GRADE_OK, "%s ends without a failure", file);
        return;
    }
    bool is_safe = add_redacted(stanza, strbuf_text(&error), &shown);
    strbuf_puts(&tail, "sudo tail -n 40 ");
    strbuf_shell_word(&tail, file);
    report_verdict(report, group, GRADE_WARNING,
                   "its last word is a failure, at %s by this host's time: %s", strbuf_text(&when),
                   is_safe ? strbuf_text(&shown) : "see there (it may name keys)");
    report_step(report, group, "see what led to it", strbuf_text(&tail));
}

static void look(const struct doctor *doctor, const struct stanza *stanza, const char *ending,
                 struct report *report)
{
    const char *folder =
        discover_option(doctor->settings, stanza->name, "archive-push", "log-path");
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct probe_tail *tail = calloc(1, sizeof *tail);
    struct bound bound = doctor_bound(doctor, LOOK_MS);
    struct err ignored; /* a log that is not there, or not for us, is no finding */
    strbuf_printf(&path, "%s/%s-%s.log", folder ? folder : DEFAULT_LOG_PATH, stanza->name, ending);
    if (tail &&
        probe_tail(doctor->pool, strbuf_text(&path), strbuf_text(&path), &bound, tail, &ignored) &&
        tail->error == 0 && tail->length > 0) {
        tail->text[tail->length < PROBE_TAIL_SIZE ? tail->length : PROBE_TAIL_SIZE - 1] = '\0';
        say(stanza, strbuf_text(&path), tail->text, report);
    }
    free(tail);
}

void doctor_check_log(const struct doctor *doctor, struct report *report)
{
    for (size_t i = 0; i < doctor->settings->stanza_count; i++) {
        for (size_t j = 0; j < COUNT_OF(endings); j++)
            look(doctor, &doctor->settings->stanzas[i], endings[j], report);
    }
}
