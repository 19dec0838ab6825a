/*
 * verdict - what is true of a stanza when all its repositories are looked at together.
 *
 * The only place that combines what other collectors saw. It asks nobody: it runs whenever one of
 * them has published. A repository that was not seen, or not for too long, is unknown: then no
 * state of the stanza is claimed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/backup_summary.h"
#include "collectors/backups.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"

enum {
    STANZA_STATUS,
    STANZA_INFO,
    PROGRAM_INFO,
    LOCK_HELD,
    COMPLETE_BYTES,
    TOTAL_BYTES,
    METRIC_COUNT,
};

static const char *const system_id_labels[] = {"system_id", NULL};
static const char *const version_labels[] = {"version", NULL};

static const struct metric_desc metrics[METRIC_COUNT] = {
    [STANZA_STATUS] =
        {
            .name = "pgbackrest_stanza_status",
            .help =
                "The status code that all repositories share, 4 when they differ, as pgbackrest "
                "info composes it; absent while one of them is unknown.",
            .keeps = STATE,
        },
    [STANZA_INFO] =
        {
            .name = "pgbackrest_stanza_info",
            .help = "The system identifier of the cluster that is backed up; always 1. Two of them "
                    "mean that the repositories hold different clusters.",
            .keeps = FACT,
            .labels = system_id_labels,
        },
    [PROGRAM_INFO] =
        {
            .name = "pgbackrest_info",
            .help = "Version of the pgbackrest that is used here; always 1.",
            .keeps = FACT,
            .labels = version_labels,
        },
    [LOCK_HELD] =
        {
            .name = "pgbackrest_backup_lock_held",
            .help = "Whether a backup, expire or stanza command holds the stanza's lock on this "
                    "host.",
            .keeps = STATE,
        },
    [COMPLETE_BYTES] =
        {
            .name = "pgbackrest_backup_complete_bytes",
            .help = "Bytes that the running backup has copied; since pgBackRest 2.48.",
            .keeps = STATE,
        },
    [TOTAL_BYTES] =
        {
            .name = "pgbackrest_backup_total_bytes",
            .help = "Bytes that the running backup will copy; since pgBackRest 2.48.",
            .keeps = STATE,
        },
};

static const char *const target_labels[] = {"stanza", NULL};

/* What is known of one stanza's repositories. */
struct tally {
    size_t expected; /* configured */
    size_t known;    /* their state is known now */
    size_t usable;   /* of these: readable, and with a backup of the current database */
    bool differ;
    int64_t code;                 /* of the first one that is known */
    const struct info_lock *lock; /* held, else any that is known now, else NULL */
    const char *version;
    const struct info_database **databases; /* of different system ids */
    size_t database_count;
};

static bool verdict_targets(const struct settings *settings, struct target_list *ret,
                            struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        struct label labels[] = {{"stanza", settings->stanzas[i].name}, {NULL, NULL}};
        struct strbuf fingerprint CLEANUP(strbuf_done) = {0};
        strbuf_printf(&fingerprint, "%zu%s", settings->stanzas[i].repository_count,
                      settings->stanzas[i].conninfo ? "" : " alone");
        struct target *target = fingerprint.failed ? NULL
                                                   : target_add(&list, settings->stanzas[i].name,
                                                                strbuf_text(&fingerprint), labels);
        if (!target)
            return err_memory(err);
        target->spec = &settings->stanzas[i];
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

/*
 * An observation that is not of a good run is still of now when it says itself that the
 * repository is down.
 */
static bool is_of_now(const struct run_input *input)
{
    const struct backups_observation *seen = input->observation;
    return input->current || (input->fresh && !seen->readable);
}

/* pgBackRest says ok as well when all backups are of a database before a stanza-upgrade. */
static bool holds_backup(const struct backups_observation *seen)
{
    const struct info_stanza *stanza = backups_observation_stanza(seen);
    return !stanza || backup_summary(stanza, seen->repo_key).latest;
}

static void tally_status(struct tally *tally, const struct backups_observation *seen)
{
    int64_t code = seen->code == BACKUPS_NO_CODE ? INFO_OTHER : seen->code;
    if (tally->known == 0)
        tally->code = code;
    tally->differ |= code != tally->code;
    tally->known++;
    tally->usable += seen->reason == ERR_NONE && holds_backup(seen);
}

static void tally_lock(struct tally *tally, const struct backups_observation *seen)
{
    if (!seen->lock_known)
        return;
    if (!tally->lock || (seen->lock.held && !tally->lock->held))
        tally->lock = &seen->lock;
}

static void tally_database(struct tally *tally, const struct backups_observation *seen)
{
    const struct info_stanza *stanza = backups_observation_stanza(seen);
    const struct info_database *database =
        stanza ? info_current_database(stanza, seen->repo_key) : NULL;
    if (!database || database->system_id == 0)
        return;
    for (size_t i = 0; i < tally->database_count; i++) {
        if (tally->databases[i]->system_id == database->system_id)
            return;
    }
    tally->databases[tally->database_count++] = database;
}

static bool is_repository_of(const struct run_input *input, const char *stanza)
{
    return strcmp(input->collector, "backups") == 0 &&
           strcmp(label_get(input->labels, "stanza"), stanza) == 0;
}

static bool tally_all(const struct run *run, const struct stanza *stanza, struct tally *tally,
                      struct err *err)
{
    tally->expected = stanza->repository_count;
    tally->databases = calloc(run->input_count + 1, sizeof(const struct info_database *));
    if (!tally->databases)
        return err_memory(err);
    for (size_t i = 0; i < run->input_count; i++) {
        const struct backups_observation *seen = run->inputs[i].observation;
        if (!seen || !is_repository_of(&run->inputs[i], stanza->name))
            continue;
        tally->version = seen->version ? seen->version : tally->version;
        tally_database(tally, seen);
        if (!is_of_now(&run->inputs[i]))
            continue;
        tally_status(tally, seen);
        tally_lock(tally, seen);
    }
    return true;
}

static void tally_done(struct tally *tally)
{
    free((void *)tally->databases);
}

static void add_lock(struct sink *sink, const struct info_lock *lock)
{
    sink_add(sink, LOCK_HELD, lock->held, NULL);
    if (lock->held && lock->total_bytes != INFO_SIZE_UNKNOWN)
        sink_add(sink, TOTAL_BYTES, (double)lock->total_bytes, NULL);
    if (lock->held && lock->complete_bytes != INFO_SIZE_UNKNOWN)
        sink_add(sink, COMPLETE_BYTES, (double)lock->complete_bytes, NULL);
}

static bool add_system_id(struct sink *sink, uint64_t system_id, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&text, "%" PRIu64, system_id);
    if (text.failed)
        return err_memory(err);
    sink_add(sink, STANZA_INFO, 1, LABELS(strbuf_text(&text)));
    return true;
}

static bool add_samples(struct sink *sink, const struct tally *tally, struct err *err)
{
    if (tally->expected > 0 && tally->known == tally->expected)
        sink_add(sink, STANZA_STATUS, (double)(tally->differ ? INFO_DIFFERENT : tally->code), NULL);
    if (tally->version)
        sink_add(sink, PROGRAM_INFO, 1, LABELS(tally->version));
    if (tally->lock)
        add_lock(sink, tally->lock);
    for (size_t i = 0; i < tally->database_count; i++) {
        if (!add_system_id(sink, tally->databases[i]->system_id, err))
            return false;
    }
    return true;
}

static void add_verdict(struct report *report, struct report_item *group, const struct tally *tally)
{
    if (tally->expected == 0)
        report_verdict(report, group, GRADE_FAILED, "no repository is configured");
    else if (tally->known < tally->expected)
        report_verdict(report, group, GRADE_UNKNOWN, "%zu of %zu repositories not seen of late",
                       tally->expected - tally->known, tally->expected);
    else if (tally->usable == tally->expected)
        report_verdict(report, group, GRADE_OK,
                       "%zu of %zu repositories can be read and hold backups", tally->usable,
                       tally->expected);
    else if (tally->usable > 0)
        report_verdict(report, group, GRADE_WARNING,
                       "only %zu of %zu repositories can be read and hold backups", tally->usable,
                       tally->expected);
    else
        report_verdict(report, group, GRADE_FAILED,
                       "none of %zu repositories can be read and holds a backup", tally->expected);
    if (tally->database_count > 1)
        report_verdict(report, group, GRADE_WARNING,
                       "its repositories hold backups of %zu different clusters",
                       tally->database_count);
}

static void add_report(struct report *report, const struct stanza *stanza,
                       const struct tally *tally)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "Stanza %s", stanza->name);
    struct report_item *group = report_group(report, NULL, strbuf_text(&title));
    add_verdict(report, group, tally);
    if (!stanza->conninfo)
        report_fact(report, group, "PostgreSQL", "not here (repository host): not watched");
    for (size_t i = 0; i < tally->database_count; i++)
        report_fact(report, group, "system identifier", "%" PRIu64, tally->databases[i]->system_id);
    if (tally->version)
        report_fact(report, group, "pgBackRest", "%s", tally->version);
    if (tally->lock)
        report_fact(report, group, "backup, expire or stanza command running", "%s",
                    tally->lock->held ? "yes" : "no");
}

static bool verdict_collect(void *state UNUSED, struct run *run, struct err *err)
{
    const struct stanza *stanza = run->target->spec;
    struct tally tally CLEANUP(tally_done) = {0};
    if (!tally_all(run, stanza, &tally, err) || !add_samples(run->sink, &tally, err))
        return false;
    add_report(run->report, stanza, &tally);
    return true;
}

const struct collector collector_verdict = {
    .name = "verdict",
    .help = "What holds for a stanza over all its repositories.",
    .default_enabled = true,
    .interval_s = 15,
    .timeout_s = 5,
    .labels = target_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = verdict_targets,
    .collect = verdict_collect,
    .combines = true,
};
