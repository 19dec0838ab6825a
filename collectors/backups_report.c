#include "collectors/backups_report.h"

#include <inttypes.h>

#include "collectors/backups_objectives.h"
#include "collectors/model/reason.h"
#include "collectors/repository.h"
#include "exporter/base/strbuf.h"
#include "exporter/report/when.h"

static struct report_item *add_group(struct report *report,
                                     const struct stanza_repository *repository)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "Repository %" PRId64 " (%s)", repository->key, repository->name);
    return report_group(report, NULL, strbuf_text(&title));
}

/* With the command that shows it. */
static void add_step(struct report *report, struct report_item *group,
                     const struct stanza_repository *repository, const char *sentence)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    repository_add_command(repository, "info", &command);
    report_step(report, group, sentence, strbuf_text(&command));
}

static size_t backups_of(const struct info_stanza *stanza, int64_t repo_key)
{
    size_t count = 0;
    for (size_t i = 0; i < stanza->backup_count; i++)
        count += stanza->backups[i].repo_key == repo_key;
    return count;
}

static void add_good_verdict(struct report *report, struct report_item *group,
                             const struct backup_summary *summary)
{
    const struct info_backup *full = summary->newest[BACKUP_FULL];
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "readable; last full backup ");
    when_add_utc(&text, (double)full->stop);
    if (summary->latest != full) {
        strbuf_printf(&text, ", last %s ", summary->latest->type);
        when_add_utc(&text, (double)summary->latest->stop);
    }
    report_verdict(report, group, GRADE_OK, "%s", strbuf_text(&text));
}

static void add_verdict(struct report *report, struct report_item *group,
                        const struct backup_summary *summary, size_t all)
{
    if (summary->newest[BACKUP_FULL])
        add_good_verdict(report, group, summary);
    else if (summary->latest)
        report_verdict(report, group, GRADE_FAILED, "readable, but it holds no full backup");
    else if (all > 0)
        report_verdict(report, group, GRADE_FAILED,
                       "readable, but none of its %zu backups is of the current database", all);
    else
        report_verdict(report, group, GRADE_FAILED, "readable, but it holds no backup");
    if (summary->damaged > 0)
        report_verdict(report, group, GRADE_WARNING,
                       "%zu of its backups have page checksum errors: they restore with damage",
                       summary->damaged);
}

static void add_type(struct report *report, struct report_item *group,
                     const struct backup_summary *summary, enum backup_type type)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    if (!summary->newest[type])
        return;
    strbuf_printf(&title, "last %s backup", backup_type_name(type));
    report_time(report, group, strbuf_text(&title), (double)summary->newest[type]->stop);
}

static void add_size(struct report *report, struct report_item *group, const char *title,
                     int64_t bytes)
{
    static const char *const names[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)bytes;
    size_t unit = 0;
    if (bytes == INFO_SIZE_UNKNOWN)
        return;
    while (size >= 1024 && unit + 1 < COUNT_OF(names)) {
        size /= 1024;
        unit++;
    }
    report_fact(report, group, title, "%.*f %s", unit > 0, size, names[unit]);
}

static void add_facts(struct report *report, struct report_item *group,
                      const struct backup_summary *summary)
{
    for (enum backup_type type = 0; type < BACKUP_TYPE_COUNT; type++)
        add_type(report, group, summary, type);
    if (summary->oldest)
        report_time(report, group, "oldest backup", (double)summary->oldest->stop);
    report_fact(report, group, "backups", "%zu full, %zu diff, %zu incr",
                summary->count[BACKUP_FULL], summary->count[BACKUP_DIFF],
                summary->count[BACKUP_INCR]);
    if (summary->latest)
        add_size(report, group, "size of the cluster", summary->latest->size_bytes);
    add_size(report, group, "stored", summary->stored_bytes);
}

static void add_events(struct report *report, struct report_item *group,
                       const struct info_stanza *stanza, int64_t repo_key,
                       const struct info_database *database)
{
    for (size_t i = 0; i < stanza->backup_count; i++) {
        const struct info_backup *backup = &stanza->backups[i];
        if (backup_is_current(backup, repo_key, database))
            report_event(report, group, backup->type, backup->label, (double)backup->start,
                         (double)backup->stop);
    }
}

struct report_item *backups_report_readable(struct report *report,
                                            const struct stanza_repository *repository,
                                            const struct info_stanza *stanza, const char *messages,
                                            double now)
{
    struct backup_summary summary = backup_summary(stanza, repository->key);
    struct report_item *group = add_group(report, repository);
    add_verdict(report, group, &summary, backups_of(stanza, repository->key));
    backups_objectives_judge(report, group, repository, &summary, now);
    add_facts(report, group, &summary);
    backups_objectives_tell(report, group, repository);
    add_events(report, group, stanza, repository->key, summary.database);
    if (!summary.newest[BACKUP_FULL])
        add_step(report, group, repository, reason_advice(ERR_NO_BACKUP));
    else
        add_step(report, group, repository, "See what it holds.");
    if (*messages)
        report_detail(report, group, "pgbackrest warns", messages);
    return group;
}

struct report_item *backups_report_down(struct report *report,
                                        const struct stanza_repository *repository,
                                        const struct err *err, const char *detail)
{
    const char *advice = reason_advice(err->code);
    struct report_item *group = add_group(report, repository);
    report_verdict(report, group, GRADE_UNKNOWN, "cannot be read: %s", err_meaning(err->code));
    add_step(report, group, repository, advice ? advice : "See what pgbackrest says.");
    report_detail(report, group, "last error", detail ? detail : err->text);
    return group;
}

void backups_report_exposed(struct report *report, struct report_item *group,
                            const struct stanza_repository *repository)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    const char *file = repository->settings->credentials_file;
    report_verdict(report, group, GRADE_WARNING,
                   "every user of this host can read its credentials file %s", file);
    strbuf_printf(&command, "chmod o-rwx %s", file);
    report_step(report, group, "Keep its credentials to their owner.", strbuf_text(&command));
}
