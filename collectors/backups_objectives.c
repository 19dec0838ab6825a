#include "collectors/backups_objectives.h"

#include <inttypes.h>
#include <math.h>

#include "collectors/repository.h"
#include "exporter/base/strbuf.h"
#include "exporter/report/when.h"

/* How many times an objective must be missed for a failure. */
#define TOO_OLD 2

/* How far two clocks may differ. */
#define FUTURE_S 60

/* What counts for the objective of each type, and how to make good. */
static const struct {
    const char *title;
    const char *step;
} words[BACKUP_TYPE_COUNT] = {
    [BACKUP_FULL] = {"last full backup",
                     "Take a full backup now, and see why none came by itself."},
    [BACKUP_DIFF] = {"last diff or full backup",
                     "Take a differential backup now, and see why none came by itself."},
    [BACKUP_INCR] = {"last backup of any type",
                     "Take an incremental backup now, and see why none came by itself."},
};

static double objective_of(const struct objectives *promised, enum backup_type type)
{
    const double seconds[BACKUP_TYPE_COUNT] = {
        [BACKUP_FULL] = promised->full,
        [BACKUP_DIFF] = promised->diff,
        [BACKUP_INCR] = promised->incr,
    };
    return seconds[type];
}

/* The newest backup that counts for the objective of a type, or NULL. */
static const struct info_backup *newest_for(const struct backup_summary *summary,
                                            enum backup_type type)
{
    const struct info_backup *full = summary->newest[BACKUP_FULL];
    const struct info_backup *diff = summary->newest[BACKUP_DIFF];
    if (type == BACKUP_INCR)
        return summary->latest;
    if (type == BACKUP_FULL || !diff)
        return full;
    return full && full->stop > diff->stop ? full : diff;
}

/* As it is written in the configuration: "27h", "9d", "90s". */
static void add_promise(struct strbuf *out, double seconds)
{
    static const struct {
        double seconds;
        char name;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        double count = seconds / units[i].seconds;
        if (count >= 1 && count <= floor(count)) {
            strbuf_printf(out, "%.0f%c", count, units[i].name);
            return;
        }
    }
    strbuf_printf(out, "%gs", seconds);
}

static void add_step(struct report *report, struct report_item *group,
                     const struct stanza_repository *repository, enum backup_type type)
{
    struct strbuf backup CLEANUP(strbuf_done) = {0};
    struct strbuf command CLEANUP(strbuf_done) = {0};
    strbuf_printf(&backup, "backup --type=%s", backup_type_name(type));
    repository_add_command(repository, strbuf_text(&backup), &command);
    report_step(report, group, words[type].step, strbuf_text(&command));
}

static void add_verdict(struct report *report, struct report_item *group, enum backup_type type,
                        const struct info_backup *newest, double objective, bool too_old)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&text, "%s: %s ", too_old ? "too old" : "late", words[type].title);
    when_add_utc(&text, (double)newest->stop);
    strbuf_puts(&text, ", promised every ");
    add_promise(&text, objective);
    report_verdict(report, group, too_old ? GRADE_FAILED : GRADE_WARNING, "%s", strbuf_text(&text));
}

/* Its age is below any objective until then, whatever happens to the backups after it. */
static void judge_future(struct report *report, struct report_item *group,
                         const struct backup_summary *summary, double now)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (!summary->latest || (double)summary->latest->stop <= now + FUTURE_S)
        return;
    when_add_utc(&text, (double)summary->latest->stop);
    report_verdict(report, group, GRADE_WARNING,
                   "its newest backup ends in the future (%s): a clock is or was wrong, and "
                   "whether backups are late cannot be told",
                   strbuf_text(&text));
}

/* A full backup makes good for the others, too: one step is enough. */
void backups_objectives_judge(struct report *report, struct report_item *group,
                              const struct stanza_repository *repository,
                              const struct backup_summary *summary, double now)
{
    bool advised = false;
    judge_future(report, group, summary, now);
    for (enum backup_type type = 0; repository->settings && type < BACKUP_TYPE_COUNT; type++) {
        double objective = objective_of(&repository->settings->objectives, type);
        const struct info_backup *newest = newest_for(summary, type);
        double age = newest ? now - (double)newest->stop : 0;
        if (!newest || objective <= 0 || age <= objective)
            continue;
        add_verdict(report, group, type, newest, objective, age > TOO_OLD * objective);
        if (!advised)
            add_step(report, group, repository, type);
        advised = true;
    }
}

void backups_objectives_tell(struct report *report, struct report_item *group,
                             const struct stanza_repository *repository)
{
    static const struct objectives none = {0};
    const struct objectives *promised =
        repository->settings ? &repository->settings->objectives : &none;
    const struct {
        const char *title;
        double seconds;
    } promises[] = {
        {"full", promised->full},   {"diff", promised->diff},
        {"incr", promised->incr},   {"recovery point", promised->recovery_point},
        {"drill", promised->drill}, {"restore time", promised->restore_time},
    };
    struct strbuf text CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < COUNT_OF(promises); i++) {
        if (promises[i].seconds <= 0)
            continue;
        strbuf_printf(&text, "%s%s ", text.length > 0 ? ", " : "", promises[i].title);
        add_promise(&text, promises[i].seconds);
    }
    if (text.length > 0)
        report_fact(report, group, "promised", "%s", strbuf_text(&text));
}
