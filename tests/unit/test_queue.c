#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/queue.h"
#include "collectors/queue_growth.h"
#include "collectors/queue_report.h"
#include "exporter/schedule/collector.h"

#define TEXT_OF(text) ((char *)(uintptr_t)(text))

extern const struct collector collector_queue;

static struct probe_folder *spool;
static struct report *report;

static void set_up(void)
{
    spool = calloc(1, sizeof *spool);
    report = report_new();
}

static void tear_down(void)
{
    free(spool);
    report_free(report);
}

TestSuite(queue, .init = set_up, .fini = tear_down);

static void file(const char *name, const char *text)
{
    snprintf(spool->names[spool->name_count], PROBE_NAME_SIZE, "%s", name);
    if (text) {
        struct probe_text *added = &spool->texts[spool->text_count++];
        added->name = spool->name_count;
        snprintf(added->text, PROBE_TEXT_SIZE, "%s", text);
    }
    spool->name_count++;
    spool->count++;
}

Test(queue, an_empty_spool_has_no_failing_segment)
{
    cr_expect_eq(queue_failing(spool, 1, 9), 0);
}

Test(queue, segments_fail_for_the_repositories_that_their_errors_name)
{
    file("00000001000000000000000A.error", "103\nx:\nrepo1: [FileOpenError] no");
    file("00000001000000000000000B.error", "103\nx:\nrepo1: no\nrepo2: no");
    file("00000001000000000000000C.ok", NULL);
    cr_expect_eq(queue_failing(spool, 1, 9), 2);
    cr_expect_eq(queue_failing(spool, 2, 9), 1);
    cr_expect_eq(queue_failing(spool, 3, 9), 0);
}

Test(queue, an_error_that_names_none_or_was_not_read_may_be_of_any)
{
    file("00000001000000000000000A.error", "62\nstop file exists for stanza main");
    file("00000001000000000000000B.error", NULL);
    cr_expect_eq(queue_failing(spool, 1, 9), 2);
}

Test(queue, a_global_error_stands_for_all_that_waits)
{
    file("global.error", "103\nunable to find a valid repository:\nrepo1: no");
    cr_expect_eq(queue_failing(spool, 1, 9), 9);
    cr_expect_eq(queue_failing(spool, 2, 9), 0);
    cr_expect_eq(queue_failing(spool, 1, 0), 1, "what waits is not known");
}

static struct queue_observation waiting = {
    .runs = true, .may_look = true, .files = 3, .bytes = 48 << 20, .oldest_at = 1000};

static struct queue_options options;
static struct queue_drops drops;

static struct queue_view view_of(const struct queue_observation *seen)
{
    return (struct queue_view){.seen = seen,
                               .options = &options,
                               .drops = &drops,
                               .now = 5000,
                               .has_room = true,
                               .size_bytes = (uint64_t)1 << 30,
                               .avail_bytes = (uint64_t)1 << 29};
}

static enum grade grade_of(const struct queue_view *view)
{
    queue_report(report, view);
    return report_worst(report->root);
}

Test(queue, what_waits_is_no_finding_by_itself)
{
    struct queue_view view = view_of(&waiting);
    cr_expect_eq(grade_of(&view), GRADE_NONE);
}

Test(queue, half_of_the_limit_is_a_failure_while_it_grows)
{
    struct queue_view view = view_of(&waiting);
    view.pace = 1;
    options.queue_max = 96 << 20;
    cr_expect_eq(grade_of(&view), GRADE_FAILED);
}

Test(queue, less_than_half_of_it_is_none)
{
    struct queue_view view = view_of(&waiting);
    options.queue_max = 98 << 20;
    cr_expect_eq(grade_of(&view), GRADE_NONE);
}

Test(queue, half_of_the_limit_is_a_warning_while_it_drains)
{
    struct queue_view view = view_of(&waiting);
    options.queue_max = 96 << 20;
    cr_expect_eq(grade_of(&view), GRADE_WARNING);
}

/* The item of that kind and title in the one group; NULL: there is none. */
static const struct report_item *item(enum report_kind kind, const char *title)
{
    const struct report_item *group = report->root->children[0];
    for (size_t i = 0; i < group->child_count; i++) {
        const struct report_item *child = group->children[i];
        if (child->kind == kind && (!title || strcmp(child->title, title) == 0))
            return child;
    }
    return NULL;
}

Test(queue, tells_when_the_limit_is_reached_at_this_pace)
{
    struct queue_view view = view_of(&waiting);
    options.queue_max = 148 << 20;
    view.pace = 1 << 20;
    queue_report(report, &view);
    const struct report_item *at = item(REPORT_FACT, "WAL will be dropped, at this pace, from");
    cr_assert(at);
    cr_expect_eq(at->time, 5100);
}

Test(queue, a_limit_that_is_exceeded_is_reached_now)
{
    struct queue_view view = view_of(&waiting);
    options.queue_max = 32 << 20;
    view.pace = 1;
    queue_report(report, &view);
    cr_expect_eq(item(REPORT_FACT, "WAL will be dropped, at this pace, from")->time, 5000);
}

Test(queue, a_limit_that_is_not_neared_is_reached_never)
{
    struct queue_view view = view_of(&waiting);
    options.queue_max = 148 << 20;
    queue_report(report, &view);
    cr_expect_null(item(REPORT_FACT, "WAL will be dropped, at this pace, from"));
}

Test(queue, dropped_wal_is_a_failure_and_asks_for_a_backup)
{
    struct queue_view view = view_of(&waiting);
    drops = (struct queue_drops){.count = 1, .last_at = 4000};
    cr_expect_eq(grade_of(&view), GRADE_FAILED);
    cr_expect(strstr(item(REPORT_STEP, NULL)->text, "take a backup"));
}

Test(queue, wal_dropped_long_ago_is_told_and_judged_by_others)
{
    struct queue_view view = view_of(&waiting);
    drops = (struct queue_drops){.count = 7, .last_at = 1000};
    cr_expect_eq(grade_of(&view), GRADE_NONE);
    cr_expect(item(REPORT_FACT, "dropped since the exporter began"));
}

Test(queue, another_configuration_of_archive_command_is_told)
{
    struct queue_view view = view_of(&waiting);
    options.other_config = TEXT_OF("/other.conf");
    queue_report(report, &view);
    cr_expect(strstr(item(REPORT_FACT, "archive-push-queue-max")->text, "/other.conf"));
}

Test(queue, a_server_elsewhere_has_its_room_elsewhere)
{
    struct queue_view view = view_of(&waiting);
    view.has_room = false;
    view.is_elsewhere = true;
    queue_report(report, &view);
    cr_expect(strstr(item(REPORT_FACT, "room for pg_wal")->text, "another host"));
}

Test(queue, a_disk_that_is_nearly_full_is_a_warning)
{
    struct queue_view view = view_of(&waiting);
    view.avail_bytes = view.size_bytes / 100 * 9;
    cr_expect_eq(grade_of(&view), GRADE_WARNING);
}

Test(queue, a_right_that_is_missing_is_not_known_and_names_the_right)
{
    static const struct err hidden = {.code = ERR_PERMISSION, .text = "permission denied"};
    struct queue_view view = view_of(&waiting);
    view.hidden = &hidden;
    cr_expect_eq(grade_of(&view), GRADE_UNKNOWN);
    cr_expect(strstr(report->root->children[0]->children[0]->text, "pg_monitor"));
}

Test(queue, a_server_that_is_down_is_not_known)
{
    struct queue_view view = view_of(NULL);
    cr_expect_eq(grade_of(&view), GRADE_UNKNOWN);
}

Test(queue, what_pgbackrest_wrote_is_shown)
{
    struct queue_view view = view_of(&waiting);
    file("global.error", "103\nno");
    file("00000001000000000000000A.ok", "0\nWARN");
    queue_view_errors(&view, spool);
    cr_expect_str_eq(strbuf_text(&view.errors), "global.error: 103\nno");
    cr_expect_eq(grade_of(&view), GRADE_WARNING);
    queue_view_done(&view);
}

static struct target only_target(const char *conf, const char *conninfo)
{
    struct settings settings = {0};
    struct stanza stanza = {.name = TEXT_OF("main"), .conninfo = TEXT_OF(conninfo)};
    struct target_list list = {0};
    struct target target = {0};
    struct err err = {0};
    cr_assert(pgbackrest_conf_parse(&settings.conf, "c", conf, strlen(conf), &err), "%s", err.text);
    settings.stanzas = &stanza;
    settings.stanza_count = 1;
    cr_assert(collector_queue.targets(&settings, &list, &err));
    if (list.count == 1) {
        target = list.items[0];
        list.count = 0;
    }
    target_list_done(&list);
    pgbackrest_conf_done(&settings.conf);
    return target;
}

Test(queue, a_repository_host_has_no_queue)
{
    struct target target = only_target("[main]\n", NULL);
    cr_expect_null(target.name);
}

Test(queue, another_limit_of_archive_push_is_another_target)
{
    struct target one = only_target("[global]\narchive-push-queue-max=1GB\n[main]\n", "host=/x");
    struct target same = only_target("[main]\narchive-push-queue-max=1GB\n", "host=/x");
    struct target other = only_target(
        "[global]\narchive-push-queue-max=1GB\n[global:archive-push]\narchive-push-queue-max=2GB\n",
        "host=/x");
    cr_expect(target_is_same(&one, &same));
    cr_expect_not(target_is_same(&one, &other));
    target_done(&one);
    target_done(&same);
    target_done(&other);
}

Test(queue, an_option_is_read_as_archive_push_reads_it)
{
    static const char conf[] = "[global]\nspool-path=/a\narchive-async=y\n"
                               "[global:archive-push]\nspool-path=/b\n"
                               "[global:info]\nspool-path=/wrong\n"
                               "[main]\nlog-path=/l\n[main:archive-push]\narchive-async=n\n";
    struct settings settings = {0};
    struct err err = {0};
    cr_assert(pgbackrest_conf_parse(&settings.conf, "c", conf, strlen(conf), &err));
    cr_expect_str_eq(discover_option(&settings, "main", "archive-push", "spool-path"), "/b");
    cr_expect_str_eq(discover_option(&settings, "main", "archive-push", "archive-async"), "n");
    cr_expect_str_eq(discover_option(&settings, "main", "archive-push", "log-path"), "/l");
    cr_expect_str_eq(discover_option(&settings, "other", "archive-push", "archive-async"), "y");
    cr_expect_null(discover_option(&settings, "main", "archive-push", "lock-path"));
    pgbackrest_conf_done(&settings.conf);
}

/* ---- drops ---- */

static void found(struct queue_drops *known, double now, ...)
{
    struct text_list names = {0};
    struct err err = {0};
    va_list list;
    va_start(list, now);
    for (const char *name; (name = va_arg(list, const char *));)
        cr_assert(text_list_add(&names, name, &err));
    va_end(list);
    cr_assert(queue_drops_add(known, &names, now, &err));
    text_list_done(&names);
}

#define NOTHING ((const char *)NULL)

Test(queue_drops, what_was_dropped_before_the_first_look_is_not_counted)
{
    struct queue_drops known = {0};
    found(&known, 10, "A", "B", NOTHING);
    found(&known, 20, "A", "B", NOTHING);
    cr_expect_eq(known.count, 0);
    cr_expect_eq(known.last_at, 0);
    queue_drops_done(&known);
}

Test(queue_drops, each_segment_is_counted_once_however_often_it_is_found)
{
    struct queue_drops known = {0};
    found(&known, 10, NOTHING);
    found(&known, 20, "A", NOTHING);
    found(&known, 30, "A", "B", "A", NOTHING);
    found(&known, 40, "B", NOTHING);
    cr_expect_eq(known.count, 2);
    cr_expect_eq(known.last_at, 30);
    queue_drops_done(&known);
}

Test(queue_drops, the_oldest_names_are_forgotten_and_the_count_is_kept)
{
    struct queue_drops known = {0};
    char name[32];
    found(&known, 10, NOTHING);
    for (int i = 0; i < QUEUE_DROPS_MAX + 1; i++) {
        snprintf(name, sizeof name, "%d", i);
        found(&known, 20, name, NOTHING);
    }
    cr_expect_eq(known.count, QUEUE_DROPS_MAX + 1);
    cr_expect_eq(known.known.count, QUEUE_DROPS_MAX / 2 + 1);
    found(&known, 30, name, NOTHING);
    cr_expect_eq(known.count, QUEUE_DROPS_MAX + 1, "the newest are remembered");
    queue_drops_done(&known);
}

/* ---- growth ---- */

Test(queue_growth, one_look_tells_no_pace)
{
    struct queue_growth growth = {0};
    queue_growth_add(&growth, 1000, 500);
    cr_expect_eq(queue_growth_pace(&growth), 0);
}

Test(queue_growth, the_pace_is_that_since_it_began_to_grow)
{
    struct queue_growth growth = {0};
    queue_growth_add(&growth, 1000, 500);
    queue_growth_add(&growth, 1010, 500);
    queue_growth_add(&growth, 1100, 700);
    cr_expect_eq(queue_growth_pace(&growth), 2);
}

Test(queue_growth, a_queue_that_drains_has_none_and_begins_anew)
{
    struct queue_growth growth = {0};
    queue_growth_add(&growth, 1000, 500);
    queue_growth_add(&growth, 1100, 900);
    queue_growth_add(&growth, 1200, 800);
    cr_expect_eq(queue_growth_pace(&growth), 0);
    queue_growth_add(&growth, 1300, 900);
    cr_expect_eq(queue_growth_pace(&growth), 1);
}

Test(queue_growth, a_clock_set_back_begins_anew)
{
    struct queue_growth growth = {0};
    queue_growth_add(&growth, 1000, 500);
    queue_growth_add(&growth, 900, 900);
    cr_expect_eq(queue_growth_pace(&growth), 0);
}

Test(queue_growth, what_is_long_ago_counts_no_more)
{
    struct queue_growth growth = {0};
    for (int minute = 0; minute <= 30; minute++)
        queue_growth_add(&growth, 1000 + 60 * minute, 6000 * (uint64_t)minute);
    for (int minute = 31; minute <= 60; minute++)
        queue_growth_add(&growth, 1000 + 60 * minute, 6000 * 30);
    cr_expect_eq(queue_growth_pace(&growth), 0);
}

/* ---- options ---- */

struct given {
    const char *conf, *command;
    const char *variables[4];
    const char *our_config; /* NULL: the default one */
};

static void read_options(const struct given *given, struct queue_options *ret)
{
    struct settings settings = {.pgbackrest.config = TEXT_OF("/etc/pgbackrest.conf")};
    struct stanza stanza = {.name = TEXT_OF("main"), .pgbackrest_config = given->our_config};
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct server_environment environment CLEANUP(server_environment_done) = {0};
    struct queue_sources sources = {.settings = &settings, .stanza = &stanza};
    struct err err = {0};
    cr_assert(pgbackrest_conf_parse(&settings.conf, "c", given->conf, strlen(given->conf), &err));
    if (given->command) {
        cr_assert(archive_command_parse(given->command, &command, &err), "%s", err.text);
        sources.command = &command;
    }
    for (size_t i = 0; given->variables[i]; i++) {
        cr_assert(text_list_add(&environment.variables, given->variables[i], &err));
        sources.environment = &environment;
    }
    cr_assert(queue_options_read(&sources, ret, &err));
    pgbackrest_conf_done(&settings.conf);
}

#define PUSH "pgbackrest --stanza=main archive-push %p"

Test(queue_options, without_archive_async_there_is_no_spool_to_read)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    read_options(&(struct given){.conf = "[global]\narchive-push-queue-max=1GB\n"}, &read);
    cr_expect_eq(read.queue_max, (uint64_t)1 << 30);
    cr_expect_null(read.spool);
    cr_expect_null(read.log);
}

Test(queue_options, the_spool_and_the_log_are_where_pgbackrest_has_them_by_default)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    read_options(&(struct given){.conf = "[main]\narchive-async=y\narchive-push-queue-max=1GB\n"},
                 &read);
    cr_expect_str_eq(read.spool, "/var/spool/pgbackrest/archive/main/out");
    cr_expect_str_eq(read.log, "/var/log/pgbackrest/main-archive-push-async.log");
}

Test(queue_options, without_a_limit_nothing_is_dropped_and_no_log_is_read)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    read_options(&(struct given){.conf = "[main]\narchive-async=y\nspool-path=/s\n"}, &read);
    cr_expect_eq(read.queue_max, 0);
    cr_expect_str_eq(read.spool, "/s/archive/main/out");
    cr_expect_null(read.log);
}

Test(queue_options, the_command_line_counts_before_the_environment_and_that_before_the_file)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    read_options(
        &(struct given){
            .conf = "[global]\narchive-async=y\narchive-push-queue-max=1\nspool-path=/file\n"
                    "log-path=/file\n",
            .command = "pgbackrest --stanza=main --archive-push-queue-max=3 archive-push %p",
            .variables = {"PGBACKREST_ARCHIVE_PUSH_QUEUE_MAX=2", "PGBACKREST_SPOOL_PATH=/variable"},
        },
        &read);
    cr_expect_eq(read.queue_max, 3);
    cr_expect_str_eq(read.spool, "/variable/archive/main/out");
    cr_expect_str_eq(read.log, "/file/main-archive-push-async.log");
}

Test(queue_options, archive_command_may_switch_archive_async_on_and_off)
{
    struct queue_options on CLEANUP(queue_options_done) = {0};
    struct queue_options off CLEANUP(queue_options_done) = {0};
    read_options(
        &(struct given){.conf = "[global]\n",
                        .command = "pgbackrest --archive-async --stanza=main archive-push %p"},
        &on);
    read_options(
        &(struct given){.conf = "[global]\narchive-async=y\n",
                        .command = "pgbackrest --no-archive-async --stanza=main archive-push %p"},
        &off);
    cr_expect(on.spool);
    cr_expect_null(off.spool);
}

Test(queue_options, of_another_configuration_file_nothing_is_known)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    read_options(&(struct given){.conf = "[global]\narchive-push-queue-max=1GB\n",
                                 .command = "pgbackrest --config=/x --stanza=main archive-push %p"},
                 &read);
    cr_expect_str_eq(read.other_config, "/x");
    cr_expect_eq(read.queue_max, 0);
}

Test(queue_options, the_environment_may_name_another_configuration_file)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    read_options(&(struct given){.conf = "[global]\n",
                                 .variables = {"PGBACKREST_CONFIG=/etc/pgbackrest.conf"}},
                 &read);
    cr_expect_null(read.other_config, "it is ours");
    read_options(&(struct given){.conf = "[global]\n", .variables = {"PGBACKREST_CONFIG=/x"}},
                 &read);
    cr_expect_str_eq(read.other_config, "/x");
}

Test(queue_options, an_archive_command_that_names_no_file_reads_the_default_one)
{
    struct queue_options read CLEANUP(queue_options_done) = {0};
    struct given given = {.conf = "[global]\n",
                          .command = PUSH,
                          .variables = {"PGBACKREST_SPOOL_PATH=/x"},
                          .our_config = "/etc/pgbackrest.conf"};
    read_options(&given, &read);
    cr_expect_null(read.other_config);
    given.our_config = "/ours.conf";
    read_options(&given, &read);
    cr_expect(read.other_config);
}
