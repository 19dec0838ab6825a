/*
 * drill_record - what the last drill of a repository came to, kept in a file between the command
 * that makes drills and the collector that tells of them.
 *
 * The file is written when a drill begins and again when it ends, so that one that was killed is
 * known to have failed, and where. It is JSON, for whoever wants to read it.
 */
#ifndef COLLECTORS_DRILL_RECORD_H
#define COLLECTORS_DRILL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* Times are s since 1970, 0: not known. An all-zero struct: no drill was ever made. */
struct drill_record {
    char *label; /* the backup that was restored, or NULL */
    char *stage; /* what it was at last at: "restore", "recovery" */
    char *error; /* why it failed; NULL when it succeeded or still runs */
    bool succeeded;
    bool partial; /* it left out what it was told to, so it proves nothing */
    double started_at;
    double ready_at;     /* recovery had ended and the server answered */
    double ended_at;     /* 0: it runs, or was killed */
    double recovered_at; /* the moment that the restored data had reached */
    bool failed_before;  /* the attempt before this one did */
    /* Of the last one that succeeded, which may be this one. */
    double success_started_at, success_ready_at, success_ended_at, success_recovered_at;
};

/* Append the file's name: DIRECTORY/drill/STANZA.repoKEY.json. */
void drill_record_path(const char *directory, const char *stanza, int64_t repo_key,
                       struct strbuf *out);

/*
 * Read the file; one that is not there is the all-zero struct. ERR_PROTOCOL names the file and the
 * place, ERR_CONFIG, ERR_PERMISSION, ERR_SYSTEM, ERR_MEMORY. Released by drill_record_done().
 * Reads a local file.
 */
bool drill_record_read(const char *path, struct drill_record *ret, struct err *err) MUST_USE;

/* Replace the file, making the folders above it. The errors of replace_file(). */
bool drill_record_write(const char *path, const struct drill_record *record,
                        struct err *err) MUST_USE;

void drill_record_done(struct drill_record *record);

/*
 * Be the one drill of that record, until the descriptor is closed or we end, however. ERR_STUCK:
 * another one runs; ERR_PERMISSION, ERR_SYSTEM. Never waits.
 */
bool drill_record_lock(const char *path, int *ret_fd, struct err *err) MUST_USE;

/* Whether a drill of that record runs now. Takes no lock. */
bool drill_record_is_running(const char *path);

#endif
