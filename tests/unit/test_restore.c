#include "collectors/restore.h"

#include <criterion/criterion.h>
#include <string.h>

#include "exporter/base/strbuf.h"

#define MB16 ((uint64_t)16 << 20)
#define KEY  2

/* A repository with backups at 2..3, 6..6 and 9..10, each with its folder, and WAL 2..14. */
static struct info_backup backups[4];
static struct info_database database = {.id = 1, .repo_key = KEY, .system_id = 1};
static struct info_stanza stanza;
static struct backup_folder folders[4];
static struct timeline first_timeline = {.id = 1};
static struct wal_archive archive;
static struct restore_input input;

static void add_backup(const char *label, const char *start, const char *stop, int64_t time)
{
    size_t i = stanza.backup_count++;
    backups[i] = (struct info_backup){
        .label = label,
        .type = "full",
        .repo_key = KEY,
        .database_id = 1,
        .start = time - 10,
        .stop = time,
        .archive_start = start,
        .archive_stop = stop,
        .damage = INFO_DAMAGE_NONE,
    };
    folders[i] = (struct backup_folder){.label = label, .state = FOLDER_COMPLETE};
    input.folder_count = stanza.backup_count;
}

/* What one look finds in a folder. */
static void look_into(const char *name, const struct repo_listing *listing)
{
    uint32_t timeline = 0, log = 0;
    struct wal_folder *folder = NULL;
    struct err err;
    cr_assert(wal_folder_name(name, &timeline, &log));
    struct wal_sight sight = {1, wal_archive_folder(&archive, timeline, log), false};
    cr_assert(wal_folder_read_again(name, listing, &sight, &folder, &err));
    cr_assert(wal_archive_put(&archive, folder, &err));
}

/* WAL of a timeline from first to last but for one; each is stored 1000 s after its number. */
static void store(uint32_t timeline, uint32_t first, uint32_t last, uint32_t but)
{
    struct repo_file files[64] = {0};
    struct strbuf names[64] = {0};
    struct strbuf folder_name CLEANUP(strbuf_done) = {0};
    struct repo_listing listing = {.files = files};
    for (uint32_t i = first; i <= last; i++) {
        if (i == but)
            continue;
        struct strbuf *name = &names[listing.count];
        strbuf_printf(name, "%08X%08X%08X-a1eb0ce668d587215d549943beb2f4bbe19e96f8.gz", timeline, 0,
                      i);
        files[listing.count++] =
            (struct repo_file){.name = strbuf_text(name), .size = 1, .time = 1000 + (int64_t)i};
    }
    strbuf_printf(&folder_name, "%08X%08X", timeline, 0);
    look_into(strbuf_text(&folder_name), &listing);
    look_into(strbuf_text(&folder_name), &listing);
    for (size_t i = 0; i < listing.count; i++)
        strbuf_done(&names[i]);
}

static void begin(void)
{
    archive.segment_size = MB16;
    stanza = (struct info_stanza){
        .name = "main", .databases = &database, .database_count = 1, .backups = backups};
    input = (struct restore_input){
        .stanza = &stanza,
        .repo_key = KEY,
        .archive = &archive,
        .listed_at = 2000,
        .archive_listed = true,
        .production = &first_timeline,
        .folders = folders,
        .continuous = true,
        .keeps_all_wal = true,
    };
    add_backup("A", "000000010000000000000002", "000000010000000000000003", 1003);
    add_backup("B", "000000010000000000000006", "000000010000000000000006", 1006);
    add_backup("C", "000000010000000000000009", "00000001000000000000000A", 1010);
    store(1, 2, 14, 0);
}

static void end(void)
{
    wal_archive_done(&archive);
}

TestSuite(restore, .init = begin, .fini = end);

Test(restore, with_all_wal_every_backup_is_restorable_up_to_the_last_segment)
{
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.restorable_count, 3);
    cr_expect_eq(summary.broken_count, 0);
    cr_expect_str_eq(summary.restorable.backup->label, "C");
    cr_expect(summary.has_window);
    cr_expect_eq(summary.window_start, 1003);
    cr_expect_eq(summary.window_end, 1014);
    cr_expect_eq(summary.run_end, 15);
    cr_expect(summary.gaps_known);
    cr_expect_eq(summary.missing_since, 0);
    cr_expect_eq(summary.missing_older, 0);
}

Test(restore, a_repository_without_wal_has_no_restorable_backup)
{
    wal_archive_done(&archive);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.restorable_count, 0);
    cr_expect_eq(summary.broken_count, 3);
    cr_expect_eq(summary.newest.grade, RESTORE_NO_WAL);
    cr_expect_eq(summary.newest.segment.number, 9);
    cr_expect_eq(summary.newest.segment_state, WAL_MISSING);
    cr_expect_not(summary.has_window);
}

Test(restore, with_its_own_wal_only_a_backup_is_a_point)
{
    wal_archive_done(&archive);
    store(1, 9, 10, 0);
    input.continuous = false;
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.restorable_count, 1);
    cr_expect_eq(summary.window_start, 1010);
    cr_expect_eq(summary.window_end, 1010);
    cr_expect_not(summary.gaps_known, "nobody pushes the rest here");
}

Test(restore, each_segment_of_a_backups_own_range_counts)
{
    store(1, 2, 14, 10);
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_WAL);
    cr_expect_eq(restore_judge(&input, &backups[2]).segment.number, 10);
    store(1, 2, 14, 9);
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_WAL);
    cr_expect_eq(restore_judge(&input, &backups[1]).grade, RESTORE_OK);
}

Test(restore, a_hole_behind_the_newest_backup_ends_the_window_there)
{
    store(1, 2, 14, 12);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.restorable_count, 3);
    cr_expect_eq(summary.missing_since, 1);
    cr_expect_eq(summary.first_missing_since.number, 12);
    cr_expect_eq(summary.window_end, 1011);
    cr_expect_eq(summary.missing_older, 0);
}

Test(restore, a_hole_before_the_newest_backup_begins_the_window_behind_it)
{
    store(1, 2, 14, 8);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.missing_since, 0);
    cr_expect_eq(summary.missing_older, 1);
    cr_expect_eq(summary.window_start, 1010);
    cr_expect_eq(summary.window_end, 1014);
    cr_expect_eq(summary.restorable_count, 3);
}

Test(restore, what_archive_retention_took_between_old_backups_is_no_gap)
{
    /* 2..3, 6, 9.. : exactly 4..5 and 7..8 are gone */
    struct repo_file files[16] = {0};
    static const char *const kept[] = {"02", "03", "06", "09", "0A", "0B"};
    struct strbuf names[6] = {0};
    struct repo_listing listing = {.files = files, .count = COUNT_OF(kept)};
    struct wal_folder *folder = NULL;
    struct err err;
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        strbuf_printf(&names[i],
                      "0000000100000000000000%s-a1eb0ce668d587215d549943beb2f4bbe19e96f8", kept[i]);
        files[i] = (struct repo_file){.name = strbuf_text(&names[i]), .size = 1, .time = 9999};
    }
    cr_assert(wal_folder_read("0000000100000000", &listing, 1, &folder, &err));
    cr_assert(wal_archive_put(&archive, folder, &err));
    input.keeps_all_wal = false;
    cr_expect_eq(restore_summarise(&input).missing_older, 0);
    input.keeps_all_wal = true;
    cr_expect_eq(restore_summarise(&input).missing_older, 4);
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        strbuf_done(&names[i]);
}

Test(restore, a_hole_that_retention_does_not_explain_is_one)
{
    store(1, 2, 14, 8); /* 7 is there, so expire did not take 8 */
    input.keeps_all_wal = false;
    cr_expect_eq(restore_summarise(&input).missing_older, 1);
}

Test(restore, a_backup_whose_folder_is_gone_is_not_restorable)
{
    folders[2].state = FOLDER_MISSING;
    struct restore_verdict verdict = restore_judge(&input, &backups[2]);
    cr_expect_eq(verdict.grade, RESTORE_NO_FOLDER);
    cr_expect_str_eq(verdict.folder, "C");
    folders[2].state = FOLDER_INCOMPLETE;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_FOLDER);
}

Test(restore, a_backup_needs_the_folders_of_all_that_it_references)
{
    static const char *const references[] = {"A", "B"};
    backups[2].references = references;
    backups[2].reference_count = 2;
    folders[1].state = FOLDER_MISSING;
    struct restore_verdict verdict = restore_judge(&input, &backups[2]);
    cr_expect_eq(verdict.grade, RESTORE_NO_FOLDER);
    cr_expect_str_eq(verdict.folder, "B");
    cr_expect_eq(restore_judge(&input, &backups[0]).grade, RESTORE_OK);
}

Test(restore, a_folder_not_looked_into_is_unknown_never_good)
{
    folders[2].state = FOLDER_UNKNOWN;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.unknown_count, 1);
    cr_expect_str_eq(summary.restorable.backup->label, "B");
    cr_expect_str_eq(summary.newest.backup->label, "C");
}

Test(restore, a_folder_that_the_listing_does_not_have_is_gone)
{
    input.folder_count = 2;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_FOLDER);
}

Test(restore, a_backup_younger_than_the_listing_is_unknown)
{
    input.listed_at = 1005;
    input.folder_count = 2;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    store(1, 2, 3, 0);
    cr_expect_eq(restore_judge(&input, &backups[1]).grade, RESTORE_UNKNOWN);
    store(1, 2, 2, 0);
    cr_expect_eq(restore_judge(&input, &backups[0]).grade, RESTORE_NO_WAL);
}

Test(restore, what_is_broken_for_the_first_time_is_unknown)
{
    struct text_list before CLEANUP(text_list_done) = {0};
    struct text_list now CLEANUP(text_list_done) = {0};
    struct err err;
    store(1, 2, 14, 9);
    cr_assert(restore_broken(&input, &now, &err));
    cr_assert_eq(now.count, 1);
    cr_expect_str_eq(now.items[0], "C");
    input.broken_before = &before;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    cr_expect_eq(restore_summarise(&input).broken_count, 0);
    input.broken_before = &now;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_WAL);
    input.broken_before = NULL;
}

Test(restore, wal_that_was_not_listed_yet_is_unknown)
{
    struct wal_folder *folder = NULL;
    struct err err;
    wal_archive_remove(&archive, 1, 0);
    cr_assert(wal_folder_unseen("0000000100000000", &folder, &err));
    cr_assert(wal_archive_put(&archive, folder, &err));
    input.archive_listed = false;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    cr_expect_not(restore_summarise(&input).gaps_known);
}

Test(restore, while_folders_are_not_looked_into_there_is_no_window)
{
    input.archive_listed = false;
    cr_expect_not(restore_summarise(&input).has_window, "it would end too early");
    cr_expect_eq(restore_summarise(&input).restorable_count, 3);
    input.continuous = false;
    cr_expect(restore_summarise(&input).has_window, "a point depends on its own WAL only");
}

Test(restore, what_a_backup_needs_is_not_guessed_from_names_that_make_no_sense)
{
    backups[2].archive_stop = "000000010000000000000FFF"; /* not with segments of 16 MiB */
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    backups[2].archive_stop = NULL;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    backups[2].archive_stop = "000000010000000000000008"; /* before its start */
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
}

Test(restore, a_hole_at_first_sight_is_none_yet)
{
    static const struct text_list nothing = {0};
    store(1, 2, 14, 0);
    struct repo_listing listing = {0};
    input.broken_before = &nothing;
    look_into("0000000100000000", &listing); /* all gone, for now */
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.missing_older, 0);
    cr_expect_eq(summary.unknown_count, 3);
    input.broken_before = NULL;
}

Test(restore, a_manifest_missing_at_first_sight_is_unknown)
{
    struct text_list all CLEANUP(text_list_done) = {0};
    struct err err;
    folders[2].state = FOLDER_INCOMPLETE;
    cr_assert(text_list_add(&all, "C", &err));
    input.broken_before = &all;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_UNKNOWN);
    folders[2].twice = true;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_FOLDER);
    input.broken_before = NULL;
}

Test(restore, what_the_old_primary_wrote_after_the_fork_is_no_gap)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 12 * MB16 + 5};
    struct timeline second = {.id = 2, .ancestors = &left, .count = 1};
    input.production = &second;
    store(1, 2, 20, 0);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.missing_since, 0);
    cr_expect_eq(summary.run_end, 12);
}

Test(restore, a_segment_stored_by_a_clock_ahead_is_not_of_the_future)
{
    input.listed_at = 1012;
    cr_expect_eq(restore_summarise(&input).window_end, 1012);
}

Test(restore, an_offline_backup_between_others_does_not_end_the_window)
{
    backups[1].archive_start = backups[1].archive_stop = NULL;
    cr_expect_eq(restore_summarise(&input).window_start, 1003);
}

Test(restore, a_backup_with_its_wal_inside_needs_none_in_the_archive)
{
    wal_archive_done(&archive);
    folders[2].archive_copy = true;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_OK);
    cr_expect_eq(restore_judge(&input, &backups[1]).grade, RESTORE_NO_WAL);
}

Test(restore, an_offline_backup_is_passed_over_when_wal_leads_further_from_one_before)
{
    add_backup("D", NULL, NULL, 1012);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_str_eq(summary.newest.backup->label, "D");
    cr_expect_str_eq(summary.restorable.backup->label, "C");
    cr_expect_eq(summary.window_end, 1014);
    cr_expect_eq(summary.window_start, 1003);
}

Test(restore, an_offline_backup_is_the_one_to_restore_when_wal_ends_before_it)
{
    add_backup("D", NULL, NULL, 1015);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_str_eq(summary.restorable.backup->label, "D");
    cr_expect_eq(summary.window_start, 1015);
    cr_expect_eq(summary.window_end, 1015);
}

Test(restore, an_offline_backup_hides_no_gap)
{
    add_backup("D", NULL, NULL, 1012);
    store(1, 2, 14, 12);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect(summary.gaps_known);
    cr_expect_eq(summary.missing_since, 1);
    cr_expect_str_eq(summary.restorable.backup->label, "D");
}

Test(restore, an_offline_backup_needs_no_wal_and_is_a_point)
{
    wal_archive_done(&archive);
    backups[2].archive_start = backups[2].archive_stop = NULL;
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.restorable.grade, RESTORE_OK);
    cr_expect_eq(summary.window_start, 1010);
    cr_expect_eq(summary.window_end, 1010);
}

Test(restore, page_checksum_errors_leave_it_restorable_with_damage)
{
    backups[2].damage = INFO_DAMAGE_FOUND;
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_DAMAGED);
    cr_expect_eq(restore_summarise(&input).restorable_count, 3);
    store(1, 2, 14, 9);
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_NO_WAL);
}

Test(restore, only_the_current_database_counts)
{
    static const struct info_database two[] = {{.id = 1, .repo_key = KEY},
                                               {.id = 2, .repo_key = KEY}};
    stanza.databases = two;
    stanza.database_count = 2;
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.restorable_count, 0);
    cr_expect_null(summary.newest.backup);
    cr_expect_not(summary.gaps_known);
}

Test(restore, another_repositorys_backups_do_not_count)
{
    backups[2].repo_key = 1;
    cr_expect_str_eq(restore_summarise(&input).newest.backup->label, "B");
}

Test(restore, after_a_promotion_the_window_goes_on)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 12 * MB16 + 5};
    struct timeline second = {.id = 2, .ancestors = &left, .count = 1};
    input.production = &second;
    store(1, 2, 12, 0);
    store(2, 12, 20, 0);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_eq(summary.run_end, 21);
    cr_expect_eq(summary.window_start, 1003);
    cr_expect_eq(summary.missing_since, 0);
}

Test(restore, a_backup_of_a_timeline_that_production_left_is_not_the_newest)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 8 * MB16};
    struct timeline third = {.id = 3, .ancestors = &left, .count = 1};
    input.production = &third; /* forked off before C was made */
    store(3, 8, 9, 0);
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_str_eq(summary.newest.backup->label, "B");
    cr_expect_str_eq(summary.restorable.backup->label, "B");
    cr_expect_eq(summary.restorable_count, 3, "C restores all the same, to its own end");
    cr_expect_eq(summary.window_start, 1003);
}

Test(restore, a_backup_across_a_promotion_takes_wal_of_both_timelines)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 10 * MB16 + 5};
    struct timeline second = {.id = 2, .ancestors = &left, .count = 1};
    input.production = &second;
    backups[2].archive_stop = "00000002000000000000000B";
    store(1, 2, 10, 0);
    store(2, 10, 11, 0);
    cr_expect_eq(restore_judge(&input, &backups[2]).grade, RESTORE_OK);
    store(2, 11, 11, 0);
    cr_expect_eq(restore_judge(&input, &backups[2]).segment.number, 10);
}

Test(restore, ranges_that_overlap_are_counted_once)
{
    add_backup("D", "00000001000000000000000A", "00000001000000000000000C", 1012);
    store(1, 2, 14, 11);
    cr_expect_eq(restore_summarise(&input).missing_older, 1);
    store(1, 2, 14, 10);
    cr_expect_eq(restore_summarise(&input).missing_older, 1);
}

Test(restore, without_backups_there_is_nothing)
{
    stanza.backup_count = 0;
    struct restore_summary summary = restore_summarise(&input);
    cr_expect_null(summary.newest.backup);
    cr_expect_not(summary.has_window);
    cr_expect_not(summary.gaps_known);
}
