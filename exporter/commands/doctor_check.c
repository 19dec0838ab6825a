#include "exporter/commands/doctor_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct poller_status *find(const struct doctor *doctor, const char *collector,
                                        const char *target)
{
    for (size_t i = 0; i < doctor->target_count; i++) {
        const struct poller_status *status = &doctor->targets[i];
        if (strcmp(status->collector->name, collector) == 0 && strcmp(status->target, target) == 0)
            return status;
    }
    return NULL;
}

const void *doctor_observation(const struct doctor *doctor, const char *collector,
                               const char *target, bool must_be_current)
{
    const struct poller_status *status = find(doctor, collector, target);
    const struct snapshot *snapshot = status ? status->snapshot : NULL;
    double at = 0;
    if (!snapshot || (must_be_current && snapshot->outcome != RUN_OK))
        return NULL;
    return snapshot_observation(snapshot, &at);
}

const void *doctor_observation_of(const struct doctor *doctor, const char *collector,
                                  const struct stanza_repository *repository)
{
    struct strbuf target CLEANUP(strbuf_done) = {0};
    strbuf_printf(&target, "%s/repo%" PRId64, repository->stanza->name, repository->key);
    return doctor_observation(doctor, collector, strbuf_text(&target), false);
}

struct bound doctor_bound(const struct doctor *doctor, int64_t most_ms)
{
    int64_t left = bound_remaining_ms(&doctor->bound);
    return bound_after(left < most_ms ? left : most_ms, doctor->bound.stop_fd);
}

void doctor_each_repository(const struct doctor *doctor,
                            void (*visit)(const struct doctor *doctor,
                                          const struct stanza_repository *repository,
                                          struct report *report),
                            struct report *report)
{
    for (size_t i = 0; i < doctor->settings->stanza_count; i++) {
        const struct stanza *stanza = &doctor->settings->stanzas[i];
        for (size_t j = 0; j < stanza->repository_count; j++)
            visit(doctor, &stanza->repositories[j], report);
    }
}

static void add_title(struct strbuf *title, const char *format, va_list values) PRINTF(2, 0);

static void add_title(struct strbuf *title, const char *format, va_list values)
{
    va_list again;
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0 || !strbuf_reserve(title, (size_t)length + 1))
        return;
    title->length +=
        (size_t)vsnprintf(title->data + title->length, (size_t)length + 1, format, values);
}

struct report_item *doctor_group(struct report *report, const char *format, ...)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    va_list values;
    va_start(values, format);
    add_title(&title, format, values);
    va_end(values);
    return report_group(report, NULL, strbuf_text(&title));
}

void doctor_add_sudo(const struct doctor *doctor, struct strbuf *out)
{
    strbuf_puts(out, "sudo -u ");
    strbuf_shell_word(out, doctor->settings->pgbackrest.user);
}

void doctor_add_self(const struct doctor *doctor, struct strbuf *out)
{
    doctor_add_sudo(doctor, out);
    strbuf_puts(out, " pgbackup_exporter");
    if (doctor->settings->config_file) {
        strbuf_puts(out, " --config.file=");
        strbuf_shell_word(out, doctor->settings->config_file);
    }
}

void doctor_add_run(const struct doctor *doctor, const struct stanza_repository *repository,
                    const char *command, struct strbuf *out)
{
    doctor_add_self(doctor, out);
    strbuf_puts(out, " run --stanza=");
    strbuf_shell_word(out, repository->stanza->name);
    strbuf_printf(out, " --repo=%" PRId64 " -- %s", repository->key, command);
}

void doctor_add_psql(const struct doctor *doctor, const struct stanza *stanza, struct strbuf *out)
{
    static const char *const places[][2] = {{"pg1-socket-path", " -h "}, {"pg1-port", " -p "}};
    doctor_add_sudo(doctor, out);
    strbuf_puts(out, " psql");
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *value = pair_list_get(&stanza->options, places[i][0]);
        if (!value)
            continue;
        strbuf_puts(out, places[i][1]);
        strbuf_shell_word(out, value);
    }
    strbuf_puts(out, " -d postgres");
}
