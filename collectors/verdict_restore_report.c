#include "collectors/verdict_restore_report.h"

#include <inttypes.h>

#include "collectors/repository.h"
#include "collectors/verdict_restore_line.h"
#include "exporter/base/strbuf.h"
#include "exporter/report/when.h"

#define MIB          (1024.0 * 1024.0)
#define POINTS_NAMED 3 /* ends of backups that are said one by one */

static struct report_item *add_group(struct report *report,
                                     const struct stanza_repository *repository)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "Restore from repository %" PRId64 " (%s)", repository->key,
                  repository->name);
    return report_group(report, NULL, strbuf_text(&title));
}

/* ---- the verdict ---- */

/* Why the newest backup cannot be restored. */
static void add_reason(struct strbuf *out, const struct restore_summary *summary)
{
    static const char *const states[WAL_PRESENT + 1] = {
        [WAL_MISSING] = "is not in this repository",
        [WAL_EMPTY] = "is an empty file there",
        [WAL_DUPLICATE] = "is there twice",
    };
    const struct restore_verdict *newest = &summary->newest;
    const char *state = states[newest->segment_state];
    strbuf_printf(out, "backup %s needs ", newest->backup->label);
    if (newest->grade == RESTORE_NO_FOLDER) {
        strbuf_printf(out, "%s, whose folder or manifest is gone", newest->folder);
        return;
    }
    strbuf_puts(out, "WAL ");
    wal_segment_name(&newest->segment, summary->segment_size, out);
    strbuf_printf(out, ", which %s", state ? state : "was not looked for yet");
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

/* What was good when it was last seen is unknown now; what was bad has not mended itself. */
static enum grade grade_now(const struct restore_story *story, enum grade grade)
{
    return story->unknown_since > 0 && grade < GRADE_UNKNOWN ? GRADE_UNKNOWN : grade;
}

static void add_since(struct strbuf *out, const struct restore_story *story)
{
    if (story->unknown_since <= 0)
        return;
    strbuf_puts(out, "unknown since ");
    when_add_utc(out, story->unknown_since);
    strbuf_puts(out, ", last known: ");
}

/* WAL that the newest backup needs may still lie in pg_wal or in another repository. */
static void add_completing(struct report *report, struct report_item *group,
                           const struct restore_story *story)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    if (story->summary->newest.grade != RESTORE_NO_WAL)
        return;
    repository_add_own_command(story->repository, "complete-wal", &command);
    report_step(report, group,
                "Copy the WAL that its backups need into it, as far as it is elsewhere:",
                strbuf_text(&command));
    if (!story->input->continuous)
        report_step(report, group,
                    "Let archive_command push WAL to this repository, too, or take its backups "
                    "with pgbackup_exporter run, which completes them.",
                    NULL);
}

/* Nothing in it can be restored. */
static void add_no_restore(struct report *report, struct report_item *group,
                           const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    struct strbuf reason CLEANUP(strbuf_done) = {0};
    add_since(&reason, story);
    strbuf_puts(&reason, "NOT restorable: ");
    if (is_broken(&summary->newest))
        add_reason(&reason, summary);
    else
        strbuf_puts(&reason, "it holds no backup of the current database");
    if (summary->unknown_count > 0)
        report_verdict(report, group, GRADE_UNKNOWN, "not everything was looked at twice yet");
    else
        report_verdict(report, group, GRADE_FAILED, "%s", strbuf_text(&reason));
    add_completing(report, group, story);
}

/* A drill proves what was there. What has broken since is not proven by it. */
static bool drill_still_counts(const struct restore_story *story)
{
    const struct drill_observation *drill = story->drill;
    const struct repository_settings *settings = story->repository->settings;
    double objective = settings ? settings->objectives.drill : 0;
    if (!drill || drill->state != DRILL_SUCCEEDED || is_broken(&story->summary->newest))
        return false;
    if (story->summary->missing_since > 0 || story->foreign > 0)
        return false;
    return objective <= 0 || story->now - drill->success_ended_at <= objective;
}

static void add_drill(struct strbuf *out, const struct drill_observation *drill)
{
    if (!drill || drill->success_ended_at <= 0) {
        strbuf_puts(out, drill && drill->state == DRILL_FAILED ? "the last drill failed"
                                                               : "not drilled");
        return;
    }
    strbuf_puts(out, drill->state == DRILL_FAILED ? "the last drill failed, the one that worked: "
                                                  : "last drill ");
    when_add_utc(out, drill->success_ended_at);
}

static void add_proven(struct report *report, struct report_item *group,
                       const struct restore_story *story, const char *window)
{
    const struct drill_observation *drill = story->drill;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    add_since(&text, story);
    strbuf_puts(&text, "PROVEN (drill ");
    when_add_utc(&text, drill->success_ended_at);
    strbuf_puts(&text, ", ");
    when_add_span(&text, drill->success_duration_s);
    report_verdict_of(report, group, grade_now(story, GRADE_PROVEN), drill->success_ended_at,
                      "%s), restorable %s", strbuf_text(&text), window);
}

static void add_unproven(struct report *report, struct report_item *group,
                         const struct restore_story *story, const char *window)
{
    const struct drill_observation *drill = story->drill;
    bool stops = story->summary->missing_since > 0 || story->foreign > 0;
    struct strbuf since CLEANUP(strbuf_done) = {0};
    struct strbuf drilled CLEANUP(strbuf_done) = {0};
    add_since(&since, story);
    add_drill(&drilled, drill);
    report_verdict_of(report, group, grade_now(story, GRADE_OK),
                      drill ? drill->success_ended_at : 0,
                      "%slooks restorable %s (nothing missing%s; %s)", strbuf_text(&since), window,
                      stops ? " until then" : "", strbuf_text(&drilled));
}

static void add_restore(struct report *report, struct report_item *group,
                        const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    struct strbuf window CLEANUP(strbuf_done) = {0};
    struct strbuf reason CLEANUP(strbuf_done) = {0};
    if (summary->has_window)
        add_window(&window, summary);
    else
        strbuf_puts(&window, "to a moment that is not known yet");
    if (drill_still_counts(story))
        add_proven(report, group, story, strbuf_text(&window));
    else
        add_unproven(report, group, story, strbuf_text(&window));
    if (summary->newest.grade == RESTORE_UNKNOWN)
        report_verdict(report, group, GRADE_UNKNOWN,
                       "the newest backup, %s, was not looked at twice yet",
                       summary->newest.backup->label);
    if (!is_broken(&summary->newest))
        return;
    add_reason(&reason, summary);
    report_verdict(report, group, GRADE_FAILED, "the newest backup is NOT restorable: %s",
                   strbuf_text(&reason));
    add_completing(report, group, story);
}

static const char *segments_are(uint64_t count)
{
    return count == 1 ? "segment is" : "segments are";
}

/* Of what is missing behind the newest backup, what is no history file. */
static void add_missing_segments(struct report *report, struct report_item *group,
                                 const struct restore_story *story)
{
    uint64_t segments = story->summary->missing_since - (story->lost > 0);
    if (segments > 0)
        report_verdict(report, group, GRADE_FAILED,
                       "%" PRIu64 " WAL %s missing behind the newest backup: a restore ends there "
                       "without an error",
                       segments, segments_are(segments));
}

/* The file may still lie in pg_wal or in another repository. */
static void add_lost(struct report *report, struct report_item *group,
                     const struct restore_story *story)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    if (story->lost == 0)
        return;
    report_verdict(report, group, GRADE_FAILED,
                   "%08" PRIX32
                   ".history is missing, or makes no sense: without an error a restore "
                   "ends on timeline %" PRIu32 ", from which production has gone on to %" PRIu32,
                   story->lost, story->input->production->id, story->lost);
    repository_add_own_command(story->repository, "complete-wal", &command);
    report_step(report, group,
                "Copy the history file into it, as far as it is elsewhere:", strbuf_text(&command));
}

static void add_gap(struct report *report, struct report_item *group,
                    const struct restore_story *story)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    if (story->summary->missing_since == 0)
        return;
    add_missing_segments(report, group, story);
    add_lost(report, group, story);
    repository_add_own_command(story->repository, "run", &command);
    strbuf_puts(&command, " -- backup --type=incr");
    report_step(report, group, "Take a backup now: it begins a window without the gap.",
                strbuf_text(&command));
}

static void add_older_gaps(struct report *report, struct report_item *group,
                           const struct restore_summary *summary)
{
    if (summary->missing_older > 0)
        report_verdict(report, group, GRADE_WARNING,
                       "%" PRIu64 " WAL %s missing between older backups", summary->missing_older,
                       segments_are(summary->missing_older));
}

static void add_foreign(struct report *report, struct report_item *group,
                        const struct restore_story *story)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    if (story->foreign == 0)
        return;
    report_verdict(report, group, GRADE_FAILED,
                   "%zu foreign timeline%s: a default restore would follow %s and lose what "
                   "production wrote",
                   story->foreign, story->foreign == 1 ? "" : "s",
                   story->foreign == 1 ? "it" : "the newest");
    report_step(report, group,
                "Find the copy that was promoted and archives here: on each host that has or had "
                "one, look at archive_command; stop it there.",
                NULL);
    repository_add_own_command(story->repository, "run", &command);
    strbuf_puts(&command, " -- backup --type=full");
    report_step(report, group,
                "When none archives here any more: take a full backup, so that no restore needs "
                "what was before. Then remove what the copy left, as the runbook "
                "PgBackRestForeignTimeline says.",
                strbuf_text(&command));
}

/* ---- to which moment, and what would be lost ---- */

/* Without continuous WAL there is nothing between the ends of backups. */
static void add_points(struct report *report, struct report_item *group,
                       const struct restore_story *story)
{
    const struct info_stanza *stanza = story->input->stanza;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    size_t named = 0;
    for (size_t i = stanza->backup_count; i-- > 0 && named < POINTS_NAMED;) {
        if (!verdict_restore_line_can(story->input, &stanza->backups[i]))
            continue;
        strbuf_puts(&text, named++ > 0 ? ", " : "only the ends of backups: ");
        when_add_utc(&text, (double)stanza->backups[i].stop);
    }
    if (story->summary->restorable_count > named)
        strbuf_printf(&text, " and %zu older", story->summary->restorable_count - named);
    report_fact(report, group, "reaches", "%s", strbuf_text(&text));
}

static bool knows_loss(const struct restore_story *story)
{
    const struct archiver_observation *archiver = story->archiver;
    return story->input->continuous && story->summary->run_end > 0 && archiver &&
           archiver->has_lsn && !archiver->in_recovery;
}

/* What PostgreSQL has written behind the last segment that recovery reaches. */
static void add_loss(struct report *report, struct report_item *group,
                     const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    uint64_t safe = summary->run_end * summary->segment_size;
    if (!story->input->continuous)
        strbuf_puts(&text, "all that was written since that backup ended,");
    else if (!knows_loss(story))
        strbuf_puts(&text, "all that was written since");
    else if (story->archiver->lsn > safe)
        strbuf_printf(&text, "%.1f MiB of WAL, written since",
                      (double)(story->archiver->lsn - safe) / MIB);
    else
        strbuf_puts(&text, "nothing: all WAL that PostgreSQL has written was there");
    report_since(report, group, "would be lost", strbuf_text(&text), (double)summary->window_end);
}

static void add_moment(struct report *report, struct report_item *group,
                       const struct restore_story *story)
{
    if (!story->summary->has_window)
        return;
    report_time(report, group, "latest moment", (double)story->summary->window_end);
    if (!story->input->continuous)
        add_points(report, group, story);
    add_loss(report, group, story);
}

/* ---- how to restore ---- */

/* Where recovery is to end: a default one looks for WAL that is not there, or goes astray. */
static void add_target(struct strbuf *out, const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    if (!story->input->continuous && !summary->restorable.backup->archive_stop)
        strbuf_puts(out, " --type=none");
    else if (!story->input->continuous)
        strbuf_puts(out, " --type=immediate --target-action=promote");
    else if (story->foreign > 0)
        strbuf_printf(out, " --target-timeline=%" PRIu32, story->input->production->id);
}

static void add_command(struct report *report, struct report_item *group,
                        const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    struct strbuf options CLEANUP(strbuf_done) = {0};
    struct strbuf command CLEANUP(strbuf_done) = {0};
    if (!summary->restorable.backup)
        return;
    strbuf_puts(&options, "restore");
    if (summary->restorable.backup != summary->newest.backup)
        strbuf_printf(&options, " --set=%s", summary->restorable.backup->label);
    add_target(&options, story);
    repository_add_command(story->repository, strbuf_text(&options), &command);
    report_step(report, group,
                story->unknown_since > 0
                    ? "Restore once it can be reached, with PostgreSQL stopped and its data "
                      "directory empty:"
                    : "Restore to that moment, with PostgreSQL stopped and its data directory "
                      "empty:",
                strbuf_text(&command));
}

void verdict_restore_report(struct report *report, const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    struct report_item *group = add_group(report, story->repository);
    if (summary->restorable.backup)
        add_restore(report, group, story);
    else
        add_no_restore(report, group, story);
    add_gap(report, group, story);
    add_older_gaps(report, group, summary);
    add_foreign(report, group, story);
    add_moment(report, group, story);
    report_fact(report, group, "restorable backups", "%zu of %zu", summary->restorable_count,
                summary->restorable_count + summary->broken_count + summary->unknown_count);
    add_command(report, group, story);
    verdict_restore_line(report, group, story);
}

void verdict_restore_report_unknown(struct report *report,
                                    const struct stanza_repository *repository)
{
    struct report_item *group = add_group(report, repository);
    report_verdict(report, group, GRADE_UNKNOWN, "not everything that it takes was seen yet");
}
