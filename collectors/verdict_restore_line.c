#include "collectors/verdict_restore_line.h"

#include "collectors/backup_summary.h"

bool verdict_restore_line_can(const struct restore_input *input, const struct info_backup *backup)
{
    const struct info_database *now = info_current_database(input->stanza, input->repo_key);
    if (!now || !backup_is_current(backup, input->repo_key, now))
        return false;
    enum restore_grade grade = restore_judge(input, backup).grade;
    return grade == RESTORE_OK || grade == RESTORE_DAMAGED;
}

static void add_backup(struct report *report, struct report_item *group,
                       const struct restore_input *input, const struct info_backup *backup)
{
    static const char *const kinds[] = {
        [RESTORE_OK] = NULL, /* its type */
        [RESTORE_DAMAGED] = NULL,
        [RESTORE_UNKNOWN] = NULL,
        [RESTORE_NO_WAL] = "not restorable",
        [RESTORE_NO_FOLDER] = "not restorable",
    };
    const char *kind = kinds[restore_judge(input, backup).grade];
    report_event(report, group, kind ? kind : backup->type, backup->label, (double)backup->start,
                 (double)backup->stop);
}

/* When WAL behind a gap was stored last: until then nothing can be restored. */
static int64_t gap_end(const struct restore_story *story)
{
    const struct restore_input *input = story->input;
    uint64_t end = wal_archive_end(input->archive, input->production);
    uint32_t timeline =
        end > 0 ? timeline_of_segment(input->production, end - 1, input->archive->segment_size) : 0;
    int64_t stored =
        end > 0 ? wal_archive_time(input->archive, &(struct wal_segment){timeline, end - 1}) : 0;
    return stored > story->summary->window_end ? stored : story->summary->window_end;
}

static void add_window(struct report *report, struct report_item *group,
                       const struct restore_story *story)
{
    const struct restore_summary *summary = story->summary;
    if (!summary->has_window)
        return;
    if (summary->window_end > summary->window_start)
        report_event(report, group, "window", "every moment can be restored",
                     (double)summary->window_start, (double)summary->window_end);
    report_event(report, group, "latest moment", "as far as a restore reaches",
                 (double)summary->window_end, (double)summary->window_end);
    if (summary->missing_since > 0)
        report_event(report, group, "gap", "WAL is missing", (double)summary->window_end,
                     (double)gap_end(story));
}

void verdict_restore_line(struct report *report, struct report_item *group,
                          const struct restore_story *story)
{
    const struct info_stanza *stanza = story->input->stanza;
    const struct info_database *now = info_current_database(stanza, story->input->repo_key);
    for (size_t i = 0; now && i < stanza->backup_count; i++) {
        if (backup_is_current(&stanza->backups[i], story->input->repo_key, now))
            add_backup(report, group, story->input, &stanza->backups[i]);
    }
    add_window(report, group, story);
    if (story->drill && story->drill->success_ended_at > 0)
        report_event(report, group, "drill", "a restore that worked",
                     story->drill->success_ended_at, story->drill->success_ended_at);
}
