/*
 * doctor_flag - finds pgBackRest's --repoN- options in the text of a script or a unit file.
 *
 * Pure, and no shell: it sees words as they are written.
 */
#ifndef EXPORTER_COMMANDS_DOCTOR_FLAG_H
#define EXPORTER_COMMANDS_DOCTOR_FLAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/strbuf.h"

/* One option as it is written. Release its texts with doctor_flag_done(). */
struct doctor_flag {
    int64_t repo_key;
    struct strbuf option; /* without "repoN-": "s3-bucket" */
    struct strbuf value;  /* "" for none */
    bool expands;         /* a shell or systemd puts in what is not known here ($X, %X) */
    size_t line;          /* from 1 */
};

/* Where to go on; begin with the text and line 0. */
struct doctor_flag_reader {
    const char *rest;
    size_t line;
};

/*
 * The next one, "--repo2-path=/x", "--repo2-path /x" or PGBACKREST_REPO2_PATH=/x, of lines that
 * are no comments. False: there is none. *ret must be all-zero or done.
 */
bool doctor_flag_next(struct doctor_flag_reader *reader, struct doctor_flag *ret);
void doctor_flag_done(struct doctor_flag *flag);

#endif
