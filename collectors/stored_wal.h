/*
 * stored_wal - which WAL segments a repository holds of one database, and where they end.
 *
 * Pure. pgBackRest keeps the segments of a timeline and a log of 4 GiB in one folder, each under
 * its name with a checksum and a compression suffix. A folder is immutable once it was read and is
 * shared by reference, so that a copy of an archive costs a pointer for each.
 */
#ifndef COLLECTORS_STORED_WAL_H
#define COLLECTORS_STORED_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/model/timeline.h"
#include "collectors/model/wal.h"
#include "collectors/parse/repo_ls.h"
#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/* What archive-get would make of a segment. */
enum wal_state {
    WAL_MISSING,
    WAL_EMPTY,     /* a file without a byte: a write that was cut short */
    WAL_DUPLICATE, /* under more than one name: archive-get refuses to choose (status 45) */
    WAL_UNKNOWN,   /* its folder was not looked into yet */
    WAL_PRESENT = 8,
};

struct wal_folder; /* shared and counted, safe from any thread */

/*
 * Read the listing of the folder of that name ("000000010000000A": timeline 1, log 10). Whole
 * segments count; .partial and .backup files, what a push has not finished (*.pgbackrest.tmp) and
 * foreign files do not. listed_at: when, s since 1970. ERR_PROTOCOL: no name of a folder;
 * ERR_MEMORY. One reference.
 */
bool wal_folder_read(const char *name, const struct repo_listing *listing, double listed_at,
                     struct wal_folder **ret, struct err *err) MUST_USE;

/* One look into a folder. */
struct wal_sight {
    double listed_at;                /* s since 1970 */
    const struct wal_folder *before; /* what the look before saw, or NULL */
    bool closed;                     /* a newer folder of its timeline was there by then */
};

/* The same, with what the look before saw: what is missing in both is missing (see
 * wal_archive_is_first_sight()). */
bool wal_folder_read_again(const char *name, const struct repo_listing *listing,
                           const struct wal_sight *sight, struct wal_folder **ret,
                           struct err *err) MUST_USE;

/* A folder that is there and was not looked into yet: all of it is WAL_UNKNOWN. The same errors. */
bool wal_folder_unseen(const char *name, struct wal_folder **ret, struct err *err) MUST_USE;

struct wal_folder *wal_folder_ref(struct wal_folder *folder);
void wal_folder_unref(struct wal_folder *folder); /* takes NULL */
void wal_folder_unrefp(struct wal_folder **folder);

/* "000000010000000A" is timeline 1, log 10; false for all other names. */
bool wal_folder_name(const char *name, uint32_t *ret_timeline, uint32_t *ret_log) MUST_USE;

uint32_t wal_folder_timeline(const struct wal_folder *folder);
uint32_t wal_folder_log(const struct wal_folder *folder);

double wal_folder_listed_at(const struct wal_folder *folder); /* 0: not yet */

/* How many looks, one after the other, saw it while a newer folder of its timeline was there. */
unsigned wal_folder_closed_looks(const struct wal_folder *folder);

/* Whether a segment that lay there at the look before is missing now. */
bool wal_folder_lost(const struct wal_folder *folder);

/* Whether from its first segment on all of `per_log` are there: one that is closed and is not has a
 * hole. */
bool wal_folder_is_whole(const struct wal_folder *folder, uint32_t per_log);

/* An all-zero struct is an archive without WAL; the segment size is that of the cluster. */
struct wal_archive {
    uint64_t segment_size;
    struct wal_folder **folders; /* by timeline, then log; one reference of each */
    size_t count;
};

/* How many segments a log has, by the highest one that it was seen to have: at least 4, a power of
 * two. With an archive of one log that is still written this is too little. */
uint32_t wal_archive_per_log(const struct wal_archive *archive);

/* The segment size, by the names of the segments: what is known where PostgreSQL cannot be asked.
 * 16 MiB, the usual one, while no log is full. */
uint64_t wal_archive_guess_size(const struct wal_archive *archive);

/* Put a folder in, in place of the older one of its name. The archive takes the reference, also on
 * ERR_MEMORY. */
bool wal_archive_put(struct wal_archive *archive, struct wal_folder *folder,
                     struct err *err) MUST_USE;
void wal_archive_remove(struct wal_archive *archive, uint32_t timeline, uint32_t log);
bool wal_archive_copy(const struct wal_archive *archive, struct wal_archive *ret,
                      struct err *err) MUST_USE;
void wal_archive_done(struct wal_archive *archive); /* the archive is empty again */

/* The folder, or NULL. Owned by the archive. */
const struct wal_folder *wal_archive_folder(const struct wal_archive *archive, uint32_t timeline,
                                            uint32_t log);

enum wal_state wal_archive_state(const struct wal_archive *archive,
                                 const struct wal_segment *segment);

/*
 * Whether a segment that is not present may yet turn out to be: its folder was looked into once, or
 * the look before still saw it, or saw nothing behind it. The next look tells. Expire and pushes
 * out of order look like this.
 */
bool wal_archive_is_first_sight(const struct wal_archive *archive,
                                const struct wal_segment *segment);

/* Whether every folder was looked into. */
bool wal_archive_is_seen(const struct wal_archive *archive);

/* When a segment that is present was stored, s since 1970; else 0. */
int64_t wal_archive_time(const struct wal_archive *archive, const struct wal_segment *segment);

/* How many segments are present, on all timelines. */
uint64_t wal_archive_count(const struct wal_archive *archive);

/* Along the way to a timeline, ancestors included; in time that grows with the folders: */

/* The first number from `from` on that is not present; `from` itself when that is not. */
uint64_t wal_archive_run_end(const struct wal_archive *archive, const struct timeline *timeline,
                             uint64_t from);

/* Numbers from begin to before end. */
struct wal_range {
    uint64_t begin, end;
};

/* How many of the numbers are not present; doubted: those at first sight do not count. */
uint64_t wal_archive_missing(const struct wal_archive *archive, const struct timeline *timeline,
                             struct wal_range range, bool doubted);

/* One more than the highest number present; 0 when there is none. */
uint64_t wal_archive_end(const struct wal_archive *archive, const struct timeline *timeline);

#endif
