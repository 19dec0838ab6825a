#include "collectors/verdict_restore_report.h"

#include <string.h>

#include <criterion/criterion.h>

#define MB16 ((uint64_t)16 << 20)
#define NOW  1795379400.0 /* 2026-11-22 20:30:00 UTC */
#define DAY  86400.0

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

/* Repository 1 with one backup that ended an hour ago and WAL up to a minute ago. */
static const struct info_backup backup = {.label = "20261122-190000F",
                                          .type = "full",
                                          .repo_key = 1,
                                          .database_id = 1,
                                          .start = (int64_t)NOW - 3700,
                                          .stop = (int64_t)NOW - 3600};
static const struct info_database database = {.id = 1, .repo_key = 1};
static const struct info_stanza catalogue = {
    .databases = &database, .database_count = 1, .backups = &backup, .backup_count = 1};
static const struct backup_folder folder = {.label = "20261122-190000F", .state = FOLDER_COMPLETE};
static struct stanza stanza;
static struct repository_settings settings;
static struct stanza_repository repository;
static struct wal_archive archive;
static struct timeline production;
static struct restore_input input;
static struct restore_summary summary;
static struct drill_observation drill;
static struct archiver_observation archiver;
static struct restore_story story;
static struct report *report;

static void begin(void)
{
    stanza = (struct stanza){.name = TEXT_OF("main")};
    settings = (struct repository_settings){.key = 1, .objectives = {.drill = 9 * DAY}};
    repository = (struct stanza_repository){.stanza = &stanza,
                                            .key = 1,
                                            .name = TEXT_OF("nas"),
                                            .settings = &settings,
                                            .in_pgbackrest_conf = true};
    archive = (struct wal_archive){.segment_size = MB16};
    production = (struct timeline){.id = 3};
    input = (struct restore_input){.stanza = &catalogue,
                                   .repo_key = 1,
                                   .archive = &archive,
                                   .listed_at = (int64_t)NOW,
                                   .archive_listed = true,
                                   .production = &production,
                                   .folders = &folder,
                                   .folder_count = 1,
                                   .continuous = true};
    summary = (struct restore_summary){.segment_size = MB16,
                                       .newest = {.backup = &backup},
                                       .restorable = {.backup = &backup},
                                       .restorable_count = 1,
                                       .has_window = true,
                                       .window_start = (int64_t)NOW - 3600,
                                       .window_end = (int64_t)NOW - 60,
                                       .run_end = 10};
    drill = (struct drill_observation){
        .state = DRILL_SUCCEEDED, .success_ended_at = NOW - 3 * DAY, .success_duration_s = 2460};
    archiver = (struct archiver_observation){.has_lsn = true, .lsn = 10 * MB16 + MB16 / 2};
    story = (struct restore_story){.repository = &repository,
                                   .input = &input,
                                   .summary = &summary,
                                   .drill = &drill,
                                   .archiver = &archiver,
                                   .now = NOW};
    report = report_new();
}

static void end(void)
{
    report_free(report);
}

TestSuite(verdict_restore_report, .init = begin, .fini = end);

/* The n-th item of a kind. */
static const struct report_item *item(enum report_kind kind, size_t n)
{
    verdict_restore_report(report, &story);
    const struct report_item *group = report->root->children[0];
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind == kind && n-- == 0)
            return group->children[i];
    }
    cr_assert_fail("there is no such item");
    return NULL;
}

static const struct report_item *fact(const char *title)
{
    verdict_restore_report(report, &story);
    const struct report_item *group = report->root->children[0];
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind == REPORT_FACT &&
            strcmp(group->children[i]->title, title) == 0)
            return group->children[i];
    }
    return NULL;
}

static bool has_event(const char *kind)
{
    verdict_restore_report(report, &story);
    const struct report_item *group = report->root->children[0];
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind == REPORT_EVENT &&
            strcmp(group->children[i]->title, kind) == 0)
            return true;
    }
    return false;
}

static void expect_verdict(enum grade grade, const char *text)
{
    const struct report_item *verdict = item(REPORT_VERDICT, 0);
    cr_expect_str_eq(verdict->text, text);
    cr_expect_eq(verdict->grade, grade, "%s", grade_name(verdict->grade));
}

#define WINDOW "restorable from 2026-11-22 19:30 UTC to 2026-11-22 20:29 UTC"

Test(verdict_restore_report, a_drill_that_worked_proves_it)
{
    expect_verdict(GRADE_PROVEN, "PROVEN (drill 2026-11-19 20:30 UTC, 41 min), " WINDOW);
}

Test(verdict_restore_report, a_drill_beyond_its_objective_proves_nothing_more)
{
    drill.success_ended_at = NOW - 10 * DAY;
    expect_verdict(GRADE_OK, "looks " WINDOW " (nothing missing; last drill 2026-11-12 20:30 UTC)");
}

Test(verdict_restore_report, without_a_drill_it_only_looks_so)
{
    story.drill = NULL;
    expect_verdict(GRADE_OK, "looks " WINDOW " (nothing missing; not drilled)");
}

Test(verdict_restore_report, a_failed_drill_takes_the_proof_away)
{
    drill.state = DRILL_FAILED;
    expect_verdict(GRADE_OK, "looks " WINDOW " (nothing missing; the last drill failed, the one "
                             "that worked: 2026-11-19 20:30 UTC)");
}

Test(verdict_restore_report, a_gap_since_the_drill_takes_the_proof_away)
{
    summary.missing_since = 2;
    expect_verdict(GRADE_OK, "looks " WINDOW
                             " (nothing missing until then; last drill 2026-11-19 20:30 UTC)");
}

Test(verdict_restore_report, a_newest_backup_that_is_not_judged_yet_is_said_to_be_unknown)
{
    struct info_backup newer = {.label = TEXT_OF("20261122-202900F")};
    summary.newest = (struct restore_verdict){.backup = &newer, .grade = RESTORE_UNKNOWN};
    const struct report_item *verdict = item(REPORT_VERDICT, 1);
    cr_expect_str_eq(verdict->text,
                     "the newest backup, 20261122-202900F, was not looked at twice yet");
    cr_expect_eq(verdict->grade, GRADE_UNKNOWN);
}

Test(verdict_restore_report, a_newest_backup_without_its_wal_is_completed_by_a_command)
{
    summary.newest = (struct restore_verdict){.backup = &backup, .grade = RESTORE_NO_WAL};
    cr_expect(strstr(item(REPORT_STEP, 0)->command, "pgbackup_exporter complete-wal --stanza="));
}

Test(verdict_restore_report, a_gap_behind_the_newest_backup_is_mended_by_another_backup)
{
    summary.missing_since = 2;
    cr_expect(strstr(item(REPORT_STEP, 0)->command, " -- backup --type=incr"));
}

Test(verdict_restore_report, a_missing_history_file_is_named_and_is_no_segment)
{
    summary.missing_since = 1;
    story.lost = 4;
    cr_expect_str_eq(
        item(REPORT_VERDICT, 1)->text,
        "00000004.history is missing, or makes no sense: without an error a restore ends "
        "on timeline 3, from which production has gone on to 4");
    cr_expect(strstr(item(REPORT_STEP, 0)->command, "pgbackup_exporter complete-wal --stanza="));
    cr_expect(strstr(item(REPORT_STEP, 1)->command, " -- backup --type=incr"));
}

Test(verdict_restore_report, segments_that_are_missing_beside_a_history_file_are_counted_alone)
{
    summary.missing_since = 3;
    story.lost = 4;
    cr_expect(strstr(item(REPORT_VERDICT, 1)->text, "2 WAL segments are missing") ==
              item(REPORT_VERDICT, 1)->text);
}

Test(verdict_restore_report, a_foreign_timeline_has_its_next_steps)
{
    story.foreign = 2;
    cr_expect_str_eq(item(REPORT_VERDICT, 1)->text,
                     "2 foreign timelines: a default restore would follow the newest and lose "
                     "what production wrote");
    cr_expect(strstr(item(REPORT_STEP, 0)->text, "look at archive_command"));
    cr_expect(strstr(item(REPORT_STEP, 1)->text, "runbook PgBackRestForeignTimeline"));
    cr_expect(strstr(item(REPORT_STEP, 1)->command, " -- backup --type=full"));
}

Test(verdict_restore_report, what_cannot_be_looked_into_is_unknown_with_what_was_last_known)
{
    story.unknown_since = NOW - 600;
    expect_verdict(GRADE_UNKNOWN, "unknown since 2026-11-22 20:20 UTC, last known: PROVEN (drill "
                                  "2026-11-19 20:30 UTC, 41 min), " WINDOW);
}

Test(verdict_restore_report, what_was_not_restorable_stays_so_while_it_cannot_be_looked_into)
{
    summary = (struct restore_summary){.segment_size = MB16};
    story.unknown_since = NOW - 600;
    expect_verdict(GRADE_FAILED, "unknown since 2026-11-22 20:20 UTC, last known: NOT restorable: "
                                 "it holds no backup of the current database");
}

Test(verdict_restore_report, what_postgresql_wrote_behind_the_last_segment_would_be_lost)
{
    const struct report_item *lost = fact("would be lost");
    cr_assert_not_null(lost);
    cr_expect_str_eq(lost->text, "8.0 MiB of WAL, written since");
    cr_expect_eq(lost->time, NOW - 60);
}

Test(verdict_restore_report, nothing_would_be_lost_when_all_of_it_is_there)
{
    archiver.lsn = 10 * MB16;
    cr_expect_str_eq(fact("would be lost")->text,
                     "nothing: all WAL that PostgreSQL has written was there");
}

Test(verdict_restore_report, without_postgresql_no_amount_is_claimed)
{
    story.archiver = NULL;
    cr_expect_str_eq(fact("would be lost")->text, "all that was written since");
}

Test(verdict_restore_report, without_continuous_wal_only_the_ends_of_backups_are_reached)
{
    input.continuous = false;
    summary.run_end = 0;
    summary.window_start = summary.window_end = backup.stop;
    cr_expect_str_eq(fact("reaches")->text, "only the ends of backups: 2026-11-22 19:30 UTC");
    cr_expect_str_eq(fact("would be lost")->text, "all that was written since that backup ended,");
}

Test(verdict_restore_report, the_command_restores_from_that_repository)
{
    cr_expect_str_eq(item(REPORT_STEP, 0)->command,
                     "sudo -u postgres pgbackrest --stanza=main --repo=1 restore");
}

Test(verdict_restore_report, past_a_broken_backup_the_command_names_the_one_that_works)
{
    struct info_backup newer = backup;
    newer.label = "20261122-200000F";
    summary.newest = (struct restore_verdict){
        .backup = &newer, .grade = RESTORE_NO_FOLDER, .folder = "20261122-200000F"};
    cr_expect(strstr(item(REPORT_STEP, 0)->command, " restore --set=20261122-190000F"));
}

Test(verdict_restore_report, past_a_foreign_timeline_the_command_names_productions_own)
{
    story.foreign = 1;
    cr_expect(strstr(item(REPORT_STEP, 2)->command, " restore --target-timeline=3"));
}

Test(verdict_restore_report, the_time_line_has_backups_window_moment_and_drill)
{
    cr_expect(has_event("full") && has_event("window") && has_event("latest moment") &&
              has_event("drill"));
    cr_expect_not(has_event("gap"));
}

Test(verdict_restore_report, the_time_line_marks_a_backup_that_cannot_be_restored)
{
    input.folder_count = 0;
    cr_expect(has_event("not restorable"));
    cr_expect_not(has_event("full"));
}
