/*
 * settings - the whole configuration: file, flags and environment, completed by what
 * pgbackrest.conf says.
 *
 * It is made once, checked, and never changed; a reload makes a new one. Nothing here touches a
 * repository, a mount or the network.
 */
#ifndef COLLECTORS_SETTINGS_H
#define COLLECTORS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/parse/pgbackrest_conf.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

struct web_settings {
    struct text_list listen_addresses; /* default ":10854" */
    bool systemd_socket;               /* the sockets of systemd in their place */
    char *telemetry_path;              /* default "/metrics" */
    char *config_file;                 /* exporter-toolkit's web configuration, or NULL */
};

struct postgres_settings {
    char *stanza;
    char *conninfo;
    char *archive_environment; /* file of the server's PGBACKREST_* variables, or NULL */
};

struct pgbackrest_settings {
    char *command;            /* absolute path */
    char *config;             /* pgbackrest.conf, whether it is there or not */
    struct text_list stanzas; /* as configured; empty: every stanza section */
    char *user;               /* whom we become when started as root */
};

/* Seconds; 0 when not configured. */
struct objectives {
    double full, diff, incr, recovery_point, drill, restore_time;
};

struct repository_settings {
    int64_t key;            /* the N of repoN */
    char *name;             /* for people; default "repoN" */
    char *mount_path;       /* or NULL */
    char *mount_filesystem; /* "nfs", or NULL */
    struct objectives objectives;
    struct pair_list options; /* pgBackRest options without the repoN- prefix: "type" = "s3" */
    char *credentials_file;   /* or NULL */
    struct pair_list credentials_map; /* option = name in the file */
    enum tristate continuous_wal;
};

/* One repository of one stanza, as configured by either file: what a collector watches. */
struct stanza_repository {
    const struct stanza *stanza;
    int64_t key;
    char *name;
    const char *storage; /* "posix", "s3", "gcs", "azure", "sftp", "cifs": pgBackRest's type; or
                            "remote": behind a repository host, and the type is not told here */
    const char *cipher;  /* "none" or "aes-256-cbc"; "unknown" behind such a host */
    const struct repository_settings *settings; /* NULL when only pgbackrest.conf names it */
    struct pair_list options; /* of this repository: pgBackRest names without "repoN-", merged
                                 (pgbackrest.conf first, ours over it); secrets included */
    bool in_pgbackrest_conf;
};

struct stanza {
    char *name;
    char *conninfo;                /* NULL on a repository host */
    const char *config_file;       /* of the exporter; NULL: the default one, or none */
    const char *pgbackrest_config; /* pgbackrest.conf; NULL: where pgBackRest looks by itself */
    const struct postgres_settings *postgres; /* NULL when the configuration has none for it */
    struct pair_list options; /* every option of pgbackrest.conf that belongs to no repository
                                 (lock-path, spool-path, io-timeout, pg1-path ...), merged
                                 [global] < [global:info] < [stanza] < [stanza:info] */
    struct stanza_repository *repositories;
    size_t repository_count;
};

struct collector_settings {
    const char *name; /* static, from the registry */
    bool enabled;
    double interval_s; /* 0: the collector's default */
    double timeout_s;
};

struct settings {
    bool show_help; /* with one of these three no file was read: nothing below is complete */
    bool show_version;
    char *dump_docs;        /* "configuration", "metrics", or NULL */
    char *config_file;      /* the file that was read, or NULL */
    struct text_list files; /* local files and directories this came from, there or not yet:
                               when one changes, a reload may give something else */
    char *state_directory;  /* what commands leave for the exporter */
    char *log_level;
    char *log_format;
    struct web_settings web;
    struct collector_settings *collectors; /* in the registry's order; behind them one more, whose
                                              interval_s is intervals.wal-verify */
    size_t collector_count;
    bool per_backup; /* series for every single backup, too */

    struct postgres_settings *postgres; /* NULL: not said; not NULL but none: [] was said */
    size_t postgres_count;
    struct pgbackrest_settings pgbackrest;
    struct repository_settings *repositories;
    size_t repository_count;

    struct pgbackrest_conf conf; /* pgBackRest's configuration as it was read */
    struct stanza *stanzas;      /* the outcome of all of the above and of pgbackrest.conf */
    size_t stanza_count;
};

/*
 * Read flags (argv after the program's name, up to the command), environment and file, then
 * pgbackrest.conf. *ret_rest is the index in argv of the command, argc when there is none.
 * ERR_CONFIG names file, line, column, key and what is allowed; a file may hold several errors:
 * all are in the text, one a line. Blocks only on reading local configuration files.
 */
bool settings_load(int argc, char *const argv[], struct settings **ret, int *ret_rest,
                   struct err *err) MUST_USE;

void settings_free(struct settings *settings); /* takes NULL */

/*
 * Make the stanzas anew for another pgBackRest command ("restore"): its own sections, like
 * [global:restore], count in place of those of info. All pointers into settings->stanzas end.
 * ERR_MEMORY; the stanzas are gone then.
 */
bool settings_use_command(struct settings *settings, const char *command, struct err *err) MUST_USE;

/* The stanza of that name, or NULL. */
const struct stanza *settings_stanza(const struct settings *settings, const char *name);

#define SETTINGS_WAL_VERIFY_S (6 * 3600.0)

/* How old what is known of a complete folder of WAL may be, in seconds. */
double settings_wal_verify_s(const struct settings *settings);

/* The settings of a collector by its name; never NULL for a registered one. */
const struct collector_settings *settings_collector(const struct settings *settings,
                                                    const char *name);

/* Text of --help, and docs/configuration.md: both from the option tables. */
struct strbuf;
void settings_help(struct strbuf *out);
void settings_document(struct strbuf *out);

#endif
