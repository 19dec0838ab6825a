#include "collectors/stored_wal.h"

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
    double listed_at;
    uint32_t present;
    uint32_t size;
    uint32_t times[]; /* [size], by the last digits of the name; or WAL_MISSING, WAL_EMPTY,
                         WAL_DUPLICATE */
};

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
static uint32_t measure(const struct wal_folder *folder, const struct repo_listing *listing)
{
    uint32_t size = 0, place = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (find_place(folder, &listing->files[i], &place) && place >= size)
            size = place + 1;
    }
    return size;
}

bool wal_folder_read(const char *name, const struct repo_listing *listing, double listed_at,
                     struct wal_folder **ret, struct err *err)
{
    struct wal_folder head = {0};
    if (!wal_folder_name(name, &head.timeline, &head.log))
        return err_set(err, ERR_PROTOCOL, "%s is no folder of WAL segments", name);
    head.size = measure(&head, listing);
    struct wal_folder *folder = calloc(1, sizeof *folder + head.size * sizeof folder->times[0]);
    if (!folder)
        return err_memory(err);
    atomic_init(&folder->references, 1);
    folder->timeline = head.timeline;
    folder->log = head.log;
    folder->size = head.size;
    folder->listed_at = listed_at;
    for (size_t i = 0; i < listing->count; i++)
        add_file(folder, &listing->files[i]);
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

bool wal_folder_has_hole(const struct wal_folder *folder)
{
    uint32_t first = 0;
    while (first < folder->size && folder->times[first] < WAL_PRESENT)
        first++;
    return folder->size - first != folder->present;
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

/* How many segments a log of 4 GiB has. */
static uint64_t per_log_of(const struct wal_archive *archive)
{
    return (UINT64_C(1) << 32) / archive->segment_size;
}

/* The entry in times[] of a segment; WAL_MISSING where there is no folder. */
static uint32_t entry_of(const struct wal_archive *archive, uint32_t timeline, uint64_t number)
{
    uint64_t per_log = per_log_of(archive);
    if (number / per_log > UINT32_MAX)
        return WAL_MISSING;
    const struct wal_folder *folder =
        wal_archive_folder(archive, timeline, (uint32_t)(number / per_log));
    return folder && number % per_log < folder->size ? folder->times[number % per_log]
                                                     : WAL_MISSING;
}

enum wal_state wal_archive_state(const struct wal_archive *archive,
                                 const struct wal_segment *segment)
{
    uint32_t entry = entry_of(archive, segment->timeline, segment->number);
    return entry < WAL_PRESENT ? (enum wal_state)entry : WAL_PRESENT;
}

int64_t wal_archive_time(const struct wal_archive *archive, const struct wal_segment *segment)
{
    uint32_t entry = entry_of(archive, segment->timeline, segment->number);
    return entry > WAL_PRESENT ? entry : 0;
}

uint64_t wal_archive_count(const struct wal_archive *archive)
{
    uint64_t count = 0;
    for (size_t i = 0; i < archive->count; i++)
        count += archive->folders[i]->present;
    return count;
}

bool wal_archive_last(const struct wal_archive *archive, uint32_t timeline, uint64_t *ret)
{
    for (size_t i = find(archive, order_of(timeline, UINT32_MAX) + 1); i-- > 0;) {
        const struct wal_folder *folder = archive->folders[i];
        if (folder->timeline != timeline)
            return false;
        for (uint32_t place = folder->size; place-- > 0;) {
            if (folder->times[place] < WAL_PRESENT)
                continue;
            *ret = folder->log * per_log_of(archive) + place;
            return true;
        }
    }
    return false;
}

static bool is_present(const struct wal_archive *archive, const struct timeline *timeline,
                       uint64_t number)
{
    uint32_t id = timeline_of_segment(timeline, number, archive->segment_size);
    return entry_of(archive, id, number) >= WAL_PRESENT;
}

uint64_t wal_archive_run_end(const struct wal_archive *archive, const struct timeline *timeline,
                             uint64_t from)
{
    while (is_present(archive, timeline, from))
        from++;
    return from;
}

uint64_t wal_archive_missing(const struct wal_archive *archive, const struct timeline *timeline,
                             uint64_t from, uint64_t end)
{
    uint64_t missing = 0;
    for (uint64_t number = from; number < end; number++)
        missing += !is_present(archive, timeline, number);
    return missing;
}

uint64_t wal_archive_end(const struct wal_archive *archive, const struct timeline *timeline)
{
    uint64_t last = 0;
    if (wal_archive_last(archive, timeline->id, &last))
        return last + 1;
    for (size_t i = timeline->count; i-- > 0;) {
        if (wal_archive_last(archive, timeline->ancestors[i].timeline, &last))
            return last + 1;
    }
    return 0;
}
