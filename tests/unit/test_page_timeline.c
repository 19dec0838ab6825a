/*
 * Whole pages as they are read at night. UPDATE_GOLDEN=1 in the environment writes them anew; the
 * browser tests look at what lies in tests/golden.
 */
#include "exporter/web/page_timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"
#include "exporter/report/when.h"
#include "tests/unit/page_fixture.h"

#define MINUTE 60.0
#define HOUR   3600.0
#define DAY    86400.0

static void set_clock(void)
{
    setenv("TZ", "UTC", 1);
}

TestSuite(page_timeline, .init = set_clock, .fini = free_reports);

/* One repository as the collector of restorability speaks of it. */
struct scene {
    const char *title;
    enum grade grade;
    const char *verdict;
    const char *problem; /* a second verdict, or NULL */
    const char *step;    /* what to do about it, or NULL */
    double latest;       /* the latest moment; 0: none */
    const char *lost;
    const char *command;
    double every;   /* s between backups */
    double newest;  /* when the newest ended */
    double window;  /* when the recovery window begins; 0: none */
    double gap;     /* when a gap behind the latest moment ends; 0: none */
    double broken;  /* backups since then cannot be restored; 0: all can */
    double drilled; /* 0: never */
};

static void add_backups(struct report *report, struct report_item *group, const struct scene *scene)
{
    for (int i = 40; i >= 0; i--) {
        double stop = scene->newest - i * scene->every;
        const char *type = i % 14 == 0 ? "full" : i % 2 == 0 ? "diff" : "incr";
        bool broken = scene->broken > 0 && stop >= scene->broken;
        struct strbuf label CLEANUP(strbuf_done) = {0};
        strbuf_printf(&label, "backup %d", i);
        report_event(report, group, broken ? "not restorable" : type, strbuf_text(&label),
                     stop - 700, stop);
    }
}

static void add_events(struct report *report, struct report_item *group, const struct scene *scene)
{
    if (scene->every > 0)
        add_backups(report, group, scene);
    if (scene->window > 0)
        report_event(report, group, "window", "every moment can be restored", scene->window,
                     scene->latest);
    if (scene->latest > 0)
        report_event(report, group, "latest moment", "as far as a restore reaches", scene->latest,
                     scene->latest);
    if (scene->gap > 0)
        report_event(report, group, "gap", "WAL is missing", scene->latest, scene->gap);
    if (scene->drilled > 0)
        report_event(report, group, "drill", "a restore that worked", scene->drilled,
                     scene->drilled);
}

static struct report *restorability(const struct scene *scene)
{
    struct report *report = new_report();
    struct report_item *group = report_group(report, NULL, scene->title);
    report_verdict_of(report, group, scene->grade, scene->drilled, "%s", scene->verdict);
    if (scene->problem)
        report_verdict(report, group, GRADE_FAILED, "%s", scene->problem);
    if (scene->step)
        report_step(report, group, scene->step, NULL);
    if (scene->latest > 0) {
        report_time(report, group, "latest moment", scene->latest);
        report_since(report, group, "would be lost", scene->lost, scene->latest);
    }
    if (scene->command)
        report_step(report, group,
                    "Restore to that moment, with PostgreSQL stopped and its data directory empty:",
                    scene->command);
    add_events(report, group, scene);
    return report;
}

static struct page_target leader(const char *name, const struct scene *scene)
{
    struct page_target target =
        target_that_ran("main", "restorability", name, restorability(scene));
    target.leads = true;
    return target;
}

static struct page_target simple(const char *group, const char *collector, const char *name,
                                 enum grade grade, const char *verdict)
{
    struct report *report = new_report();
    report_verdict(report, NULL, grade, "%s", verdict);
    return target_that_ran(group, collector, name, report);
}

static struct page example(const struct page_target *targets, size_t target_count)
{
    return (struct page){.program = "pgbackup_exporter",
                         .version = "1.2.3",
                         .host = "forge.example.net",
                         .metrics_path = "/metrics",
                         .group_noun = "Stanza",
                         .now = NOW,
                         .targets = targets,
                         .target_count = target_count};
}

static char *read_file(const char *path)
{
    struct strbuf text = {0};
    char piece[4096];
    size_t length;
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s cannot be opened", path);
    while ((length = fread(piece, 1, sizeof piece, file)) > 0)
        strbuf_add(&text, piece, length);
    fclose(file);
    return strbuf_steal(&text);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void expect_golden(const char *path, const struct page *page)
{
    struct strbuf out = {0};
    page_render(&out, page);
    if (getenv("UPDATE_GOLDEN"))
        write_file(path, strbuf_text(&out));
    char *wanted = read_file(path);
    cr_expect_str_eq(strbuf_text(&out), wanted, "%s differs", path);
    free(wanted);
    strbuf_done(&out);
}

#define RESTORE_NAS "sudo -u postgres pgbackrest --stanza=main --repo=1 restore"
#define RESTORE_R2                                                                                 \
    "sudo -u postgres pgbackup_exporter run --stanza=main --repo=2 -- restore --type=immediate "   \
    "--target-action=promote"

static const struct scene nas_sound = {
    .title = "Restore from repository 1 (nas)",
    .grade = GRADE_PROVEN,
    .verdict = "PROVEN (drill 2026-11-19 20:30 UTC, 41 min), restorable from 2026-11-02 02:30 UTC "
               "to 2026-11-22 20:29 UTC",
    .latest = NOW - 42,
    .lost = "0.4 MiB of WAL, written since",
    .command = RESTORE_NAS,
    .every = DAY / 2,
    .newest = NOW - 3 * HOUR,
    .window = NOW - 20 * DAY,
    .drilled = NOW - 3 * DAY,
};

static const struct scene r2_points = {
    .title = "Restore from repository 2 (r2)",
    .grade = GRADE_OK,
    .verdict = "looks restorable only to the end of a backup, 2026-11-22 14:30 UTC (nothing "
               "missing; not drilled)",
    .latest = NOW - 6 * HOUR,
    .lost = "all that was written since that backup ended,",
    .command = RESTORE_R2,
    .every = DAY,
    .newest = NOW - 6 * HOUR,
};

static const struct scene r2_broken = {
    .title = "Restore from repository 2 (r2)",
    .grade = GRADE_FAILED,
    .verdict = "NOT restorable: backup 20261122-023000F needs WAL 00000001000000A200000042, which "
               "is not in this repository",
    .step = "Let archive_command push WAL to this repository, too.",
    .every = DAY,
    .newest = NOW - 6 * HOUR,
    .broken = 1,
};

static const struct scene nas_gap = {
    .title = "Restore from repository 1 (nas)",
    .grade = GRADE_OK,
    .verdict = "looks restorable from 2026-11-02 20:30 UTC to 2026-11-22 19:40 UTC (nothing "
               "missing until then; last drill 2026-11-19 20:30 UTC)",
    .problem = "3 WAL segments are missing behind the newest backup: a restore ends there without "
               "an error",
    .step = "Take a backup now: it begins a window without the gap.",
    .latest = NOW - 50 * MINUTE,
    .lost = "112.0 MiB of WAL, written since",
    .command = RESTORE_NAS,
    .every = DAY / 2,
    .newest = NOW - 3 * HOUR,
    .window = NOW - 20 * DAY,
    .gap = NOW - 4 * MINUTE,
    .drilled = NOW - 3 * DAY,
};

static const struct scene nas_unknown = {
    .title = "Restore from repository 1 (nas)",
    .grade = GRADE_UNKNOWN,
    .verdict = "unknown since 2026-11-22 17:30 UTC, last known: PROVEN (drill 2026-11-19 20:30 "
               "UTC, 41 min), restorable from 2026-11-02 02:30 UTC to 2026-11-22 17:29 UTC",
    .latest = NOW - 3 * HOUR,
    .lost = "3391.5 MiB of WAL, written since",
    .command = RESTORE_NAS,
    .every = DAY / 2,
    .newest = NOW - 9 * HOUR,
    .window = NOW - 20 * DAY,
    .drilled = NOW - 3 * DAY,
};

static struct page_target archiving(void)
{
    return simple("main", "archiver", "main", GRADE_OK, "archiving works");
}

static struct page_target mounted(void)
{
    return simple("", "mount", "/mnt/nas-postgresql", GRADE_OK,
                  "mounted and responding: 812 GiB of 3.6 TiB available");
}

static struct page_target repositories_read(void)
{
    struct page_target target = simple("main", "verdict", "main", GRADE_OK,
                                       "2 of 2 repositories can be read and hold backups");
    target.leads = true;
    return target;
}

Test(page_timeline, golden_when_all_is_well)
{
    struct page_target targets[] = {archiving(), mounted(), leader("main/repo1", &nas_sound),
                                    leader("main/repo2", &r2_points), repositories_read()};
    struct page page = example(targets, COUNT_OF(targets));
    expect_golden("tests/golden/page_sound.html", &page);
}

Test(page_timeline, golden_when_one_repository_is_not_restorable)
{
    struct page_target targets[] = {archiving(), mounted(), leader("main/repo1", &nas_sound),
                                    leader("main/repo2", &r2_broken), repositories_read()};
    struct page page = example(targets, COUNT_OF(targets));
    expect_golden("tests/golden/page_not_restorable.html", &page);
}

Test(page_timeline, golden_with_a_gap_behind_the_newest_backup)
{
    struct page_target targets[] = {archiving(), mounted(), leader("main/repo1", &nas_gap),
                                    leader("main/repo2", &r2_points), repositories_read()};
    struct page page = example(targets, COUNT_OF(targets));
    expect_golden("tests/golden/page_gap.html", &page);
}

/* The server of the mount is silent: archiving fails, the repository cannot be looked into. */
static size_t outage(struct page_target *targets, const struct scene *nas, const struct scene *r2)
{
    static const char error[] =
        "pgbackrest info for repo1 took over 60000 ms\n"
        "P00   WARN: unable to open '/mnt/nas-postgresql/pgbackrest/backup/main/backup.info': "
        "[5] Input/output error";
    size_t count = 0;
    targets[count++] = simple("main", "archiver", "main", GRADE_FAILED,
                              "failing: the newest event is a failure, since 2026-11-22 17:30 UTC");
    targets[count] = simple("main", "backups", "main/repo1", GRADE_OK, "readable");
    targets[count].last_good_report = targets[count].report;
    targets[count].last_good_at = NOW - 3 * HOUR;
    targets[count].report = NULL;
    targets[count].outcome = RUN_FAILED;
    targets[count].failures = 180;
    targets[count].running_s = 12;
    targets[count++].error = error;
    targets[count++] = simple("", "mount", "/mnt/nas-postgresql", GRADE_FAILED,
                              "does NOT respond since 2026-11-22 17:30 UTC: statfs did not answer "
                              "within 5 s");
    targets[count++] = leader("main/repo1", nas);
    targets[count++] = leader("main/repo2", r2);
    return count;
}

Test(page_timeline, golden_in_an_outage_of_the_mount)
{
    struct page_target targets[8];
    size_t count = outage(targets, &nas_unknown, &r2_points);
    struct page page = example(targets, count);
    expect_golden("tests/golden/page_outage.html", &page);
}

Test(page_timeline, golden_when_both_repositories_are_bad)
{
    static const char *const notices[] = {
        "the configuration was not taken over at 20:14 UTC: line 12, column 3: unknown key "
        "\"objectivs\"; the one before it is still in use",
        NULL};
    struct page_target targets[8];
    size_t count = outage(targets, &nas_unknown, &r2_broken);
    struct page page = example(targets, count);
    page.notices = notices;
    expect_golden("tests/golden/page_trouble.html", &page);
}

Test(page_timeline, golden_at_the_first_start)
{
    static const char *const collectors[] = {"archiver", "backups", "wal", "restorability"};
    struct page_target targets[COUNT_OF(collectors)];
    for (size_t i = 0; i < COUNT_OF(collectors); i++)
        targets[i] = (struct page_target){.group = "main",
                                          .collector = collectors[i],
                                          .target = i == 0 ? "main" : "main/repo1",
                                          .running_s = 0.4};
    struct page page = example(targets, COUNT_OF(targets));
    expect_golden("tests/golden/page_first_start.html", &page);
}

Test(page_timeline, golden_when_nothing_is_configured)
{
    static const char *const notices[] = {
        "No stanza is configured: /etc/pgbackrest.conf has no section for one and no other "
        "configuration names one. Nothing is watched. Add a section such as [main] with "
        "pg1-path=... to it, or name the stanzas in the exporter's own file.",
        NULL};
    struct page page = example(NULL, 0);
    page.notices = notices;
    expect_golden("tests/golden/page_empty.html", &page);
}
