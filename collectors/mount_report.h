/*
 * mount_report - says in words how a mount stands, and what to do about it.
 */
#ifndef COLLECTORS_MOUNT_REPORT_H
#define COLLECTORS_MOUNT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/parse/mountinfo.h"
#include "collectors/parse/mountstats.h"
#include "exporter/base/err.h"
#include "exporter/report/report.h"

enum mount_situation {
    MOUNT_MISSING, /* something else, or nothing, is mounted there */
    MOUNT_TRIGGER, /* it is mounted on access, which we leave to others */
    MOUNT_SILENT,  /* it gives no answer */
    MOUNT_BROKEN,  /* it answers with an error, or with nonsense */
    MOUNT_WORKS,
};

/* All that one look found out. Times are s since 1970; texts and structs are the caller's. */
struct mount_view {
    const char *path;                /* its name */
    const char *repository_path;     /* what lies on it, or NULL when mount.path is configured */
    const struct mount_entry *mount; /* NULL: none */
    enum mount_situation situation;
    struct err err;      /* ERR_NONE when all is well; a mount that works may have one, too */
    double silent_since; /* MOUNT_SILENT: when it was first asked in vain */
    bool read_only;
    bool sizes_known, files_known;
    uint64_t size_bytes, avail_bytes, files, files_free;
    bool has_statistics;
    struct mountstats statistics;
};

void mount_report(struct report *report, const struct mount_view *view);

#endif
