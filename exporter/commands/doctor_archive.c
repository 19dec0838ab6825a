/*
 * doctor_archive - archive_command and what its configuration says: who is fed, and what happens
 * when the queue grows. That it fails is for the collectors to say.
 */
#include <inttypes.h>
#include <string.h>

#include "collectors/parse/archive_command.h"
#include "collectors/queue_options.h"
#include "collectors/repository.h"
#include "exporter/commands/doctor_check.h"

#define QUERY_MS 5000
#define MIB      ((uint64_t)1 << 20)

enum { ROW_MODE, ROW_COMMAND, ROW_LIBRARY, ROW_IN_RECOVERY };

/* Everybody may read these. */
static const char query[] =
    "SELECT current_setting('archive_mode'), current_setting('archive_command'),"
    " coalesce(current_setting('archive_library', true), '')," /* since version 15 */
    " pg_is_in_recovery()";

/* One stanza. */
struct archive {
    const struct doctor *doctor;
    const struct stanza *stanza;
    struct report *report;
    struct report_item *group;
    struct archive_command command; /* without words: it is no plain call */
};

/* ---- whom it feeds ---- */

static void check_feed(const struct archive *archive, const struct stanza_repository *repository)
{
    bool wanted = repository_has_continuous_wal(repository);
    if (wanted == repository->in_pgbackrest_conf) {
        report_verdict(archive->report, archive->group, GRADE_NONE,
                       "repository %" PRId64 " (%s) is %s by archive_command", repository->key,
                       repository->name, wanted ? "fed" : "not fed");
        return;
    }
    report_verdict(archive->report, archive->group, GRADE_WARNING,
                   wanted ? "continuous-wal says that archive_command feeds repository %" PRId64
                            " (%s), but pgbackrest.conf does not name it"
                          : "continuous-wal says that archive_command does not feed repository "
                            "%" PRId64 " (%s), but pgbackrest.conf names it",
                   repository->key, repository->name);
    report_step(archive->report, archive->group,
                "correct continuous-wal of this repository, or pgbackrest.conf", NULL);
}

/* ---- the queue ---- */

static void say_limit(const struct archive *archive, const struct queue_options *options)
{
    if (options->queue_max > 0)
        report_verdict(archive->report, archive->group, GRADE_NONE,
                       "archive-push-queue-max is %" PRIu64
                       " MiB: when more than that waits, pgBackRest drops WAL and reports success; "
                       "PostgreSQL's disk stays free, and no restore gets past the hole",
                       options->queue_max / MIB);
    else
        report_verdict(
            archive->report, archive->group, GRADE_NONE,
            "archive-push-queue-max is not set: no WAL is ever dropped; while nothing is "
            "archived it fills the disk of pg_wal, and then PostgreSQL stops");
}

static void check_options(const struct archive *archive)
{
    struct queue_options options CLEANUP(queue_options_done) = {0};
    const struct queue_sources sources = {
        .settings = archive->doctor->settings,
        .stanza = archive->stanza,
        .command = archive->command.words.count > 0 ? &archive->command : NULL,
    };
    struct err err;
    if (!queue_options_read(&sources, &options, &err)) {
        archive->report->failed = true;
        return;
    }
    if (options.other_config) {
        report_verdict(archive->report, archive->group, GRADE_WARNING,
                       "archive_command reads %s, and this program another file: what is said of "
                       "one may not hold for the other",
                       options.other_config);
        report_step(archive->report, archive->group,
                    "let both read the same: pgbackrest.config of this program, or --config in "
                    "archive_command",
                    NULL);
        return;
    }
    say_limit(archive, &options);
    for (size_t i = 0; i < archive->stanza->repository_count; i++)
        check_feed(archive, &archive->stanza->repositories[i]);
}

/* ---- the command ---- */

static void check_stanza_of(const struct archive *archive)
{
    const char *stanza = archive_command_option(&archive->command, "stanza");
    if (!stanza || strcmp(stanza, archive->stanza->name) == 0)
        return;
    report_verdict(archive->report, archive->group, GRADE_FAILED,
                   "archive_command archives for stanza %s, and this server is configured as %s",
                   stanza, archive->stanza->name);
    report_step(archive->report, archive->group,
                "correct --stanza in archive_command, or the stanza of this server's entry under "
                "postgres",
                NULL);
}

static void check_command(struct archive *archive, const struct pg_rows *rows)
{
    struct err flaw = {0};
    if (*pg_rows_text(rows, 0, ROW_LIBRARY) != '\0') {
        report_verdict(archive->report, archive->group, GRADE_NONE,
                       "an archive_library archives: what it does is not known here");
        return;
    }
    if (*pg_rows_text(rows, 0, ROW_COMMAND) == '\0')
        return; /* the archiver's own finding */
    if (archive_command_parse(pg_rows_text(rows, 0, ROW_COMMAND), &archive->command, &flaw)) {
        report_verdict(archive->report, archive->group, GRADE_OK,
                       "archive_command is a plain call of pgbackrest");
        check_stanza_of(archive);
    } else {
        report_verdict(archive->report, archive->group, GRADE_NONE,
                       "archive_command %s: what it does is not known here", flaw.text);
    }
    check_options(archive);
}

static bool archives(const struct pg_rows *rows)
{
    const char *mode = pg_rows_text(rows, 0, ROW_MODE);
    return strcmp(mode, "always") == 0 ||
           (strcmp(mode, "on") == 0 && !pg_rows_bool(rows, 0, ROW_IN_RECOVERY));
}

static void check_stanza(const struct doctor *doctor, const struct stanza *stanza,
                         struct report *report)
{
    struct pg *pg CLEANUP(pg_closep) = NULL;
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct err ignored; /* that it cannot be asked is said with the rights */
    struct bound bound = doctor_bound(doctor, QUERY_MS);
    struct archive archive = {.doctor = doctor, .stanza = stanza, .report = report};
    pg = stanza->conninfo ? pg_open(doctor->pool, stanza->conninfo, &ignored) : NULL;
    if (!pg || !pg_query(pg, query, &bound, &rows, &ignored) || pg_rows_count(rows) != 1)
        return;
    if (!archives(rows))
        return; /* the archiver's own finding, too */
    archive.group = doctor_group(report, "What archive_command of %s does", stanza->name);
    check_command(&archive, rows);
    archive_command_done(&archive.command);
}

void doctor_check_archive(const struct doctor *doctor, struct report *report)
{
    for (size_t i = 0; i < doctor->settings->stanza_count; i++)
        check_stanza(doctor, &doctor->settings->stanzas[i], report);
}
