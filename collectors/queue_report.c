#include "collectors/queue_report.h"

#include <inttypes.h>

#include "collectors/parse/spool.h"

#define MIB ((uint64_t)1 << 20)

/* Of the queue's limit, and of what is left on the disk. */
#define NEARLY_FULL_PERCENT 50
#define LITTLE_ROOM_PERCENT 10

void queue_view_errors(struct queue_view *view, const struct probe_folder *spool)
{
    for (uint32_t i = 0; i < spool->text_count; i++) {
        const struct probe_text *text = &spool->texts[i];
        enum spool_file kind = spool_file_of(spool->names[text->name]);
        if (kind != SPOOL_ERROR && kind != SPOOL_GLOBAL_ERROR)
            continue;
        strbuf_printf(&view->errors, "%s%s: %s", view->errors.length ? "\n" : "",
                      spool->names[text->name], text->text);
    }
}

void queue_view_done(struct queue_view *view)
{
    strbuf_done(&view->errors);
}

static void add_drops(struct report *report, struct report_item *group,
                      const struct queue_view *view)
{
    if (view->dropped == 0)
        return;
    report_verdict(report, group, GRADE_FAILED,
                   "at least %" PRIu64
                   " WAL segments were dropped: the queue had exceeded archive-push-queue-max. No "
                   "restore reaches a moment behind the first of them, until a backup begins anew",
                   view->dropped);
    report_step(report, group, "Mend the repository, then take a backup now.", NULL);
}

static void add_length(struct report *report, struct report_item *group,
                       const struct queue_view *view)
{
    const struct queue_observation *seen = view->seen;
    bool nearly = view->queue_max > 0 && seen->bytes >= view->queue_max / 100 * NEARLY_FULL_PERCENT;
    if (nearly)
        report_verdict(report, group, GRADE_FAILED,
                       "%" PRIu64 " MiB of WAL wait to be archived; beyond %" PRIu64
                       " MiB (archive-push-queue-max) WAL is dropped",
                       seen->bytes / MIB, view->queue_max / MIB);
    report_fact(report, group, "waiting to be archived", "%" PRIu64 " files, %" PRIu64 " MiB",
                seen->files, seen->bytes / MIB);
    if (seen->oldest_at > 0)
        report_time(report, group, "the oldest since", seen->oldest_at);
}

static void add_limit(struct report *report, struct report_item *group,
                      const struct queue_view *view)
{
    if (view->queue_max > 0)
        report_fact(report, group, "archive-push-queue-max",
                    "%" PRIu64 " MiB; beyond it WAL is dropped%s", view->queue_max / MIB,
                    view->is_async ? "" : ", and only PostgreSQL's log tells");
    else
        report_fact(report, group, "archive-push-queue-max",
                    "none: WAL is never dropped, and fills the disk while nothing is archived");
}

static void add_room(struct report *report, struct report_item *group,
                     const struct queue_view *view)
{
    if (!view->has_room)
        return;
    report_fact(report, group, "room for pg_wal", "%" PRIu64 " of %" PRIu64 " MiB",
                view->avail_bytes / MIB, view->size_bytes / MIB);
    if (view->avail_bytes < view->size_bytes / 100 * LITTLE_ROOM_PERCENT)
        report_verdict(report, group, GRADE_WARNING,
                       "the disk of pg_wal is nearly full: PostgreSQL stops when it is");
}

static void add_server(struct report *report, struct report_item *group,
                       const struct queue_view *view)
{
    if (!view->seen)
        report_verdict(report, group, GRADE_UNKNOWN,
                       "what waits is not known: PostgreSQL does "
                       "not answer");
    else if (view->hidden)
        report_verdict(report, group, GRADE_UNKNOWN,
                       "what waits is not known: the role may not "
                       "look (GRANT pg_monitor)");
    else if (view->seen->runs)
        add_length(report, group, view);
    else
        report_fact(report, group, "archiving", "not by this server");
}

void queue_report(struct report *report, const struct queue_view *view)
{
    struct report_item *group = report_group(report, NULL, "WAL queue");
    add_drops(report, group, view);
    add_server(report, group, view);
    add_limit(report, group, view);
    add_room(report, group, view);
    if (view->host_error.code != ERR_NONE) {
        report_verdict(report, group, GRADE_WARNING, "not everything could be looked at");
        report_detail(report, group, "error", view->host_error.text);
    }
    if (view->errors.length > 0) {
        report_verdict(report, group, GRADE_WARNING, "pushes fail");
        report_detail(report, group, "what pgBackRest wrote of them", strbuf_text(&view->errors));
    }
}
