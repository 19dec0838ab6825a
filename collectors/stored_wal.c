#include "collectors/stored_wal.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER_DIGITS   16
#define SEGMENT_DIGITS  24
#define CHECKSUM_DIGITS 40
#define PLACE_MAX       4096 /* with segments of 1 MiB, the smallest there are */

static const char capitals[] = "0123456789ABCDEF";

/*
 * times[] holds when each segment was stored. No file is as old as these seconds after 1970, so
 * they say what is wrong with the others.
 */
struct wal_folder {
    atomic_uint references;
    uint32_t timeline, log;
    double listed_at; /* 0: it was not looked into yet */
    unsigned closed_looks;
    bool twice; /* it was looked into before */
    bool lost;
    uint32_t present;
    uint32_t size;
    uint32_t times[]; /* [size], by the last digits of the name; or WAL_MISSING, WAL_EMPTY,
                         WAL_DUPLICATE, with FIRST_SIGHT when the look before did not see it so */
};

#define FIRST_SIGHT 4U

static_assert((WAL_DUPLICATE | FIRST_SIGHT) < WAL_PRESENT, "all that is wrong lies below");

bool wal_folder_name(const char *name, uint32_t *ret_timeline, uint32_t *ret_log)
{
    if (strlen(name) != FOLDER_DIGITS || strspn(name, capitals) != FOLDER_DIGITS)
        return false;
    uint64_t both = strtoull(name, NULL, 16);
    *ret_timeline = (uint32_t)(both >> 32);
    *ret_log = (uint32_t)both;
    return *ret_timeline > 0;
}

/* What comes behind a whole segment's name: '-', its checksum, and perhaps a suffix (".lz4"). */
static bool is_stored_segment(const char *rest)
{
    if (*rest != '-' || strspn(rest + 1, "0123456789abcdef") != CHECKSUM_DIGITS)
        return false;
    const char *suffix = rest + 1 + CHECKSUM_DIGITS;
    static const char *const suffixes[] = {"", ".gz", ".lz4", ".zst", ".bz2"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        if (strcmp(suffix, suffixes[i]) == 0)
            return true;
    }
    return false;
}

/* "0000000100000002": that of a folder's segments. */
static bool is_of_folder(const struct wal_folder *folder, const char *name)
{
    char digits[FOLDER_DIGITS + 1] = {0};
    uint32_t timeline = 0, log = 0;
    memcpy(digits, name, FOLDER_DIGITS);
    return wal_folder_name(digits, &timeline, &log) && timeline == folder->timeline &&
           log == folder->log;
}

/* The last digits of a segment's name; false for all that archive-get would not look at. */
static bool find_place(const struct wal_folder *folder, const struct repo_file *file, uint32_t *ret)
{
    char digits[SEGMENT_DIGITS - FOLDER_DIGITS + 1] = {0};
    const char *name = file->name;
    if (file->type != REPO_FILE || strspn(name, capitals) != SEGMENT_DIGITS ||
        !is_stored_segment(name + SEGMENT_DIGITS) || !is_of_folder(folder, name))
        return false;
    memcpy(digits, name + FOLDER_DIGITS, sizeof digits - 1);
    unsigned long place = strtoul(digits, NULL, 16);
    if (place >= PLACE_MAX)
        return false;
    *ret = (uint32_t)place;
    return true;
}

static uint32_t stored_time(const struct repo_file *file)
{
    if (file->time <= WAL_PRESENT) /* a store that gives no times */
        return WAL_PRESENT;
    return file->time > UINT32_MAX ? UINT32_MAX : (uint32_t)file->time;
}

static void add_file(struct wal_folder *folder, const struct repo_file *file)
{
    uint32_t place = 0;
    if (!find_place(folder, file, &place))
        return;
    uint32_t *time = &folder->times[place];
    folder->present -= *time >= WAL_PRESENT;
    if (*time != WAL_MISSING)
        *time = WAL_DUPLICATE;
    else
        *time = file->size > 0 ? stored_time(file) : WAL_EMPTY;
    folder->present += *time >= WAL_PRESENT;
}

/* How long times[] must be. */
static uint32_t measure(const struct wal_folder *folder, const struct repo_listing *listing,
                        const struct wal_folder *before)
{
    uint32_t size = before ? before->size : 0, place = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (find_place(folder, &listing->files[i], &place) && place >= size)
            size = place + 1;
    }
    return size;
}

static struct wal_folder *new_folder(const struct wal_folder *head)
{
    struct wal_folder *folder = calloc(1, sizeof *folder + head->size * sizeof folder->times[0]);
    if (!folder)
        return NULL;
    atomic_init(&folder->references, 1);
    folder->timeline = head->timeline;
    folder->log = head->log;
    folder->size = head->size;
    return folder;
}

static bool read_name(const char *name, struct wal_folder *ret, struct err *err)
{
    return wal_folder_name(name, &ret->timeline, &ret->log) ||
           err_set(err, ERR_PROTOCOL, "%s is no folder of WAL segments", name);
}

/* What is wrong now and was not, or not so that it mattered, is seen for the first time. */
static void compare(struct wal_folder *folder, const struct wal_folder *before)
{
    for (uint32_t place = 0; place < folder->size; place++) {
        bool was_there = place < before->size && before->times[place] >= WAL_PRESENT;
        bool was_end = before->closed_looks == 0 && place >= before->size;
        if (folder->times[place] >= WAL_PRESENT || !(was_there || was_end))
            continue;
        folder->times[place] |= FIRST_SIGHT;
        folder->lost |= was_there;
    }
}

bool wal_folder_read_again(const char *name, const struct repo_listing *listing,
                           const struct wal_sight *sight, struct wal_folder **ret, struct err *err)
{
    const struct wal_folder *before =
        sight->before && sight->before->listed_at > 0 ? sight->before : NULL;
    struct wal_folder head = {0};
    if (!read_name(name, &head, err))
        return false;
    head.size = measure(&head, listing, before);
    struct wal_folder *folder = new_folder(&head);
    if (!folder)
        return err_memory(err);
    folder->listed_at = sight->listed_at;
    folder->closed_looks = sight->closed ? (before ? before->closed_looks : 0) + 1 : 0;
    folder->twice = before;
    for (size_t i = 0; i < listing->count; i++)
        add_file(folder, &listing->files[i]);
    if (before)
        compare(folder, before);
    *ret = folder;
    return true;
}

bool wal_folder_read(const char *name, const struct repo_listing *listing, double listed_at,
                     struct wal_folder **ret, struct err *err)
{
    return wal_folder_read_again(name, listing, &(struct wal_sight){.listed_at = listed_at}, ret,
                                 err);
}

bool wal_folder_unseen(const char *name, struct wal_folder **ret, struct err *err)
{
    struct wal_folder head = {0};
    if (!read_name(name, &head, err))
        return false;
    struct wal_folder *folder = new_folder(&head);
    if (!folder)
        return err_memory(err);
    *ret = folder;
    return true;
}

struct wal_folder *wal_folder_ref(struct wal_folder *folder)
{
    atomic_fetch_add(&folder->references, 1);
    return folder;
}

void wal_folder_unref(struct wal_folder *folder)
{
    if (folder && atomic_fetch_sub(&folder->references, 1) == 1)
        free(folder);
}

void wal_folder_unrefp(struct wal_folder **folder)
{
    wal_folder_unref(*folder);
}

uint32_t wal_folder_timeline(const struct wal_folder *folder)
{
    return folder->timeline;
}

uint32_t wal_folder_log(const struct wal_folder *folder)
{
    return folder->log;
}

double wal_folder_listed_at(const struct wal_folder *folder)
{
    return folder->listed_at;
}

unsigned wal_folder_closed_looks(const struct wal_folder *folder)
{
    return folder->closed_looks;
}

bool wal_folder_lost(const struct wal_folder *folder)
{
    return folder->lost;
}

static uint32_t first_present(const struct wal_folder *folder)
{
    uint32_t first = 0;
    while (first < folder->size && folder->times[first] < WAL_PRESENT)
        first++;
    return first;
}

bool wal_folder_is_whole(const struct wal_folder *folder, uint32_t per_log)
{
    return folder->listed_at > 0 && folder->present + first_present(folder) >= per_log;
}

static uint64_t order_of(uint32_t timeline, uint32_t log)
{
    return (uint64_t)timeline << 32 | log;
}

/* Where the folder is, or would have to be put. */
static size_t find(const struct wal_archive *archive, uint64_t order)
{
    size_t low = 0, high = archive->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct wal_folder *folder = archive->folders[middle];
        if (order_of(folder->timeline, folder->log) < order)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct wal_archive *archive, size_t index, uint64_t order)
{
    return index < archive->count &&
           order_of(archive->folders[index]->timeline, archive->folders[index]->log) == order;
}

bool wal_archive_put(struct wal_archive *archive, struct wal_folder *folder, struct err *err)
{
    uint64_t order = order_of(folder->timeline, folder->log);
    size_t index = find(archive, order);
    if (is_at(archive, index, order)) {
        wal_folder_unref(archive->folders[index]);
        archive->folders[index] = folder;
        return true;
    }
    struct wal_folder **grown =
        reallocarray(archive->folders, archive->count + 1, sizeof(struct wal_folder *));
    if (!grown) {
        wal_folder_unref(folder);
        return err_memory(err);
    }
    memmove(grown + index + 1, grown + index,
            (archive->count - index) * sizeof(struct wal_folder *));
    grown[index] = folder;
    archive->folders = grown;
    archive->count++;
    return true;
}

void wal_archive_remove(struct wal_archive *archive, uint32_t timeline, uint32_t log)
{
    uint64_t order = order_of(timeline, log);
    size_t index = find(archive, order);
    if (!is_at(archive, index, order))
        return;
    wal_folder_unref(archive->folders[index]);
    archive->count--;
    memmove(archive->folders + index, archive->folders + index + 1,
            (archive->count - index) * sizeof(struct wal_folder *));
}

bool wal_archive_copy(const struct wal_archive *archive, struct wal_archive *ret, struct err *err)
{
    struct wal_folder **folders = calloc(archive->count + 1, sizeof(struct wal_folder *));
    if (!folders)
        return err_memory(err);
    for (size_t i = 0; i < archive->count; i++)
        folders[i] = wal_folder_ref(archive->folders[i]);
    *ret = (struct wal_archive){archive->segment_size, folders, archive->count};
    return true;
}

void wal_archive_done(struct wal_archive *archive)
{
    for (size_t i = 0; i < archive->count; i++)
        wal_folder_unref(archive->folders[i]);
    free((void *)archive->folders);
    *archive = (struct wal_archive){.segment_size = archive->segment_size};
}

const struct wal_folder *wal_archive_folder(const struct wal_archive *archive, uint32_t timeline,
                                            uint32_t log)
{
    uint64_t order = order_of(timeline, log);
    size_t index = find(archive, order);
    return is_at(archive, index, order) ? archive->folders[index] : NULL;
}

bool wal_archive_is_seen(const struct wal_archive *archive)
{
    for (size_t i = 0; i < archive->count; i++) {
        if (archive->folders[i]->listed_at <= 0)
            return false;
    }
    return true;
}

uint32_t wal_archive_per_log(const struct wal_archive *archive)
{
    uint32_t per_log = 4;
    for (size_t i = 0; i < archive->count; i++) {
        while (archive->folders[i]->size > per_log)
            per_log *= 2;
    }
    return per_log;
}

/* Whether the log after it has begun: then it was written to its end. */
static bool is_followed(const struct wal_archive *archive, size_t i)
{
    const struct wal_folder *folder = archive->folders[i];
    const struct wal_folder *next = i + 1 < archive->count ? archive->folders[i + 1] : NULL;
    return next && next->timeline == folder->timeline && next->log - folder->log == 1;
}

uint64_t wal_archive_guess_size(const struct wal_archive *archive)
{
    uint32_t per_log = wal_archive_per_log(archive);
    bool full = per_log > 256;
    for (size_t i = 0; i < archive->count && !full; i++)
        full = archive->folders[i]->size == per_log && is_followed(archive, i);
    return (UINT64_C(1) << 32) / (full ? per_log : 256);
}

/* How many segments a log of 4 GiB has. */
static uint64_t per_log_of(const struct wal_archive *archive)
{
    return (UINT64_C(1) << 32) / archive->segment_size;
}

static const struct wal_folder *folder_of(const struct wal_archive *archive,
                                          const struct wal_segment *segment)
{
    uint64_t log = segment->number / per_log_of(archive);
    return log > UINT32_MAX ? NULL : wal_archive_folder(archive, segment->timeline, (uint32_t)log);
}

/* The entry in times[] of a segment; WAL_MISSING where there is no folder. */
static uint32_t entry_at(const struct wal_folder *folder, uint64_t place)
{
    if (folder->listed_at <= 0)
        return WAL_UNKNOWN;
    if (place < folder->size)
        return folder->times[place];
    bool end_before = folder->closed_looks == 1; /* the look before saw nothing behind it */
    return folder->twice && !end_before ? WAL_MISSING : WAL_MISSING | FIRST_SIGHT;
}

static uint32_t entry_of(const struct wal_archive *archive, const struct wal_segment *segment)
{
    const struct wal_folder *folder = folder_of(archive, segment);
    return folder ? entry_at(folder, segment->number % per_log_of(archive)) : WAL_MISSING;
}

enum wal_state wal_archive_state(const struct wal_archive *archive,
                                 const struct wal_segment *segment)
{
    uint32_t entry = entry_of(archive, segment);
    return entry < WAL_PRESENT ? (enum wal_state)(entry & ~FIRST_SIGHT) : WAL_PRESENT;
}

bool wal_archive_is_first_sight(const struct wal_archive *archive,
                                const struct wal_segment *segment)
{
    const struct wal_folder *folder = folder_of(archive, segment);
    uint32_t entry = entry_of(archive, segment);
    return folder && entry < WAL_PRESENT && (!folder->twice || (entry & FIRST_SIGHT));
}

int64_t wal_archive_time(const struct wal_archive *archive, const struct wal_segment *segment)
{
    uint32_t entry = entry_of(archive, segment);
    return entry > WAL_PRESENT ? entry : 0;
}

uint64_t wal_archive_count(const struct wal_archive *archive)
{
    uint64_t count = 0;
    for (size_t i = 0; i < archive->count; i++)
        count += archive->folders[i]->present;
    return count;
}

/* What lies on one timeline. */
struct stretch {
    const struct wal_archive *archive;
    uint32_t timeline;
    uint64_t begin, end; /* numbers */
};

/* The i-th stretch of the way to a timeline, the oldest first; there are count + 1. */
static struct stretch stretch_at(const struct wal_archive *archive, const struct timeline *timeline,
                                 size_t i)
{
    const struct timeline_switch *ancestors = timeline->ancestors;
    bool last = i == timeline->count;
    return (struct stretch){
        .archive = archive,
        .timeline = last ? timeline->id : ancestors[i].timeline,
        .begin = i > 0 ? ancestors[i - 1].lsn / archive->segment_size : 0,
        .end = last ? UINT64_MAX : ancestors[i].lsn / archive->segment_size,
    };
}

static struct stretch clipped(struct stretch stretch, struct wal_range range)
{
    if (stretch.begin < range.begin)
        stretch.begin = range.begin;
    if (stretch.end > range.end)
        stretch.end = range.end;
    return stretch;
}

/* The index of the first folder that may hold something of the stretch. */
static size_t first_folder(const struct stretch *stretch)
{
    uint64_t log = stretch->begin / per_log_of(stretch->archive);
    return find(stretch->archive,
                order_of(stretch->timeline, log > UINT32_MAX ? UINT32_MAX : (uint32_t)log));
}

/* The i-th folder of the archive, when it may hold something of the stretch; else NULL. */
static const struct wal_folder *folder_in(const struct stretch *stretch, size_t i)
{
    const struct wal_folder *folder =
        i < stretch->archive->count ? stretch->archive->folders[i] : NULL;
    return folder && folder->timeline == stretch->timeline &&
                   folder->log * per_log_of(stretch->archive) < stretch->end
               ? folder
               : NULL;
}

/* What of the folder lies in the stretch, counted from the folder's begin. */
static struct wal_range places_in(const struct stretch *stretch, const struct wal_folder *folder)
{
    uint64_t per_log = per_log_of(stretch->archive);
    uint64_t begin = folder->log * per_log, end = begin + per_log;
    struct wal_range range = {0, per_log};
    if (stretch->begin > begin)
        range.begin = stretch->begin < end ? stretch->begin - begin : per_log;
    if (stretch->end < end)
        range.end = stretch->end - begin;
    return range;
}

static uint64_t count_missing(const struct wal_folder *folder, struct wal_range places,
                              bool doubted)
{
    uint64_t missing = 0;
    if (doubted && !folder->twice)
        return 0;
    for (uint64_t place = places.begin; place < places.end; place++) {
        uint32_t entry = entry_at(folder, place);
        missing += entry < WAL_PRESENT && !(doubted && (entry & FIRST_SIGHT));
    }
    return missing;
}

static uint64_t missing_in(const struct stretch *stretch, bool doubted)
{
    if (stretch->begin >= stretch->end)
        return 0;
    uint64_t missing = stretch->end - stretch->begin;
    const struct wal_folder *folder;
    for (size_t i = first_folder(stretch); (folder = folder_in(stretch, i)); i++) {
        struct wal_range places = places_in(stretch, folder);
        missing -= places.end - places.begin;
        missing += count_missing(folder, places, doubted);
    }
    return missing;
}

uint64_t wal_archive_missing(const struct wal_archive *archive, const struct timeline *timeline,
                             struct wal_range range, bool doubted)
{
    uint64_t missing = 0;
    for (size_t i = 0; i <= timeline->count; i++) {
        struct stretch stretch = clipped(stretch_at(archive, timeline, i), range);
        missing += missing_in(&stretch, doubted);
    }
    return missing;
}

/* Where the run from the stretch's begin on ends in it. */
static uint64_t run_in(const struct stretch *stretch)
{
    uint64_t per_log = per_log_of(stretch->archive), at = stretch->begin;
    const struct wal_folder *folder;
    for (size_t i = first_folder(stretch); (folder = folder_in(stretch, i)); i++) {
        struct wal_range places = places_in(stretch, folder);
        if (folder->log * per_log + places.begin != at)
            return at;
        uint64_t place = places.begin;
        while (place < places.end && entry_at(folder, place) >= WAL_PRESENT)
            place++;
        at += place - places.begin;
        if (place < places.end)
            return at;
    }
    return at;
}

uint64_t wal_archive_run_end(const struct wal_archive *archive, const struct timeline *timeline,
                             uint64_t from)
{
    for (size_t i = 0; i <= timeline->count; i++) {
        struct stretch stretch =
            clipped(stretch_at(archive, timeline, i), (struct wal_range){from, UINT64_MAX});
        if (stretch.begin >= stretch.end)
            continue;
        from = run_in(&stretch);
        if (from < stretch.end)
            return from;
    }
    return from;
}

/* One more than the highest number present in the stretch; 0 for none. */
static uint64_t end_in(const struct stretch *stretch)
{
    uint64_t end = 0;
    const struct wal_folder *folder;
    for (size_t i = first_folder(stretch); (folder = folder_in(stretch, i)); i++) {
        struct wal_range places = places_in(stretch, folder);
        for (uint64_t place = places.end; place-- > places.begin;) {
            if (entry_at(folder, place) < WAL_PRESENT)
                continue;
            end = folder->log * per_log_of(stretch->archive) + place + 1;
            break;
        }
    }
    return end;
}

uint64_t wal_archive_end(const struct wal_archive *archive, const struct timeline *timeline)
{
    for (size_t i = timeline->count + 1; i-- > 0;) {
        struct stretch stretch = stretch_at(archive, timeline, i);
        uint64_t end = end_in(&stretch);
        if (end > 0)
            return end;
    }
    return 0;
}
