#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/archiver.h"
#include "collectors/backups.h"
#include "collectors/queue.h"
#include "collectors/settings.h"
#include "collectors/wal.h"
#include "exporter/schedule/collector.h"

extern const struct collector collector_restorability;

#define MB16     ((uint64_t)16 << 20)
#define CHECKSUM "-a1eb0ce668d587215d549943beb2f4bbe19e96f8.gz"

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

/* Repository 1 of stanza main with one backup at WAL 2..3, which ended at 5000. */
static const char catalogue[] =
    "[{\"name\":\"main\",\"status\":{\"code\":0,\"message\":\"ok\"},"
    "\"db\":[{\"id\":1,\"repo-key\":1,\"system-id\":1,\"version\":\"15\"}],"
    "\"repo\":[{\"key\":1,\"cipher\":\"none\",\"status\":{\"code\":0,\"message\":\"ok\"}}],"
    "\"archive\":[],\"backup\":[{\"label\":\"20261122-220046F\",\"type\":\"full\","
    "\"database\":{\"id\":1,\"repo-key\":1},\"timestamp\":{\"start\":4990,\"stop\":5000},"
    "\"archive\":{\"start\":\"000000010000000000000002\",\"stop\":\"000000010000000000000003\"},"
    "\"info\":{\"size\":1,\"delta\":1,\"repository\":{\"size\":1,\"delta\":1}},"
    "\"backrest\":{\"format\":5,\"version\":\"2.45\"},\"prior\":null,\"reference\":null}]}]";

static struct stanza stanza;
static struct stanza_repository repository;
static struct target target;
static const struct label labels[] = {{"stanza", "main"}, {"repo_key", "1"}, {NULL, NULL}};
static struct archiver_observation archiver;
static struct backups_observation backups;
static struct wal_observation wal;
static struct backup_folder folder;
static struct wal_history history;
static bool postgres_answers;
static void *state;
static double asked_at = 1e9; /* all collectors */

/* What the last run brought. */
static struct sample_set *samples;
static struct report *report;

static void begin(void)
{
    struct err err;
    postgres_answers = true;
    stanza = (struct stanza){.name = TEXT_OF("main")};
    repository = (struct stanza_repository){.stanza = &stanza,
                                            .key = 1,
                                            .name = TEXT_OF("nas"),
                                            .storage = "posix",
                                            .cipher = "none",
                                            .in_pgbackrest_conf = true};
    target = (struct target){.name = TEXT_OF("main/repo1"),
                             .labels = (struct label *)(uintptr_t)labels,
                             .spec = &repository};
    archiver = (struct archiver_observation){.segment_size = MB16,
                                             .has_position = true,
                                             .timeline = 1,
                                             .last_archived_wal = TEXT_OF("")};
    backups = (struct backups_observation){
        .stanza = TEXT_OF("main"), .repo_key = 1, .readable = true, .lock_known = true};
    cr_assert(info_parse(catalogue, sizeof catalogue - 1, &backups.info, &err), "%s", err.text);
    folder = (struct backup_folder){.label = "20261122-220046F", .state = FOLDER_COMPLETE};
    wal = (struct wal_observation){.stanza = TEXT_OF("main"),
                                   .repo_key = 1,
                                   .readable = true,
                                   .listed_at = 6000,
                                   .database_id = 1,
                                   .archive_listed = true,
                                   .folders = &folder,
                                   .folder_count = 1};
    cr_assert(collector_restorability.open(NULL, &target, &state, &err));
}

static void end(void)
{
    wal_archive_done(&wal.archive);
    info_unref(backups.info);
    sample_set_free(samples);
    report_free(report);
    collector_restorability.close(state);
}

TestSuite(verdict_restore, .init = begin, .fini = end);

/* What one look finds in a folder. */
static void look_into(const char *name, const struct repo_listing *listing)
{
    uint32_t timeline = 0, log = 0;
    struct wal_folder *found = NULL;
    struct err err;
    cr_assert(wal_folder_name(name, &timeline, &log));
    struct wal_sight sight = {1, wal_archive_folder(&wal.archive, timeline, log), false};
    cr_assert(wal_folder_read_again(name, listing, &sight, &found, &err));
    cr_assert(wal_archive_put(&wal.archive, found, &err));
}

/* Segments first to last of a timeline are seen in the repository, but for one. */
static void store_once(uint32_t timeline, uint32_t first, uint32_t last, uint32_t but)
{
    struct repo_file files[32] = {0};
    struct strbuf names[32] = {0};
    struct strbuf folder_name CLEANUP(strbuf_done) = {0};
    struct repo_listing listing = {.files = files};
    strbuf_printf(&folder_name, "%08X%08X", timeline, 0);
    for (uint32_t i = first; i <= last; i++) {
        if (i == but)
            continue;
        struct strbuf *name = &names[listing.count];
        strbuf_printf(name, "%s%08X" CHECKSUM, strbuf_text(&folder_name), i);
        files[listing.count++] =
            (struct repo_file){.name = strbuf_text(name), .size = 1, .time = 5000 + (int64_t)i};
    }
    look_into(strbuf_text(&folder_name), &listing);
    for (size_t i = 0; i < listing.count; i++)
        strbuf_done(&names[i]);
}

/* As two looks see them. */
static void store(uint32_t timeline, uint32_t first, uint32_t last, uint32_t but)
{
    store_once(timeline, first, last, but);
    store_once(timeline, first, last, but);
}

static struct run_input input(const char *collector, const char *name, const void *observation)
{
    return (struct run_input){.collector = collector,
                              .target = name,
                              .labels = labels,
                              .observation = observation,
                              .observed_at = asked_at,
                              .fresh = true,
                              .current = true};
}

/* Run it on what there is. */
static struct queue_observation queue; /* of now */
static bool wants_again;

static void combine(void)
{
    struct run_input inputs[] = {input("archiver", "main", &archiver),
                                 input("backups", "main/repo1", &backups),
                                 input("wal", "main/repo1", &wal), input("wal", "main/repo2", NULL),
                                 input("queue", "main", &queue)};
    struct err refused = {0}, err = {0};
    inputs[0].current = inputs[4].current = postgres_answers;
    sample_set_free(samples);
    report_free(report);
    report = report_new();
    struct run run = {
        .sink =
            sink_new(collector_restorability.metrics, collector_restorability.metric_count, labels),
        .report = report,
        .target = &target,
        .inputs = inputs,
        .input_count = COUNT_OF(inputs),
    };
    cr_assert(collector_restorability.collect(state, &run, &err), "%s", err.text);
    wants_again = run.again;
    cr_assert(sink_finish(run.sink, &samples, &refused, &err));
    cr_expect_eq(refused.code, ERR_NONE, "%s", refused.text);
    sink_free(run.sink);
}

/* The repository is listed once more, and judged. */
static void look_again(void)
{
    wal.listed_at++;
    combine();
}

static void look_twice(void)
{
    combine();
    look_again();
}

#define REPO "{stanza=\"main\",repo_key=\"1\"}"

/* The value of a series, or -1. */
static double value(const char *series)
{
    for (size_t i = 0; i < samples->count; i++) {
        if (strcmp(samples->items[i].series, series) == 0)
            return samples->items[i].value;
    }
    return -1;
}

/* The text of the n-th verdict; "" for none. */
static const char *verdict(size_t n)
{
    const struct report_item *group = report->root->children[0];
    for (size_t i = 0; i < group->child_count; i++) {
        if (group->children[i]->kind == REPORT_VERDICT && n-- == 0)
            return group->children[i]->text;
    }
    return "";
}

Test(verdict_restore, a_sound_repository_is_restorable_to_its_last_segment)
{
    store(1, 2, 6, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 1);
    cr_expect_eq(value("pgbackrest_backup_last_restorable_timestamp_seconds" REPO), 5000);
    cr_expect_eq(value("pgbackrest_recovery_window_start_timestamp_seconds" REPO), 5000);
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5006);
    cr_expect_eq(value("pgbackrest_recovery_point_age_seconds" REPO), 5006);
    cr_expect_eq(value("pgbackrest_wal_last_timestamp_seconds" REPO), 5006);
    cr_expect_eq(value("pgbackrest_wal_foreign_timelines" REPO), 0);
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 0);
    cr_expect_eq(report_worst(report->root), GRADE_OK);
    cr_expect_str_eq(verdict(0), "looks restorable from 1970-01-01 01:23 UTC to 1970-01-01 01:23 "
                                 "UTC (nothing missing; not drilled)");
}

Test(verdict_restore, a_repository_without_wal_is_not_restorable_once_seen_twice)
{
    combine();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), -1);
    cr_expect_eq(report_worst(report->root), GRADE_UNKNOWN);
    combine();
    cr_expect_eq(report_worst(report->root), GRADE_UNKNOWN, "the same listing is the same look");
    look_again();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 0);
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), -1);
    cr_expect_str_eq(verdict(0), "NOT restorable: backup 20261122-220046F needs WAL "
                                 "000000010000000000000002, which is not in this repository");
}

Test(verdict_restore, a_hole_that_is_closed_by_the_next_look_was_none)
{
    store(1, 2, 6, 5);
    combine();
    cr_expect_eq(value("pgbackrest_wal_missing_segments{stanza=\"main\",repo_key=\"1\",scope="
                       "\"since_last_backup\"}"),
                 -1);
    store(1, 2, 8, 0);
    look_again();
    cr_expect_eq(value("pgbackrest_wal_missing_segments{stanza=\"main\",repo_key=\"1\",scope="
                       "\"since_last_backup\"}"),
                 0);
}

Test(verdict_restore, a_hole_behind_the_newest_backup_is_said_with_what_to_do)
{
    store(1, 2, 6, 5);
    look_twice();
    cr_expect_eq(value("pgbackrest_wal_missing_segments{stanza=\"main\",repo_key=\"1\",scope="
                       "\"since_last_backup\"}"),
                 1);
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5004);
    cr_expect(strstr(verdict(1), "1 WAL segment is missing behind the newest backup"), "%s",
              verdict(1));
    cr_expect_eq(report_worst(report->root), GRADE_FAILED);
}

Test(verdict_restore, wants_a_listing_and_a_catalogue_behind_the_first_listing)
{
    store(1, 2, 6, 0);
    asked_at = 5999;
    look_twice();
    cr_expect(wants_again, "the catalogue is older than the first listing");
    asked_at = 6000;
    combine();
    cr_expect_not(wants_again);
}

Test(verdict_restore, a_newer_timeline_than_productions_is_foreign)
{
    store(1, 2, 6, 0);
    store(2, 5, 9, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_wal_foreign_timelines" REPO), 1);
    cr_expect(strstr(verdict(1), "1 foreign timeline:"), "%s", verdict(1));
    archiver.timeline = 2;
    history.timeline =
        (struct timeline){.id = 2, .ancestors = &(struct timeline_switch){1, 5 * MB16}, .count = 1};
    wal.histories = &history;
    wal.history_count = 1;
    look_twice();
    cr_expect_eq(value("pgbackrest_wal_foreign_timelines" REPO), 0, "production was promoted");
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5009);
}

Test(verdict_restore, a_standby_knows_nothing_of_foreign_timelines)
{
    store(1, 2, 6, 0);
    store(2, 5, 9, 0);
    archiver.in_recovery = true;
    look_twice();
    cr_expect_eq(value("pgbackrest_wal_foreign_timelines" REPO), -1);
}

Test(verdict_restore, a_foreign_timeline_does_not_go_away_with_postgresql)
{
    store(1, 2, 6, 0);
    store(2, 5, 9, 0);
    look_twice();
    postgres_answers = false;
    look_twice();
    cr_expect_eq(value("pgbackrest_wal_foreign_timelines" REPO), 1);
    postgres_answers = true;
    archiver.timeline = 2;
    look_twice();
    cr_expect_eq(value("pgbackrest_wal_foreign_timelines" REPO), 0);
}

Test(verdict_restore, a_backup_that_two_looks_found_broken_is_told_until_it_is_whole)
{
    const char *series = "pgbackrest_backup_last_unrestorable_timestamp_seconds" REPO;
    combine();
    combine();
    cr_expect_eq(value(series), -1, "one look may have been too early");
    look_again();
    cr_expect_eq(value(series), 5000);
    cr_expect_eq(value("pgbackrest_backup_last_restorable_timestamp_seconds" REPO), -1);
    store(1, 2, 3, 0);
    look_again();
    cr_expect_eq(value(series), -1);
    cr_expect_eq(value("pgbackrest_backup_last_restorable_timestamp_seconds" REPO), 5000);
}

Test(verdict_restore, another_repositorys_broken_backup_is_not_told)
{
    repository.key = wal.repo_key = 2;
    look_twice();
    cr_expect_eq(value("pgbackrest_backup_last_unrestorable_timestamp_seconds" REPO), -1);
}

Test(verdict_restore, without_continuous_wal_a_backup_is_a_point_and_has_no_gaps)
{
    repository.in_pgbackrest_conf = false;
    store(1, 2, 3, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5000);
    cr_expect_eq(value("pgbackrest_wal_missing_segments{stanza=\"main\",repo_key=\"1\",scope="
                       "\"older\"}"),
                 -1);
    cr_expect_eq(value("pgbackrest_wal_last_timestamp_seconds" REPO), -1);
    cr_expect(strstr(verdict(0), "only to the end of a backup, 1970-01-01 01:23 UTC"), "%s",
              verdict(0));
}

Test(verdict_restore, what_was_configured_goes_before_what_pgbackrest_conf_suggests)
{
    struct repository_settings own = {.continuous_wal = NO};
    repository.settings = &own;
    store(1, 2, 6, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5000);
}

Test(verdict_restore, folders_that_nobody_lists_and_nobody_writes_are_incomplete)
{
    struct backup_folder folders[] = {
        folder,
        {.label = "20261122-230000F", .state = FOLDER_INCOMPLETE, .changed_at = 6000 - 3601}};
    wal.folders = folders;
    wal.folder_count = 2;
    store(1, 2, 6, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 1);
    backups.lock.held = true;
    combine();
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 1, "it was there before the backup");
    backups.lock.held = false;
    folders[1].changed_at = 6000;
    combine();
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 0);
}

Test(verdict_restore, during_a_backup_no_folder_becomes_incomplete)
{
    struct backup_folder folders[] = {
        folder, {.label = "20261122-230000F", .state = FOLDER_INCOMPLETE, .changed_at = 1}};
    wal.folders = folders;
    wal.folder_count = 2;
    backups.lock.held = true;
    look_twice();
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 0, "it may be the one being made");
    backups.lock.held = false;
    backups.readable = false;
    combine();
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 0, "it may be listed since");
    backups.readable = true;
    combine();
    cr_expect_eq(value("pgbackrest_backups_incomplete" REPO), 1);
}

#define SINCE                                                                                      \
    "pgbackrest_wal_missing_segments{stanza=\"main\",repo_key=\"1\",scope=\"since_last_backup\"}"

Test(verdict_restore, two_holes_of_two_looks_are_no_gap)
{
    store(1, 2, 8, 5);
    combine();
    store_once(1, 2, 10, 9);
    look_again();
    cr_expect_eq(value(SINCE), 0, "each was on its way");
}

Test(verdict_restore, nothing_is_confirmed_before_the_catalogue_was_read_again)
{
    combine();
    backups.readable = false;
    look_again();
    look_again();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), -1, "expire may have taken it");
    backups.readable = true;
    asked_at = 6000;
    combine();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 0);
}

Test(verdict_restore, while_something_is_looked_at_again_what_was_known_stands)
{
    store(1, 2, 6, 0);
    look_twice();
    wal.folder_count = 0;
    look_again();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 1);
    look_again();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 0);
}

Test(verdict_restore, a_backup_that_ended_after_the_listing_does_not_take_the_others_away)
{
    store(1, 2, 6, 0);
    look_twice();
    wal.listed_at = 4999;
    combine();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 1);
}

Test(verdict_restore, without_its_history_a_restore_does_not_get_to_production)
{
    archiver.timeline = 2;
    store(1, 2, 6, 0);
    store(2, 6, 9, 0);
    look_twice();
    cr_expect_eq(value(SINCE), 1);
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 1);
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5006);
    history = (struct wal_history){.timeline = {.id = 2}, .broken = true};
    wal.histories = &history;
    wal.history_count = 1;
    look_again();
    cr_expect_eq(value(SINCE), 1, "one that cannot be understood is none");
}

Test(verdict_restore, the_history_that_production_needs_is_named_when_two_looks_miss_it)
{
    archiver.timeline = 2;
    store(1, 2, 6, 0);
    look_again();
    cr_expect_null(strstr(verdict(1), ".history"), "once is not enough");
    look_again();
    cr_expect(strstr(verdict(1), "00000002.history is missing") == verdict(1), "%s", verdict(1));
}

Test(verdict_restore, a_new_database_without_wal_has_nothing_to_restore)
{
    static const char second[] = ",{\"id\":2,\"repo-key\":1,\"system-id\":1,\"version\":\"16\"}";
    struct strbuf upgraded CLEANUP(strbuf_done) = {0};
    struct err err;
    const char *rest = strstr(catalogue, "],\"repo\"");
    strbuf_add(&upgraded, catalogue, (size_t)(rest - catalogue));
    strbuf_printf(&upgraded, "%s%s", second, rest);
    info_unref(backups.info);
    cr_assert(info_parse(strbuf_text(&upgraded), upgraded.length, &backups.info, &err));
    store(1, 2, 6, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 0);
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), -1);
}

Test(verdict_restore, a_segment_size_that_postgresql_does_not_tell_is_seen_in_the_names)
{
    archiver.segment_size = 0;
    store(1, 2, 6, 0);
    look_twice();
    cr_expect_eq(value("pgbackrest_backups_restorable" REPO), 1);
}

#define BEHIND     "pgbackrest_wal_behind_segments" REPO
#define UNARCHIVED "pgbackrest_wal_unarchived_bytes" REPO
#define AGE        "pgbackrest_recovery_point_age_seconds" REPO

/* PostgreSQL has written up to that LSN and archived that file. */
static void write_to(uint64_t lsn, const char *archived)
{
    archiver.has_lsn = true;
    archiver.lsn = lsn;
    archiver.last_archived_wal = TEXT_OF(archived);
}

Test(verdict_restore, what_was_archived_before_the_listing_and_is_not_in_it_is_behind)
{
    wal.listed_at = 1; /* long before PostgreSQL was asked */
    store(1, 2, 6, 0);
    write_to(9 * MB16, "000000010000000000000008");
    combine();
    cr_expect_eq(value(BEHIND), -1, "it may have been archived since");
    wal.listed_at = 9e9;
    combine();
    cr_expect_eq(value(BEHIND), 2);
    cr_expect_eq(value(UNARCHIVED), 2 * MB16);
    write_to(9 * MB16, "000000010000000000000009");
    combine();
    cr_expect_eq(value(BEHIND), 3);
    store(1, 2, 12, 0);
    look_again();
    cr_expect_eq(value(BEHIND), 0);
    cr_expect_eq(value(UNARCHIVED), 0);
}

Test(verdict_restore, behind_is_not_told_across_timelines)
{
    wal.listed_at = 9e9;
    store(1, 2, 6, 0);
    write_to(9 * MB16, "000000020000000000000008");
    look_twice();
    cr_expect_eq(value(BEHIND), -1);
    write_to(9 * MB16, "00000002.history");
    look_twice();
    cr_expect_eq(value(BEHIND), -1);
}

Test(verdict_restore, on_an_idle_server_the_recovery_point_is_now)
{
    store(1, 2, 6, 0);
    write_to(7 * MB16 + 328, "000000010000000000000006");
    look_twice();
    cr_expect_eq(value(AGE), 1e9, "when PostgreSQL was asked");
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5006);
    asked_at += 60;
    archiver.lsn += 1370000; /* a slow writer, no whole segment */
    combine();
    cr_expect_eq(value(AGE), 1e9, "what was written since would be lost");
    cr_expect_eq(value(UNARCHIVED), 1370328);
}

Test(verdict_restore, without_a_quiet_moment_the_recovery_point_is_the_last_segments_time)
{
    store(1, 2, 6, 0);
    write_to(7 * MB16 + 1370000, "000000010000000000000006");
    look_twice();
    cr_expect_eq(value(AGE), 5006);
}

static void wait_in_queue(const char *segment, double since)
{
    queue = (struct queue_observation){.runs = true, .may_look = true, .first_at = since};
    snprintf(queue.first, sizeof queue.first, "%s", segment);
}

Test(verdict_restore, wal_that_arrives_late_does_not_make_the_recovery_point_look_fresh)
{
    store(1, 2, 6, 0); /* the last was stored at 5006 */
    write_to(20 * MB16, "000000010000000000000006");
    wait_in_queue("000000010000000000000007", 1000);
    look_twice();
    cr_expect_eq(value(AGE), 1000, "the next one has waited since then");
}

Test(verdict_restore, what_another_repository_waits_for_does_not_age_one_that_has_it)
{
    store(1, 2, 6, 0);
    write_to(7 * MB16 + 1370000, "000000010000000000000004");
    wait_in_queue("000000010000000000000005", 1000);
    look_twice();
    cr_expect_eq(value(AGE), 5006);
}

Test(verdict_restore, a_queue_of_a_server_that_is_down_is_not_of_now)
{
    store(1, 2, 6, 0);
    write_to(20 * MB16, "000000010000000000000006");
    wait_in_queue("000000010000000000000007", 1000);
    postgres_answers = false;
    look_twice();
    cr_expect_eq(value(AGE), 5006);
}

Test(verdict_restore, what_was_covered_is_lost_again_with_its_wal)
{
    store(1, 2, 6, 0);
    write_to(7 * MB16, "000000010000000000000006");
    look_twice();
    cr_expect_eq(value(AGE), 1e9);
    store(1, 2, 6, 5);
    look_twice();
    cr_expect_eq(value(AGE), 5004);
}

Test(verdict_restore, without_continuous_wal_the_recovery_point_is_the_backups_end)
{
    repository.in_pgbackrest_conf = false;
    store(1, 2, 6, 0);
    write_to(7 * MB16, "000000010000000000000006");
    look_twice();
    cr_expect_eq(value(AGE), 5000);
    cr_expect_eq(value(BEHIND), -1);
    cr_expect_eq(value(UNARCHIVED), -1);
}

Test(verdict_restore, a_standby_tells_nothing_of_what_waits)
{
    archiver.in_recovery = true;
    store(1, 2, 6, 0);
    write_to(7 * MB16, "000000010000000000000006");
    look_twice();
    cr_expect_eq(value(UNARCHIVED), -1);
    cr_expect_eq(value(BEHIND), -1);
    cr_expect_eq(value(AGE), 5006);
}

Test(verdict_restore, before_everything_was_seen_it_is_unknown)
{
    wal.listed_at = 0;
    combine();
    cr_expect_eq(samples->count, 0);
    cr_expect_eq(report_worst(report->root), GRADE_UNKNOWN);
    wal.listed_at = 6000;
    wal.database_id = 2;
    combine();
    cr_expect_eq(report_worst(report->root), GRADE_UNKNOWN, "the two are of different databases");
}

Test(verdict_restore, without_postgresql_the_newest_backups_timeline_counts)
{
    store(1, 2, 6, 0);
    archiver.has_position = false;
    look_twice();
    cr_expect_eq(value("pgbackrest_recovery_window_end_timestamp_seconds" REPO), 5006);
}

static size_t count_targets(bool backups_enabled, bool wal_enabled)
{
    struct collector_settings collectors[] = {{.name = "backups", .enabled = backups_enabled},
                                              {.name = "wal", .enabled = wal_enabled}};
    struct settings settings = {.stanzas = &stanza,
                                .stanza_count = 1,
                                .pgbackrest = {.command = TEXT_OF("/usr/bin/pgbackrest")},
                                .collectors = collectors,
                                .collector_count = COUNT_OF(collectors)};
    struct target_list list = {0};
    struct err err;
    stanza.repositories = &repository;
    stanza.repository_count = 1;
    cr_assert(collector_restorability.targets(&settings, &list, &err));
    size_t count = list.count;
    target_list_done(&list);
    return count;
}

Test(verdict_restore, each_repository_is_judged_where_its_files_are_watched)
{
    cr_expect_eq(count_targets(true, true), 1);
    cr_expect_eq(count_targets(true, false), 0);
    cr_expect_eq(count_targets(false, true), 0);
}

Test(verdict_restore, every_metric_passes_the_lint)
{
    struct err err;
    for (size_t i = 0; i < collector_restorability.metric_count; i++)
        cr_expect(metric_desc_check(&collector_restorability.metrics[i], &err), "%s", err.text);
}
