#include "collectors/backups_objectives.h"

#include <criterion/criterion.h>
#include <string.h>

#include "exporter/base/strbuf.h"

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

#define HOUR 3600

/* 2026-07-02 05:00 UTC. */
static const double now = 1782968400;

static struct stanza stanza = {.name = TEXT_OF("main")};

/* Verdicts, steps and facts of a group as lines: "warning late: ...", "> command", "title: ...". */
static char *lines_of(const struct report_item *root)
{
    struct strbuf lines = {0};
    for (size_t i = 0; i < root->child_count; i++) {
        const struct report_item *item = root->children[i];
        if (item->kind == REPORT_VERDICT)
            strbuf_printf(&lines, "%s %s\n", grade_name(item->grade), item->text);
        if (item->kind == REPORT_STEP)
            strbuf_printf(&lines, "> %s\n", item->command ? item->command : item->text);
        if (item->kind == REPORT_FACT)
            strbuf_printf(&lines, "%s: %s\n", item->title, item->text);
    }
    strbuf_puts(&lines, "");
    char *text = strdup(strbuf_text(&lines));
    strbuf_done(&lines);
    return text;
}

static struct stanza_repository repository_of(const struct repository_settings *settings)
{
    return (struct stanza_repository){.stanza = &stanza,
                                      .key = 1,
                                      .name = TEXT_OF("nas"),
                                      .settings = settings,
                                      .in_pgbackrest_conf = true};
}

/* Backups that ended so many seconds ago; a negative age: there is none of that type. */
static void expect_judged(struct objectives promised, const double ages[BACKUP_TYPE_COUNT],
                          const char *expected)
{
    struct repository_settings settings = {.objectives = promised};
    struct stanza_repository repository = repository_of(&settings);
    struct info_backup backups[BACKUP_TYPE_COUNT] = {0};
    struct backup_summary summary = {0};
    for (size_t type = 0; type < BACKUP_TYPE_COUNT; type++) {
        if (ages[type] < 0)
            continue;
        backups[type].stop = (int64_t)(now - ages[type]);
        summary.newest[type] = &backups[type];
        if (!summary.latest || backups[type].stop > summary.latest->stop)
            summary.latest = &backups[type];
    }
    struct report *report = report_new();
    backups_objectives_judge(report, NULL, &repository, &summary, now);
    char *lines = lines_of(report->root);
    cr_expect_str_eq(lines, expected);
    free(lines);
    report_free(report);
}

#define AGES(...) ((const double[BACKUP_TYPE_COUNT]){__VA_ARGS__})
#define TAKE_FULL "> sudo -u postgres pgbackrest --stanza=main --repo=1 backup --type=full\n"
#define TAKE_DIFF "> sudo -u postgres pgbackrest --stanza=main --repo=1 backup --type=diff\n"
#define TAKE_INCR "> sudo -u postgres pgbackrest --stanza=main --repo=1 backup --type=incr\n"

Test(backups_objectives, what_is_recent_enough_is_not_spoken_of)
{
    struct objectives promised = {.full = 27 * HOUR, .diff = 20 * HOUR, .incr = 2 * HOUR};
    expect_judged(promised, AGES(27 * HOUR, 20 * HOUR, 2 * HOUR), "");
}

Test(backups_objectives, beyond_the_objective_is_late_with_the_moment_and_the_objective)
{
    struct objectives promised = {.full = 27 * HOUR};
    expect_judged(
        promised, AGES(27 * HOUR + 1, -1, -1),
        "warning late: last full backup 2026-07-01 01:59 UTC, promised every 27h\n" TAKE_FULL);
}

Test(backups_objectives, beyond_twice_the_objective_is_too_old)
{
    struct objectives promised = {.full = 27 * HOUR};
    expect_judged(
        promised, AGES(54 * HOUR, -1, -1),
        "warning late: last full backup 2026-06-29 23:00 UTC, promised every 27h\n" TAKE_FULL);
    expect_judged(
        promised, AGES(54 * HOUR + 1, -1, -1),
        "failed too old: last full backup 2026-06-29 22:59 UTC, promised every 27h\n" TAKE_FULL);
}

Test(backups_objectives, a_backup_of_the_future_hides_what_is_late)
{
    struct objectives promised = {.incr = HOUR};
    struct repository_settings settings = {.objectives = promised};
    struct stanza_repository repository = repository_of(&settings);
    struct info_backup backup = {.stop = (int64_t)now + 61};
    struct backup_summary summary = {.latest = &backup};
    struct report *report = report_new();
    backups_objectives_judge(report, NULL, &repository, &summary, now);
    backup.stop--; /* as far as two clocks may differ */
    backups_objectives_judge(report, NULL, &repository, &summary, now);
    char *lines = lines_of(report->root);
    cr_expect_str_eq(lines,
                     "warning its newest backup ends in the future (2026-07-02 05:01 UTC): a "
                     "clock is or was wrong, and whether backups are late cannot be told\n");
    free(lines);
    report_free(report);
}

Test(backups_objectives, a_full_backup_keeps_the_promise_of_a_differential_one)
{
    struct objectives promised = {.diff = 2 * HOUR};
    expect_judged(promised, AGES(HOUR, 9 * HOUR, -1), "");
    expect_judged(promised, AGES(HOUR, -1, -1), "");
    expect_judged(promised, AGES(9 * HOUR, HOUR, -1), "");
    expect_judged(promised, AGES(9 * HOUR, 3 * HOUR, HOUR),
                  "warning late: last diff or full backup 2026-07-02 02:00 UTC, promised every "
                  "2h\n" TAKE_DIFF);
}

Test(backups_objectives, any_backup_keeps_the_promise_of_an_incremental_one)
{
    struct objectives promised = {.incr = 2 * HOUR};
    expect_judged(promised, AGES(HOUR, -1, 9 * HOUR), "");
    expect_judged(promised, AGES(9 * HOUR, HOUR, -1), "");
    expect_judged(promised, AGES(9 * HOUR, 8 * HOUR, 3 * HOUR),
                  "warning late: last backup of any type 2026-07-02 02:00 UTC, promised every "
                  "2h\n" TAKE_INCR);
}

Test(backups_objectives, a_full_backup_makes_good_for_all_so_one_step_is_said)
{
    struct objectives promised = {.full = 10 * HOUR, .incr = HOUR};
    expect_judged(
        promised, AGES(11 * HOUR, -1, -1),
        "warning late: last full backup 2026-07-01 18:00 UTC, promised every 10h\n" TAKE_FULL
        "failed too old: last backup of any type 2026-07-01 18:00 UTC, promised every 1h\n");
}

Test(backups_objectives, what_is_not_there_at_all_is_not_called_late)
{
    struct objectives promised = {.full = HOUR, .diff = HOUR, .incr = HOUR};
    expect_judged(promised, AGES(-1, -1, -1), "");
}

Test(backups_objectives, without_objectives_nothing_is_late)
{
    expect_judged((struct objectives){0}, AGES(9000 * HOUR, -1, -1), "");
}

Test(backups_objectives, the_command_for_a_repository_of_our_own_goes_through_run)
{
    struct repository_settings settings = {.objectives = {.full = HOUR}};
    struct stanza_repository repository = repository_of(&settings);
    struct info_backup full = {.stop = (int64_t)now - 2 * HOUR};
    struct backup_summary summary = {.newest = {[BACKUP_FULL] = &full}, .latest = &full};
    struct report *report = report_new();
    repository.in_pgbackrest_conf = false;
    backups_objectives_judge(report, NULL, &repository, &summary, now);
    char *lines = lines_of(report->root);
    cr_expect(strstr(lines, "run --stanza=main --repo=1 -- backup --type=full"), "%s", lines);
    free(lines);
    report_free(report);
}

static void expect_told(const struct repository_settings *settings, const char *expected)
{
    struct stanza_repository repository = repository_of(settings);
    struct report *report = report_new();
    backups_objectives_tell(report, NULL, &repository);
    char *lines = lines_of(report->root);
    cr_expect_str_eq(lines, expected);
    free(lines);
    report_free(report);
}

Test(backups_objectives, what_is_promised_is_told_as_it_was_written)
{
    struct repository_settings settings = {.objectives = {.full = 27 * HOUR,
                                                          .diff = 90,
                                                          .incr = 1.5,
                                                          .recovery_point = 900,
                                                          .drill = 9 * 24 * HOUR,
                                                          .restore_time = 2 * HOUR}};
    expect_told(&settings, "promised: full 27h, diff 90s, incr 1.5s, recovery point 15m, drill 9d, "
                           "restore time 2h\n");
}

Test(backups_objectives, a_repository_without_promises_tells_none)
{
    static const struct repository_settings settings = {0};
    expect_told(&settings, "");
    expect_told(NULL, "");
}
