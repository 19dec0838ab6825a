/*
 * info - the catalogue that `pgbackrest info --output=json` prints, as typed structs.
 *
 * Pure: bytes in, structs out. It judges nothing: a status code, a missing size, an unknown type
 * are passed on as they came. Fields it does not know are ignored, so newer versions still read.
 * Known to read what pgBackRest 2.36 to 2.60 print.
 */
#ifndef COLLECTORS_PARSE_INFO_H
#define COLLECTORS_PARSE_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/err.h"

/* A size that this version of pgBackRest does not print (block incremental, older versions). */
#define INFO_SIZE_UNKNOWN (-1)

/* status.code of a repository or a stanza (pgBackRest's info.c); others may come. */
enum info_code {
    INFO_OK = 0,
    INFO_MISSING_STANZA_PATH = 1,
    INFO_NO_BACKUP = 2,
    INFO_MISSING_STANZA_DATA = 3,
    INFO_DIFFERENT = 4,         /* of a stanza only: its repositories do not agree */
    INFO_DATABASE_MISMATCH = 5, /* of a stanza only */
    INFO_BACKUP_NOT_FOUND = 6,
    INFO_OTHER = 99, /* the message says what */
};

struct info_status {
    int64_t code;
    const char *message; /* may have several lines; "" when there is none */
};

/* Page checksum errors found while the backup was made. */
enum info_damage { INFO_DAMAGE_UNKNOWN, INFO_DAMAGE_NONE, INFO_DAMAGE_FOUND };

struct info_lock {
    bool held;              /* a backup, expire or stanza command is running on that host */
    int64_t total_bytes;    /* of the backup that is running, or INFO_SIZE_UNKNOWN */
    int64_t complete_bytes; /* the same */
};

struct info_database {
    int64_t id; /* 1, 2, ...: grows with each stanza-upgrade */
    int64_t repo_key;
    uint64_t system_id; /* 0 when it is not said */
    const char *version;
};

struct info_repository {
    int64_t key;
    struct info_status status;
    const char *cipher; /* "none", "aes-256-cbc"; "" when it is not said */
};

struct info_archive {
    int64_t database_id;
    int64_t repo_key;
    const char *id;        /* "15-1" */
    const char *min, *max; /* NULL: no WAL. What lies between may have gaps */
};

struct info_backup {
    const char *label;
    const char *type; /* "full", "diff", "incr" */
    int64_t repo_key;
    int64_t database_id;
    int64_t start, stop;                       /* s since 1970 */
    const char *archive_start, *archive_stop;  /* NULL: an offline backup needs no WAL */
    int64_t size_bytes, delta_bytes;           /* of the cluster; what this backup copied of it */
    int64_t repo_size_bytes, repo_delta_bytes; /* stored: with what it references; by itself */
    int64_t repo_size_map_bytes, repo_delta_map_bytes; /* the same of its block incremental maps */
    enum info_damage damage;
    const char *lsn_start, *lsn_stop; /* "0/9000028", or NULL: before 2.38, offline */
    const char *pgbackrest_version;   /* that made it, or NULL */
    size_t annotation_count;
    const char *prior;             /* label of the backup it builds on, or NULL */
    const char *const *references; /* labels of all backups that hold files of it */
    size_t reference_count;
};

struct info_stanza {
    const char *name;
    struct info_status status;
    struct info_lock lock;
    const struct info_database *databases;
    size_t database_count;
    const struct info_repository *repositories;
    size_t repository_count;
    const struct info_archive *archives;
    size_t archive_count;
    const struct info_backup *backups; /* in pgBackRest's order: by label, oldest first */
    size_t backup_count;
};

/* Immutable once parsed, shared and counted: everything in it lives until the last unref. */
struct info {
    const struct info_stanza *stanzas;
    size_t stanza_count;
    struct info_memory *memory; /* for info.c alone */
};

/*
 * How many bytes of the output come before the JSON: whole lines, until one that starts with '['.
 * pgBackRest 2.55 and later print warnings and errors there. All of it when there is no JSON.
 */
size_t info_message_length(const char *output, size_t length);

/*
 * Parse the whole output of the command, messages before the JSON included. ERR_PROTOCOL: no JSON,
 * no well-formed JSON, or a field that is missing or of another type; the text names its path.
 * ERR_MEMORY. *ret has one reference, for info_unref().
 */
bool info_parse(const char *output, size_t length, struct info **ret, struct err *err) MUST_USE;

struct info *info_ref(struct info *info); /* takes NULL; safe from any thread */
void info_unref(struct info *info);       /* takes NULL; safe from any thread */
void info_unrefp(struct info **info);

/* The stanza of that name, or NULL. */
const struct info_stanza *info_find_stanza(const struct info *info, const char *name);

/* The repository of that key, or NULL. */
const struct info_repository *info_find_repository(const struct info_stanza *stanza, int64_t key);

/*
 * The database that the stanza serves now in that repository: the one with the highest id. NULL
 * when the repository names none.
 */
const struct info_database *info_current_database(const struct info_stanza *stanza, int64_t key);

#endif
