#include "exporter/web/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"
#include "exporter/sources/json.h"
#include "tests/unit/page_fixture.h"

static struct report *report;
static struct strbuf out;

static void begin(void)
{
    report = new_report();
}

static void end(void)
{
    free_reports();
    strbuf_done(&out);
}

TestSuite(api, .init = begin, .fini = end);

static struct page_target target_of(const char *group)
{
    return target_that_ran(group, "wal", "main/repo1", report);
}

static const char *render(const struct page_target *targets, size_t count, const char *only)
{
    api_render(&out, &(struct page){.program = "pgbackup_exporter",
                                    .version = "1.2.3",
                                    .only = only,
                                    .now = NOW,
                                    .targets = targets,
                                    .target_count = count});
    cr_assert_not(out.failed);
    return strbuf_text(&out);
}

static void expect(struct page_target target, const char *part)
{
    const char *json = render(&target, 1, NULL);
    cr_expect(strstr(json, part), "%s is not in\n%s", part, json);
}

Test(api, nothing_watched_is_unknown)
{
    cr_expect_str_eq(render(NULL, 0, NULL),
                     "{\"program\":\"pgbackup_exporter\",\"version\":\"1.2.3\","
                     "\"time\":\"2026-11-22T20:30:00Z\",\"grade\":\"unknown\",\"notices\":[],"
                     "\"targets\":[]}\n");
}

Test(api, a_sound_target_is_told_with_its_report)
{
    report_verdict(report, NULL, GRADE_OK, "no gap");
    expect(target_of("main"),
           "{\"stanza\":\"main\",\"collector\":\"wal\",\"target\":\"main/repo1\",\"state\":\"ok\","
           "\"grade\":\"ok\",\"looked_at\":\"2026-11-22T20:29:55Z\",\"duration_seconds\":0.032,"
           "\"failures\":0,\"report\":[{\"kind\":\"verdict\",\"grade\":\"ok\",\"text\":\"no gap\"}]"
           "}");
}

Test(api, what_belongs_to_no_stanza_says_so)
{
    expect(target_of(""), "{\"stanza\":null,");
}

Test(api, a_failed_look_keeps_what_was_known_apart)
{
    struct page_target target = target_of("main");
    report_verdict(report, NULL, GRADE_PROVEN, "PROVEN");
    target.outcome = RUN_FAILED;
    target.error = "took over 60000 ms";
    target.report = NULL;
    target.last_good_report = report;
    target.last_good_at = NOW - 3600;
    expect(target,
           "\"state\":\"failed\",\"grade\":\"unknown\",\"error\":\"took over 60000 ms\","
           "\"looked_at\":\"2026-11-22T20:29:55Z\",\"duration_seconds\":0.032,\"failures\":0,"
           "\"last_known\":{\"time\":\"2026-11-22T19:30:00Z\",\"report\":[{");
}

Test(api, every_kind_of_item_is_told)
{
    struct report_item *group = report_group(report, NULL, "a group");
    report_time(report, group, "a time", NOW);
    report_since(report, group, "lost", "all since", NOW);
    report_event(report, group, "full", "label", NOW - 60, NOW);
    report_step(report, group, "do this", "command");
    report_detail(report, group, "last error", "line\nline");
    expect(target_of("main"),
           "[{\"kind\":\"group\",\"grade\":\"none\",\"title\":\"a group\",\"items\":["
           "{\"kind\":\"fact\",\"title\":\"a time\",\"time\":\"2026-11-22T20:30:00Z\"},"
           "{\"kind\":\"fact\",\"title\":\"lost\",\"text\":\"all since\",\"time\":"
           "\"2026-11-22T20:30:00Z\"},"
           "{\"kind\":\"event\",\"title\":\"full\",\"text\":\"label\",\"time\":"
           "\"2026-11-22T20:29:00Z\",\"end\":\"2026-11-22T20:30:00Z\"},"
           "{\"kind\":\"step\",\"text\":\"do this\",\"command\":\"command\"},"
           "{\"kind\":\"detail\",\"title\":\"last error\",\"text\":\"line\\nline\"}]}]");
}

Test(api, of_one_stanza_nothing_is_told_of_another)
{
    struct page_target targets[] = {target_of("main"), target_of("other"), target_of("")};
    const char *json = render(targets, COUNT_OF(targets), "other");
    cr_expect_not(strstr(json, "\"stanza\":\"main\""));
    cr_expect(strstr(json, "\"stanza\":\"other\"") && strstr(json, "\"stanza\":null"));
}

Test(api, a_stanza_that_nobody_watches_is_unknown_however_good_the_rest_is)
{
    struct page_target target = target_of("");
    report_verdict(report, NULL, GRADE_OK, "mounted");
    cr_expect(strstr(render(&target, 1, "typo"), "Z\",\"grade\":\"unknown\""), "%s",
              strbuf_text(&out));
}

Test(api, an_empty_name_is_no_stanza_s)
{
    struct page_target target = target_of("");
    report_verdict(report, NULL, GRADE_OK, "mounted");
    cr_expect(strstr(render(&target, 1, ""), "Z\",\"grade\":\"unknown\""), "%s", strbuf_text(&out));
}

Test(api, hostile_texts_leave_it_well_formed)
{
    static const char hostile[] = "\"},{\\ \x1b[2J\xff</script>\n\t\xe2\x80\xae";
    struct json_t *root CLEANUP(json_freep) = NULL;
    struct err err;
    report_verdict(report, NULL, GRADE_FAILED, "%s", hostile);
    report_step(report, NULL, hostile, hostile);
    struct page_target target = target_of(hostile);
    target.collector = target.target = target.error = hostile;
    const char *json = render(&target, 1, NULL);
    cr_expect(json_parse(json, out.length, &root, &err), "%s", err.text);
    cr_expect_not(strchr(json, '\x1b'));
    cr_expect_not(strchr(json, '\xff'));
}

Test(api, of_very_many_targets_only_the_verdicts_are_told_unless_one_stanza_is_asked_for)
{
    static struct page_target targets[501];
    report_verdict(report, NULL, GRADE_OK, "no gap");
    report_fact(report, NULL, "WAL segments", "7");
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        targets[i] = target_of("main");
    cr_expect_not(strstr(render(targets, COUNT_OF(targets), NULL), "\"fact\""));
    cr_expect(strstr(strbuf_text(&out), "no gap"));
    cr_expect(strstr(render(targets, COUNT_OF(targets), "main"), "\"fact\""));
}
