#include "collectors/archiver_report.h"

#include <inttypes.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/when.h"

enum situation { STANDBY, DISABLED, WITHOUT_COMMAND, FAILING, STALLED, NOTHING_YET, WORKS };

static const enum grade grades[] = {
    [STANDBY] = GRADE_NONE,   [DISABLED] = GRADE_FAILED, [WITHOUT_COMMAND] = GRADE_FAILED,
    [FAILING] = GRADE_FAILED, [STALLED] = GRADE_FAILED,  [NOTHING_YET] = GRADE_UNKNOWN,
    [WORKS] = GRADE_OK,
};

/* What to do; STANZA stands for the stanza's name. */
static const struct {
    enum situation situation;
    const char *sentence;
    const char *command;
} steps[] = {
    {DISABLED, "switch archiving on, look at archive_command, then restart PostgreSQL",
     "sudo -u postgres psql -c \"ALTER SYSTEM SET archive_mode = on\" -c \"SHOW "
     "archive_command\""},
    {WITHOUT_COMMAND, "say how to archive; no restart is needed",
     "sudo -u postgres psql -c \"ALTER SYSTEM SET archive_command = 'pgbackrest --stanza=STANZA "
     "archive-push %p'\" -c \"SELECT pg_reload_conf()\""},
    {FAILING, "see what stands in the way; PostgreSQL's log has the words of archive_command",
     "sudo -u postgres pgbackrest --stanza=STANZA check"},
    {FAILING, "watch the disk of pg_wal: PostgreSQL stops when it is full",
     "sudo -u postgres psql -Atc \"SELECT count(*), pg_size_pretty(sum(size)) FROM "
     "pg_ls_waldir()\""},
    {STALLED, "see what the archiver waits for: state D is a file server that does not answer",
     "ps -eo pid,stat,etime,wchan:24,args | grep -E '[p]gbackrest|[a]rchiver'"},
    {STALLED, "watch the disk of pg_wal: PostgreSQL stops when it is full",
     "sudo -u postgres psql -Atc \"SELECT count(*), pg_size_pretty(sum(size)) FROM "
     "pg_ls_waldir()\""},
    {NOTHING_YET, "archive a first segment and see that it arrives",
     "sudo -u postgres pgbackrest --stanza=STANZA check"},
};

static const struct {
    enum err_code code;
    const char *sentence;
    const char *command;
} steps_down[] = {
    {ERR_CONNECT, "see whether the server runs and listens there", "pg_lsclusters"},
    {ERR_TIMEOUT, "see what keeps the server busy",
     "sudo -u postgres psql -c \"SELECT * FROM pg_stat_activity\""},
    {ERR_AUTH, "make the role and the pg_hba.conf line that the conninfo needs",
     "sudo -u postgres psql -c \"TABLE pg_hba_file_rules\" -c \"\\du\""},
    {ERR_PERMISSION, "let the exporter's role read the statistics",
     "sudo -u postgres psql -c \"GRANT pg_monitor TO pgbackup_exporter\""},
    {ERR_PERMISSION, "or let the exporter's user reach the socket",
     "sudo -u postgres psql -Atc \"SHOW unix_socket_directories\""},
};

static enum situation situation_of(const struct archiver_observation *seen)
{
    if (!seen->runs)
        return seen->in_recovery ? STANDBY : DISABLED;
    if (!seen->has_command)
        return WITHOUT_COMMAND;
    if (seen->failing)
        return FAILING;
    if (seen->stalled)
        return STALLED;
    return seen->last_archived_at > 0 ? WORKS : NOTHING_YET;
}

static struct report_item *group_of(struct report *report, const char *stanza)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "WAL archiving of %s", stanza);
    return report_group(report, NULL, strbuf_text(&title));
}

static void add_failing(struct strbuf *out, const struct archiver_observation *seen)
{
    strbuf_puts(out, "WAL archiving FAILS: ");
    if (seen->last_archived_at > 0) {
        strbuf_puts(out, "last success ");
        when_add_utc(out, seen->last_archived_at);
    } else {
        strbuf_puts(out, "no success yet");
    }
    strbuf_printf(out, ", %" PRIu64 " failures; all WAL since is kept in pg_wal",
                  seen->failed_count);
}

static void add_stalled(struct strbuf *out, const struct archiver_observation *seen)
{
    strbuf_printf(out, "WAL archiving stands still: %.0f MiB wait, last file archived ",
                  (double)seen->waiting_bytes / (1024 * 1024));
    when_add_utc(out, seen->last_archived_at);
}

static void add_works(struct strbuf *out, const struct archiver_observation *seen)
{
    strbuf_puts(out, "WAL archiving works: last file archived ");
    when_add_utc(out, seen->last_archived_at);
}

static void add_verdict(struct strbuf *out, const struct archiver_observation *seen)
{
    switch (situation_of(seen)) {
    case STANDBY:
        strbuf_puts(out, "a standby: WAL is archived by its primary");
        return;
    case DISABLED:
        strbuf_puts(out, "WAL archiving is disabled (archive_mode = off): nothing after the newest "
                         "backup can be restored");
        return;
    case WITHOUT_COMMAND:
        strbuf_puts(out, "WAL archiving has no archive_command: all WAL is kept in pg_wal");
        return;
    case FAILING:
        add_failing(out, seen);
        return;
    case STALLED:
        add_stalled(out, seen);
        return;
    case NOTHING_YET:
        strbuf_puts(out, "no WAL file has been archived yet");
        return;
    case WORKS:
        add_works(out, seen);
        return;
    }
}

static void report_file(struct report *report, struct report_item *group, const char *title,
                        const char *name)
{
    if (*name)
        report_fact(report, group, title, "%s", name);
}

static void report_moment(struct report *report, struct report_item *group, const char *title,
                          double time)
{
    if (time > 0)
        report_time(report, group, title, time);
}

static void report_settings(struct report *report, struct report_item *group,
                            const struct archiver_observation *seen)
{
    static const char *const modes[] = {
        [ARCHIVE_OFF] = "off", [ARCHIVE_ON] = "on", [ARCHIVE_ALWAYS] = "always"};
    report_fact(report, group, "archive_mode", "%s", modes[seen->mode]);
    if (seen->archive_timeout_s > 0)
        report_fact(report, group, "archive_timeout", "%.0f s", seen->archive_timeout_s);
    else
        report_fact(report, group, "archive_timeout",
                    "off: on a quiet database the newest changes exist on this host only");
}

static void report_facts(struct report *report, struct report_item *group,
                         const struct archiver_observation *seen)
{
    report_file(report, group, "last archived WAL", seen->last_archived_wal);
    report_moment(report, group, "last archived", seen->last_archived_at);
    report_file(report, group, "last failed WAL", seen->last_failed_wal);
    report_moment(report, group, "last failure", seen->last_failed_at);
    report_fact(report, group, "archived", "%" PRIu64 " files", seen->archived_count);
    report_fact(report, group, "failed", "%" PRIu64 " times", seen->failed_count);
    report_moment(report, group, "counted since", seen->stats_reset_at);
    if (seen->has_last_archived_lsn)
        report_fact(report, group, "not archived yet", "%.0f MiB",
                    (double)seen->waiting_bytes / (1024 * 1024));
    report_settings(report, group, seen);
    if (seen->has_lsn)
        report_fact(report, group, seen->in_recovery ? "replayed to" : "written to",
                    "%" PRIX64 "/%" PRIX64 " on timeline %" PRIu32, seen->lsn >> 32,
                    seen->lsn & UINT32_MAX, seen->timeline);
}

static void add_command(struct strbuf *out, const char *pattern, const char *stanza)
{
    static const char place[] = "STANZA";
    const char *found = strstr(pattern, place);
    if (!found) {
        strbuf_puts(out, pattern);
        return;
    }
    strbuf_add(out, pattern, (size_t)(found - pattern));
    strbuf_puts(out, stanza);
    strbuf_puts(out, found + sizeof place - 1);
}

static void report_steps(struct report *report, struct report_item *group, const char *stanza,
                         enum situation situation)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (steps[i].situation != situation)
            continue;
        struct strbuf command CLEANUP(strbuf_done) = {0};
        add_command(&command, steps[i].command, stanza);
        report_step(report, group, steps[i].sentence, strbuf_text(&command));
    }
}

static void report_hidden(struct report *report, struct report_item *group,
                          const struct err *hidden)
{
    if (hidden->code == ERR_NONE)
        return;
    report_verdict(report, group, GRADE_WARNING, "the position in the WAL cannot be read: %s",
                   hidden->text);
    report_step(
        report, group,
        "grant EXECUTE on it to the exporter's role: everybody has it unless it was revoked", NULL);
}

void archiver_report(struct report *report, const char *stanza,
                     const struct archiver_observation *seen, const struct err *hidden)
{
    enum situation situation = situation_of(seen);
    struct strbuf verdict CLEANUP(strbuf_done) = {0};
    struct report_item *group = group_of(report, stanza);
    add_verdict(&verdict, seen);
    report_verdict(report, group, grades[situation], "%s", strbuf_text(&verdict));
    report_steps(report, group, stanza, situation);
    report_hidden(report, group, hidden);
    report_facts(report, group, seen);
}

void archiver_report_down(struct report *report, const char *stanza, const struct err *err)
{
    struct report_item *group = group_of(report, stanza);
    report_verdict(report, group, GRADE_UNKNOWN, "PostgreSQL could not be asked: %s", err->text);
    for (size_t i = 0; i < COUNT_OF(steps_down); i++) {
        if (steps_down[i].code == err->code)
            report_step(report, group, steps_down[i].sentence, steps_down[i].command);
    }
}
