#include "collectors/queue_report.h"

#include <inttypes.h>

#include "collectors/parse/spool.h"

#define MIB ((uint64_t)1 << 20)

/* Of the queue's limit, and of what is left on the disk. */
#define NEARLY_FULL_PERCENT 50
#define LITTLE_ROOM_PERCENT 10

/* Dropped WAL is a verdict for as long as PgWalDropped fires. */
#define RECENT_S 3600

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

static bool is_recent(const struct queue_view *view)
{
    return view->now - view->drops->last_at < RECENT_S;
}

/* Whether they make a hole that still matters is for the verdict on each repository to say. */
static void add_drops(struct report *report, struct report_item *group,
                      const struct queue_view *view)
{
    if (view->drops->count == 0)
        return;
    report_fact(report, group, "dropped since the exporter began", "at least %" PRIu64 " segments",
                view->drops->count);
    report_time(report, group, "the last was found dropped", view->drops->last_at);
    if (!is_recent(view))
        return;
    report_verdict(report, group, GRADE_FAILED,
                   "at least %" PRIu64
                   " WAL segments were dropped: the queue had exceeded archive-push-queue-max. "
                   "PostgreSQL takes them for archived, but no repository has them, and no restore "
                   "gets past the first of them until there is a newer backup",
                   view->drops->count);
    report_step(report, group,
                "Mend the repository, then take a backup of each now: pgbackup_exporter run --repo "
                "N -- backup --type=incr",
                NULL);
}

/* When the limit is reached if it goes on like this; 0: never. */
static double reached_at(const struct queue_view *view)
{
    double left = (double)view->options->queue_max - (double)view->seen->bytes;
    if (view->options->queue_max == 0 || view->pace <= 0)
        return 0;
    return view->now + (left > 0 ? left / view->pace : 0);
}

static void add_nearness(struct report *report, struct report_item *group,
                         const struct queue_view *view)
{
    uint64_t limit = view->options->queue_max;
    if (limit == 0 || view->seen->bytes < limit / 100 * NEARLY_FULL_PERCENT)
        return;
    report_verdict(report, group, view->pace > 0 ? GRADE_FAILED : GRADE_WARNING,
                   "%" PRIu64 " MiB of WAL wait to be archived; beyond %" PRIu64
                   " MiB (archive-push-queue-max) WAL is dropped",
                   view->seen->bytes / MIB, limit / MIB);
}

static void add_length(struct report *report, struct report_item *group,
                       const struct queue_view *view)
{
    const struct queue_observation *seen = view->seen;
    double at = reached_at(view);
    add_nearness(report, group, view);
    report_fact(report, group, "waiting to be archived", "%" PRIu64 " files, %" PRIu64 " MiB",
                seen->files, seen->bytes / MIB);
    if (seen->oldest_at > 0)
        report_time(report, group, "the oldest since", seen->oldest_at);
    if (view->pace > 0)
        report_fact(report, group, "growing by", "%.1f MiB an hour",
                    view->pace * 3600 / (double)MIB);
    if (at > 0)
        report_time(report, group, "WAL will be dropped, at this pace, from", at);
}

static void add_limit(struct report *report, struct report_item *group,
                      const struct queue_view *view)
{
    const struct queue_options *options = view->options;
    if (options->queue_max > 0)
        report_fact(report, group, "archive-push-queue-max",
                    "%" PRIu64 " MiB; beyond it WAL is dropped%s", options->queue_max / MIB,
                    options->spool ? ""
                                   : ", and without archive-async only PostgreSQL's log tells");
    else if (options->other_config)
        report_fact(report, group, "archive-push-queue-max", "not known: archive_command reads %s",
                    options->other_config);
    else
        report_fact(report, group, "archive-push-queue-max",
                    "none: WAL is never dropped, and fills the disk while nothing is archived");
}

static void add_room(struct report *report, struct report_item *group,
                     const struct queue_view *view)
{
    if (view->is_elsewhere)
        report_fact(report, group, "room for pg_wal", "not known: the server runs on another host");
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
