#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/queue.h"
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

static struct queue_view view_of(const struct queue_observation *seen)
{
    return (struct queue_view){.stanza = "main",
                               .seen = seen,
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

Test(queue, half_of_the_limit_is_a_failure)
{
    struct queue_view view = view_of(&waiting);
    view.queue_max = 96 << 20;
    cr_expect_eq(grade_of(&view), GRADE_FAILED);
}

Test(queue, less_than_half_of_it_is_none)
{
    struct queue_view view = view_of(&waiting);
    view.queue_max = 98 << 20;
    cr_expect_eq(grade_of(&view), GRADE_NONE);
}

Test(queue, dropped_wal_is_a_failure)
{
    struct queue_view view = view_of(&waiting);
    view.dropped = 1;
    cr_expect_eq(grade_of(&view), GRADE_FAILED);
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
