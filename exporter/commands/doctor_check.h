/*
 * doctor_check - what the doctor's own checks share: what they know, and how they word a command.
 *
 * A check adds what it finds to a report: groups with verdicts, and under each what to do. The
 * first finding of a trouble is its cause: a check says nothing of what another one explains.
 */
#ifndef EXPORTER_COMMANDS_DOCTOR_CHECK_H
#define EXPORTER_COMMANDS_DOCTOR_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/settings.h"
#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"
#include "exporter/schedule/poller.h"
#include "exporter/sources/pg.h"
#include "exporter/sources/proc.h"

/* Nothing is owned. */
struct doctor {
    const struct settings *settings;
    struct proc_pool *pool;
    const struct poller_status *targets; /* what the collectors saw */
    size_t target_count;
    char *const *files; /* unit files and scripts to compare with the settings */
    size_t file_count;
    struct bound bound; /* of all checks together */
};

typedef void doctor_check(const struct doctor *doctor, struct report *report);

doctor_check doctor_check_rights;      /* of the user: programs, repositories, PostgreSQL */
doctor_check doctor_check_credentials; /* files that hold secrets */
doctor_check doctor_check_repository;  /* repositories that cannot be read or hold nothing */
doctor_check doctor_check_database;    /* stanza-upgrade */
doctor_check doctor_check_archive;     /* archive_command and what its configuration says */
doctor_check doctor_check_log;         /* archive-push's own logs */
doctor_check doctor_check_flags;       /* --repoN- flags in doctor->files */
doctor_check doctor_check_drill;       /* drills that are overdue */
doctor_check doctor_check_active;      /* pgbackrest check: touches production */

/*
 * What a collector last saw of a target ("main", "main/repo1"): its observation, or NULL. With
 * must_be_current only when its newest run went well.
 */
const void *doctor_observation(const struct doctor *doctor, const char *collector,
                               const char *target, bool must_be_current);

/* The same for a repository. */
const void *doctor_observation_of(const struct doctor *doctor, const char *collector,
                                  const struct stanza_repository *repository);

/* For one wait of at most that long. */
struct bound doctor_bound(const struct doctor *doctor, int64_t most_ms);

/* Call visit for each repository of each stanza, in the order of the settings. */
void doctor_each_repository(const struct doctor *doctor,
                            void (*visit)(const struct doctor *doctor,
                                          const struct stanza_repository *repository,
                                          struct report *report),
                            struct report *report);

/* A group with a title in printf form. */
struct report_item *doctor_group(struct report *report, const char *format, ...) PRINTF(2, 3);

/* Append "sudo -u USER": the user who owns the repositories. */
void doctor_add_sudo(const struct doctor *doctor, struct strbuf *out);

/* Append this program's own command line, by that user: "... pgbackup_exporter [FLAG]". */
void doctor_add_self(const struct doctor *doctor, struct strbuf *out);

/* Append `run` of a pgBackRest command ("stanza-create") on that repository. */
void doctor_add_run(const struct doctor *doctor, const struct stanza_repository *repository,
                    const char *command, struct strbuf *out);

/* Append psql as the server's owner, by its socket and port as pgbackrest.conf names them. */
void doctor_add_psql(const struct doctor *doctor, const struct stanza *stanza, struct strbuf *out);

#endif
