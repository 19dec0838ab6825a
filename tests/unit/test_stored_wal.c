#include "collectors/stored_wal.h"

#include <criterion/criterion.h>
#include <string.h>

#include "exporter/base/strbuf.h"

#define MB16     ((uint64_t)16 << 20)
#define CHECKSUM "-a1eb0ce668d587215d549943beb2f4bbe19e96f8"

static struct wal_archive archive;
static struct err err;

static void begin(void)
{
    archive.segment_size = MB16;
}

static void end(void)
{
    wal_archive_done(&archive);
}

TestSuite(stored_wal, .init = begin, .fini = end);

/* Put a folder with these files in; names end at NULL. */
static void put_files(const char *folder_name, const struct repo_file *files, size_t count)
{
    struct repo_listing listing = {.files = (struct repo_file *)(uintptr_t)files, .count = count};
    struct wal_folder *folder = NULL;
    cr_assert(wal_folder_read(folder_name, &listing, 1, &folder, &err), "%s", err.text);
    cr_assert(wal_archive_put(&archive, folder, &err));
}

#define FILES(folder, ...)                                                                         \
    put_files(folder, (const struct repo_file[]){__VA_ARGS__},                                     \
              COUNT_OF(((const struct repo_file[]){__VA_ARGS__})))
#define SEGMENT(digits)                                                                            \
    {                                                                                              \
        .name = digits CHECKSUM ".lz4", .size = 1, .time = 1000                                    \
    }

/* Segments first to last of timeline and log, all stored. */
static void put_range(uint32_t timeline, uint32_t log, uint32_t first, uint32_t last)
{
    struct repo_file files[256] = {0};
    struct strbuf names[256] = {0};
    struct strbuf folder CLEANUP(strbuf_done) = {0};
    size_t count = 0;
    strbuf_printf(&folder, "%08X%08X", timeline, log);
    for (uint32_t i = first; i <= last; i++, count++) {
        strbuf_printf(&names[count], "%08X%08X%08X" CHECKSUM ".gz", timeline, log, i);
        files[count] = (struct repo_file){
            .name = strbuf_text(&names[count]), .size = 1, .time = 1000 + (int64_t)i};
    }
    put_files(strbuf_text(&folder), files, count);
    for (size_t i = 0; i < count; i++)
        strbuf_done(&names[i]);
}

static uint64_t missing(const struct timeline *timeline, uint64_t begin, uint64_t end)
{
    return wal_archive_missing(&archive, timeline, (struct wal_range){begin, end}, false);
}

static enum wal_state state(uint32_t timeline, uint64_t number)
{
    return wal_archive_state(&archive, &(struct wal_segment){timeline, number});
}

Test(stored_wal, a_stored_segment_is_present_with_its_time)
{
    FILES("0000000100000002",
          {.name = "000000010000000200000003" CHECKSUM, .size = 9, .time = 1234});
    cr_expect_eq(state(1, 0x203), WAL_PRESENT);
    cr_expect_eq(wal_archive_time(&archive, &(struct wal_segment){1, 0x203}), 1234);
    cr_expect_eq(state(1, 0x204), WAL_MISSING);
    cr_expect_eq(state(2, 0x203), WAL_MISSING);
}

Test(stored_wal, all_of_pgbackrests_suffixes_are_known)
{
    FILES("0000000100000000", {.name = "000000010000000000000000" CHECKSUM, .size = 1},
          {.name = "000000010000000000000001" CHECKSUM ".gz", .size = 1},
          {.name = "000000010000000000000002" CHECKSUM ".lz4", .size = 1},
          {.name = "000000010000000000000003" CHECKSUM ".zst", .size = 1},
          {.name = "000000010000000000000004" CHECKSUM ".bz2", .size = 1});
    cr_expect_eq(wal_archive_count(&archive), 5);
}

Test(stored_wal, what_archive_get_does_not_look_at_does_not_count)
{
    FILES("0000000100000000", {.name = "000000010000000000000001.00000028.backup", .size = 1},
          {.name = "000000010000000000000002.partial" CHECKSUM ".gz", .size = 1},
          {.name = "000000010000000000000003" CHECKSUM ".gz.pgbackrest.tmp", .size = 1},
          {.name = "000000010000000000000004", .size = 1},
          {.name = "000000010000000000000005-a1eb0c.gz", .size = 1},
          {.name = "000000010000000000000006" CHECKSUM ".rar", .size = 1},
          {.name = "000000020000000000000007" CHECKSUM ".gz", .size = 1},
          {.name = "000000010000000100000008" CHECKSUM ".gz", .size = 1},
          {.name = "000000010000000000000009" CHECKSUM ".gz", .type = REPO_FOLDER}, {.name = ""});
    cr_expect_eq(wal_archive_count(&archive), 0);
}

Test(stored_wal, a_file_without_bytes_is_no_segment)
{
    FILES("0000000100000000", {.name = "000000010000000000000001" CHECKSUM ".gz", .size = 0});
    cr_expect_eq(state(1, 1), WAL_EMPTY);
    cr_expect_eq(wal_archive_count(&archive), 0);
}

Test(stored_wal, a_segment_under_two_names_cannot_be_got)
{
    FILES("0000000100000000", {.name = "000000010000000000000001" CHECKSUM ".gz", .size = 1},
          {.name = "000000010000000000000001-b1eb0ce668d587215d549943beb2f4bbe19e96f8.gz",
           .size = 1});
    cr_expect_eq(state(1, 1), WAL_DUPLICATE);
    cr_expect_eq(wal_archive_count(&archive), 0);
}

Test(stored_wal, a_segment_without_a_time_is_present_all_the_same)
{
    FILES("0000000100000000", {.name = "000000010000000000000001" CHECKSUM ".gz", .size = 1});
    cr_expect_eq(state(1, 1), WAL_PRESENT);
    cr_expect_eq(wal_archive_time(&archive, &(struct wal_segment){1, 1}), 0);
}

Test(stored_wal, segments_of_other_sizes_are_counted_across_logs)
{
    archive.segment_size = (uint64_t)1 << 20;
    FILES("0000000100000000", SEGMENT("000000010000000000000FFF"));
    FILES("0000000100000001", SEGMENT("000000010000000100000000"));
    cr_expect_eq(wal_archive_run_end(&archive, &(struct timeline){.id = 1}, 4095), 4097);
    wal_archive_done(&archive);
    archive.segment_size = (uint64_t)1 << 30;
    FILES("0000000100000000", SEGMENT("000000010000000000000003"));
    FILES("0000000100000001", SEGMENT("000000010000000100000000"));
    cr_expect_eq(wal_archive_run_end(&archive, &(struct timeline){.id = 1}, 3), 5);
}

Test(stored_wal, a_run_ends_at_the_first_hole)
{
    put_range(1, 0, 2, 255);
    put_range(1, 1, 0, 7);
    struct timeline first = {.id = 1};
    cr_expect_eq(wal_archive_run_end(&archive, &first, 2), 0x108);
    cr_expect_eq(wal_archive_run_end(&archive, &first, 1), 1);
    put_range(1, 0, 2, 254);
    cr_expect_eq(wal_archive_run_end(&archive, &first, 2), 255);
    cr_expect_eq(missing(&first, 2, 0x10A), 3);
}

Test(stored_wal, a_run_goes_over_to_the_next_timeline)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 5 * MB16 + 100};
    struct timeline second = {.id = 2, .ancestors = &left, .count = 1};
    put_range(1, 0, 2, 5); /* 5 is on both, as a promotion leaves it */
    put_range(2, 0, 5, 9);
    cr_expect_eq(wal_archive_run_end(&archive, &second, 2), 10);
    cr_expect_eq(wal_archive_end(&archive, &second), 10);
    put_range(2, 0, 6, 9);
    cr_expect_eq(wal_archive_run_end(&archive, &second, 2), 5, "recovery reads the newer one");
}

Test(stored_wal, the_end_is_that_of_the_newest_timeline_with_wal)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 5 * MB16};
    struct timeline second = {.id = 2, .ancestors = &left, .count = 1};
    cr_expect_eq(wal_archive_end(&archive, &second), 0);
    put_range(1, 0, 2, 4);
    put_range(3, 0, 2, 200);
    cr_expect_eq(wal_archive_end(&archive, &second), 5);
}

Test(stored_wal, the_end_is_on_the_timeline_asked_for)
{
    put_range(1, 0, 2, 4);
    put_range(1, 3, 0, 6);
    put_range(2, 9, 0, 1);
    cr_expect_eq(wal_archive_end(&archive, &(struct timeline){.id = 1}), 0x307);
    cr_expect_eq(wal_archive_end(&archive, &(struct timeline){.id = 3}), 0);
    FILES("0000000100000003", {.name = "x"});
    cr_expect_eq(wal_archive_end(&archive, &(struct timeline){.id = 1}), 5,
                 "an empty folder has none");
}

Test(stored_wal, what_an_ancestor_wrote_behind_the_fork_is_not_on_the_way)
{
    struct timeline_switch left = {.timeline = 1, .lsn = 5 * MB16 + 100};
    struct timeline second = {.id = 2, .ancestors = &left, .count = 1};
    put_range(1, 0, 2, 9); /* the old primary went on */
    cr_expect_eq(wal_archive_end(&archive, &second), 5);
}

Test(stored_wal, a_segment_that_this_size_cannot_have_does_not_count)
{
    FILES("0000000100000000", SEGMENT("000000010000000000000002"),
          SEGMENT("000000010000000000000FFF"));
    cr_expect_eq(wal_archive_end(&archive, &(struct timeline){.id = 1}), 3);
}

Test(stored_wal, a_stray_segment_far_away_costs_nothing)
{
    struct timeline first = {.id = 1};
    put_range(1, 0, 2, 4);
    put_range(1, 0xFFFFFFFF, 0xFF, 0xFF);
    uint64_t end = wal_archive_end(&archive, &first);
    cr_expect_eq(end, (uint64_t)1 << 40);
    cr_expect_eq(missing(&first, 2, end), end - 2 - 4);
    cr_expect_eq(wal_archive_run_end(&archive, &first, end - 1), end);
}

Test(stored_wal, the_first_segment_of_all_counts)
{
    put_range(1, 0, 0, 1);
    cr_expect_eq(wal_archive_run_end(&archive, &(struct timeline){.id = 1}, 0), 2);
    cr_expect_eq(state(1, 0), WAL_PRESENT);
}

Test(stored_wal, before_a_folder_was_looked_into_nothing_is_said_of_it)
{
    struct wal_folder *folder = NULL;
    cr_assert(wal_folder_unseen("0000000100000000", &folder, &err));
    cr_assert(wal_archive_put(&archive, folder, &err));
    cr_expect_eq(state(1, 2), WAL_UNKNOWN);
    cr_expect_not(wal_archive_is_seen(&archive));
    put_range(1, 0, 2, 2);
    cr_expect(wal_archive_is_seen(&archive));
    cr_expect_not(wal_folder_unseen("15-1", &folder, &err));
}

Test(stored_wal, a_folder_replaces_the_older_one_and_can_be_removed)
{
    put_range(1, 0, 2, 4);
    put_range(1, 0, 3, 4);
    cr_expect_eq(archive.count, 1);
    cr_expect_eq(state(1, 2), WAL_MISSING);
    wal_archive_remove(&archive, 1, 7);
    cr_expect_eq(archive.count, 1);
    wal_archive_remove(&archive, 1, 0);
    cr_expect_eq(archive.count, 0);
}

Test(stored_wal, folders_are_found_in_whatever_order_they_came)
{
    put_range(2, 0, 1, 1);
    put_range(1, 5, 1, 1);
    put_range(1, 0, 1, 1);
    put_range(1, 2, 1, 1);
    cr_expect(wal_archive_folder(&archive, 1, 2));
    cr_expect_null(wal_archive_folder(&archive, 1, 3));
    cr_expect_eq(wal_folder_log(archive.folders[2]), 5);
    cr_expect_eq(wal_folder_timeline(archive.folders[3]), 2);
}

Test(stored_wal, a_folder_is_whole_from_its_first_segment_on)
{
    put_range(1, 0, 2, 4);
    cr_expect(wal_folder_is_whole(archive.folders[0], 5));
    cr_expect_not(wal_folder_is_whole(archive.folders[0], 8), "its end is missing");
    FILES("0000000100000000", SEGMENT("000000010000000000000001"),
          SEGMENT("000000010000000000000003"));
    cr_expect_not(wal_folder_is_whole(archive.folders[0], 4));
    FILES("0000000100000000", {.name = "x"});
    cr_expect_not(wal_folder_is_whole(archive.folders[0], 4));
}

/* One look at the folder of timeline 1, log 0; digits holds the last two of each segment's name. */
static void look(const char *digits, bool closed)
{
    struct repo_file files[8] = {0};
    struct strbuf names[8] = {0};
    struct repo_listing listing = {.files = files};
    struct wal_sight sight = {1000, wal_archive_folder(&archive, 1, 0), closed};
    struct wal_folder *folder = NULL;
    for (; *digits; digits += 2) {
        struct strbuf *name = &names[listing.count];
        strbuf_printf(name, "0000000100000000000000%.2s" CHECKSUM, digits);
        files[listing.count++] =
            (struct repo_file){.name = strbuf_text(name), .size = 1, .time = 1000};
    }
    cr_assert(wal_folder_read_again("0000000100000000", &listing, &sight, &folder, &err));
    cr_assert(wal_archive_put(&archive, folder, &err));
    for (size_t i = 0; i < listing.count; i++)
        strbuf_done(&names[i]);
}

static bool is_first_sight(uint64_t number)
{
    return wal_archive_is_first_sight(&archive, &(struct wal_segment){1, number});
}

Test(stored_wal, what_was_looked_for_once_is_at_first_sight)
{
    look("0204", false);
    cr_expect(is_first_sight(3));
    cr_expect_not(is_first_sight(4));
    look("0204", false);
    cr_expect_not(is_first_sight(3));
    look("04", false);
    cr_expect(is_first_sight(2), "the look before saw it");
    cr_expect(wal_folder_lost(archive.folders[0]));
    look("04", false);
    cr_expect_not(is_first_sight(2));
    cr_expect_not(wal_folder_lost(archive.folders[0]));
}

Test(stored_wal, what_a_push_left_out_for_now_is_at_first_sight)
{
    struct timeline first = {.id = 1};
    look("0204", false);
    look("02030406", false); /* 3 has come, 5 is on its way */
    cr_expect_eq(wal_archive_missing(&archive, &first, (struct wal_range){2, 7}, false), 1);
    cr_expect_eq(wal_archive_missing(&archive, &first, (struct wal_range){2, 7}, true), 0);
    look("02030406", false);
    cr_expect_eq(wal_archive_missing(&archive, &first, (struct wal_range){2, 7}, true), 1);
}

Test(stored_wal, the_end_of_a_folder_that_was_just_closed_is_at_first_sight)
{
    look("FD", false);
    look("FD", true);
    cr_expect(is_first_sight(0xFE));
    look("FD", true);
    cr_expect_not(is_first_sight(0xFE));
    cr_expect_eq(wal_folder_closed_looks(archive.folders[0]), 2);
}

Test(stored_wal, the_segment_size_shows_in_the_names_once_a_log_is_full)
{
    put_range(1, 0, 2, 0x3F);
    cr_expect_eq(wal_archive_guess_size(&archive), MB16);
    put_range(1, 1, 0, 1);
    cr_expect_eq(wal_archive_guess_size(&archive), 4 * MB16);
    FILES("0000000100000003", SEGMENT("0000000100000003000001FF"));
    cr_expect_eq(wal_archive_guess_size(&archive), MB16 / 2);
    wal_archive_done(&archive);
    cr_expect_eq(wal_archive_guess_size(&archive), MB16);
}

Test(stored_wal, a_copy_stays_as_it_was)
{
    struct wal_archive copy CLEANUP(wal_archive_done) = {0};
    put_range(1, 0, 2, 4);
    cr_assert(wal_archive_copy(&archive, &copy, &err));
    put_range(1, 0, 2, 2);
    wal_archive_remove(&archive, 1, 0);
    cr_expect_eq(wal_archive_count(&copy), 3);
    cr_expect_eq(wal_archive_count(&archive), 0);
}

Test(stored_wal, a_folder_is_known_by_its_name)
{
    uint32_t timeline = 0, log = 0;
    cr_assert(wal_folder_name("0000000A0000001F", &timeline, &log));
    cr_expect_eq(timeline, 10);
    cr_expect_eq(log, 31);
    static const char *const others[] = {"0000000000000001",  "00000001000000",
                                         "0000000a0000001F",  "00000002.history",
                                         "0000000A0000001F0", ""};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        cr_expect_not(wal_folder_name(others[i], &timeline, &log), "%s", others[i]);
}

Test(stored_wal, a_listing_of_no_folder_is_refused)
{
    struct repo_listing listing = {0};
    struct wal_folder *folder = NULL;
    cr_expect_not(wal_folder_read("15-1", &listing, 1, &folder, &err));
    cr_expect_eq(err.code, ERR_PROTOCOL);
}
