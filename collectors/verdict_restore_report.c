#include "collectors/verdict_restore_report.h"

#include <inttypes.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/when.h"

static struct report_item *add_group(struct report *report,
                                     const struct stanza_repository *repository)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "Restore from repository %" PRId64 " (%s)", repository->key,
                  repository->name);
    return report_group(report, NULL, strbuf_text(&title));
}

/* Why the newest backup cannot be restored. */
static void add_reason(struct strbuf *out, const struct restore_summary *summary)
{
    static const char *const states[] = {
        [WAL_MISSING] = "is not in this repository",
        [WAL_EMPTY] = "is an empty file there",
        [WAL_DUPLICATE] = "is there twice",
    };
    const struct restore_verdict *newest = &summary->newest;
    strbuf_printf(out, "backup %s needs ", newest->backup->label);
    if (newest->grade == RESTORE_NO_FOLDER) {
        strbuf_printf(out, "%s, whose folder or manifest is gone", newest->folder);
        return;
    }
    strbuf_puts(out, "WAL ");
    wal_segment_name(&newest->segment, summary->segment_size, out);
    strbuf_printf(out, ", which %s", states[newest->segment_state]);
}

static void add_window(struct strbuf *out, const struct restore_summary *summary)
{
    if (summary->window_end > summary->window_start) {
        strbuf_puts(out, "from ");
        when_add_utc(out, (double)summary->window_start);
        strbuf_puts(out, " to ");
        when_add_utc(out, (double)summary->window_end);
        return;
    }
    strbuf_puts(out, "only to the end of a backup, ");
    when_add_utc(out, (double)summary->window_end);
}

static bool is_broken(const struct restore_verdict *verdict)
{
    return verdict->backup &&
           (verdict->grade == RESTORE_NO_WAL || verdict->grade == RESTORE_NO_FOLDER);
}

/* Nothing in it can be restored. */
static void add_no_restore(struct report *report, struct report_item *group,
                           const struct restore_summary *summary)
{
    struct strbuf reason CLEANUP(strbuf_done) = {0};
    if (is_broken(&summary->newest))
        add_reason(&reason, summary);
    else
        strbuf_puts(&reason, "it holds no backup of the current database");
    if (summary->unknown_count > 0)
        report_verdict(report, group, GRADE_UNKNOWN, "not everything was looked at twice yet");
    else
        report_verdict(report, group, GRADE_FAILED, "NOT restorable: %s", strbuf_text(&reason));
    if (summary->newest.grade == RESTORE_NO_WAL)
        report_step(report, group, "Let archive_command push WAL to this repository, too.", NULL);
}

static void add_restore(struct report *report, struct report_item *group,
                        const struct restore_summary *summary)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct strbuf reason CLEANUP(strbuf_done) = {0};
    add_window(&text, summary);
    report_verdict(report, group, GRADE_OK, "looks restorable %s (nothing missing; not drilled)",
                   strbuf_text(&text));
    if (!is_broken(&summary->newest))
        return;
    add_reason(&reason, summary);
    report_verdict(report, group, GRADE_FAILED, "the newest backup is NOT restorable: %s",
                   strbuf_text(&reason));
}

static void add_gaps(struct report *report, struct report_item *group,
                     const struct restore_summary *summary)
{
    if (summary->missing_since > 0)
        report_verdict(report, group, GRADE_FAILED,
                       "%" PRIu64 " WAL segments are missing behind the newest backup: a restore "
                       "ends there without an error",
                       summary->missing_since);
    if (summary->missing_since > 0)
        report_step(report, group, "Take a backup now: it begins a window without the gap.", NULL);
    if (summary->missing_older > 0)
        report_verdict(report, group, GRADE_WARNING,
                       "%" PRIu64 " WAL segments are missing between older backups",
                       summary->missing_older);
}

void verdict_restore_report(struct report *report, const struct stanza_repository *repository,
                            const struct restore_summary *summary, size_t foreign)
{
    struct report_item *group = add_group(report, repository);
    if (summary->restorable.backup)
        add_restore(report, group, summary);
    else
        add_no_restore(report, group, summary);
    add_gaps(report, group, summary);
    if (foreign > 0)
        report_verdict(report, group, GRADE_FAILED,
                       "%zu foreign timelines: a default restore would follow them and lose what "
                       "production wrote",
                       foreign);
    report_fact(report, group, "restorable backups", "%zu of %zu", summary->restorable_count,
                summary->restorable_count + summary->broken_count + summary->unknown_count);
    if (summary->has_window)
        report_time(report, group, "latest moment", (double)summary->window_end);
}

void verdict_restore_report_unknown(struct report *report,
                                    const struct stanza_repository *repository)
{
    struct report_item *group = add_group(report, repository);
    report_verdict(report, group, GRADE_UNKNOWN, "not everything that it takes was seen yet");
}
