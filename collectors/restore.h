/*
 * restore - what could be restored from one repository, and to when, judged by what lies in it.
 *
 * "Restorable" means that nothing known is missing: the backup's folder and manifest and those of
 * every backup it builds on, and its WAL from archive-start to archive-stop. Only a real restore
 * proves it. Pure; the evidence for each rule was seen on real repositories.
 */
#ifndef COLLECTORS_RESTORE_H
#define COLLECTORS_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/model/timeline.h"
#include "collectors/parse/info.h"
#include "collectors/stored_wal.h"
#include "exporter/config/lists.h"

/* What is in a backup's folder. */
enum folder_state {
    FOLDER_UNKNOWN, /* was not looked into yet */
    FOLDER_MISSING,
    FOLDER_INCOMPLETE, /* there, without backup.manifest */
    FOLDER_COMPLETE,
};

struct backup_folder {
    const char *label;
    enum folder_state state;
    bool archive_copy;  /* the backup carries the WAL it needs (option-archive-copy) */
    int64_t changed_at; /* when a file right in it was last written, s since 1970; 0: not known */
    bool twice;         /* the look before found it in the same state */
    double looked_at;   /* s since 1970; 0: not yet */
};

/* All that is known of one repository. Nothing is owned. */
struct restore_input {
    const struct info_stanza *stanza;
    int64_t repo_key;
    const struct wal_archive *archive; /* of the current database */
    int64_t listed_at;   /* when, s since 1970: what came later cannot have been seen */
    bool archive_listed; /* all of it; else there are no gaps to tell */
    const struct timeline *production;   /* the one to reach */
    const struct backup_folder *folders; /* by label */
    size_t folder_count;
    /* Labels of backups that could not be restored at the look before; what is found broken for the
     * first time may be a race with expire or archive-push, so it is unknown, and a segment that is
     * missing at first sight is not missing yet. NULL: believe all. */
    const struct text_list *broken_before;
    bool continuous;    /* every segment is pushed here */
    bool keeps_all_wal; /* no repo-retention-archive: WAL goes with the oldest backup only */
};

enum restore_grade {
    RESTORE_OK,
    RESTORE_DAMAGED, /* with page checksum errors */
    RESTORE_UNKNOWN, /* not everything was looked at, or not often enough */
    RESTORE_NO_WAL,
    RESTORE_NO_FOLDER,
};

/* One backup's verdict. */
struct restore_verdict {
    const struct info_backup *backup; /* NULL: there is none */
    enum restore_grade grade;
    const char *folder;         /* RESTORE_NO_FOLDER: whose folder or manifest is missing */
    struct wal_segment segment; /* RESTORE_NO_WAL: the first that is not there */
    enum wal_state segment_state;
};

struct restore_summary {
    uint64_t segment_size;
    struct restore_verdict newest; /* the newest backup on the way to production's timeline */
    /* The newest of these that can be restored. An offline one stands back when WAL from one before
     * it leads further. */
    struct restore_verdict restorable;
    size_t restorable_count; /* of the current database, on any timeline */
    size_t broken_count;     /* that cannot be restored */
    size_t unknown_count;    /* but for those that ended after the listing */

    /* False also while WAL that it depends on was not looked into. */
    bool has_window;
    int64_t window_start; /* the earliest moment of the newest window, s since 1970 */
    int64_t window_end;   /* the latest one, by the time of its last segment: an upper bound */
    uint64_t run_end;     /* one more than its last segment's number; 0: it needs no WAL */

    /* Only with continuous WAL. */
    bool gaps_known;
    uint64_t missing_since; /* segments behind the newest backup that others lie behind */
    uint64_t missing_older; /* between the oldest backup and the newest, unless expire took them */
    struct wal_segment first_missing_since;
};

/* The verdict on one backup of the repository. */
struct restore_verdict restore_judge(const struct restore_input *input,
                                     const struct info_backup *backup);

/* Add the labels of the backups of the current database that cannot be restored. ERR_MEMORY. */
bool restore_broken(const struct restore_input *input, struct text_list *ret,
                    struct err *err) MUST_USE;

/* The verdict on all backups of the current database. */
struct restore_summary restore_summarise(const struct restore_input *input);

#endif
