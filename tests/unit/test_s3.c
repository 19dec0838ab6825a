#include <criterion/criterion.h>
#include <string.h>

#include "collectors/s3_report.h"
#include "exporter/schedule/collector.h"

#define TEXT_OF(text) ((char *)(uintptr_t)(text))

extern const struct collector collector_s3;

static struct stanza_repository repositories[] = {
    {.key = 1, .name = TEXT_OF("nas"), .storage = "posix", .cipher = "none"},
    {.key = 2, .name = TEXT_OF("r2"), .storage = "s3", .cipher = "none"},
    {.key = 3, .name = TEXT_OF("gcs"), .storage = "gcs", .cipher = "none"},
};
static struct stanza stanza = {
    .name = TEXT_OF("main"), .repositories = repositories, .repository_count = 3};
static struct settings settings = {
    .stanzas = &stanza, .stanza_count = 1, .pgbackrest.command = TEXT_OF("/bin/pgbackrest")};

static void set_up(void)
{
    for (size_t i = 0; i < COUNT_OF(repositories); i++)
        repositories[i].stanza = &stanza;
}

TestSuite(s3, .init = set_up);

Test(s3, only_repositories_on_s3_are_watched)
{
    struct target_list list = {0};
    struct err err;
    cr_assert(collector_s3.targets(&settings, &list, &err));
    cr_assert_eq(list.count, 1);
    cr_expect_str_eq(list.items[0].name, "main/repo2");
    cr_expect_str_eq(label_get(list.items[0].labels, "stanza"), "main");
    cr_expect_str_eq(label_get(list.items[0].labels, "repo_key"), "2");
    target_list_done(&list);
}

Test(s3, options_that_make_no_request_are_an_outage_of_configuration)
{
    void *state = NULL;
    struct err err = {0};
    struct environment environment = {.settings = &settings};
    struct target target = {.spec = &repositories[1]};
    struct run run = {.report = report_new(), .target = &target};
    run.sink = sink_new(collector_s3.metrics, collector_s3.metric_count, NULL);
    cr_assert(collector_s3.open(&environment, &target, &state, &err));
    cr_expect(collector_s3.collect(state, &run, &err));
    cr_expect(run.down);
    cr_expect_eq(run.down_error.code, ERR_CONFIG);
    cr_expect_str_eq(run.down_error.text, "repo2-s3-bucket is not given");
    cr_expect_eq(report_worst(run.report->root), GRADE_FAILED);
    collector_s3.close(state);
    sink_free(run.sink);
    report_free(run.report);
}

/* The worst grade of a store that answers. */
static enum grade grade_of(bool is_signed, bool verify, double skew)
{
    struct report *report = report_new();
    const struct fetch_result seen = {.status = 200};
    const struct s3_request request = {.is_signed = is_signed,
                                       .fetch = {.host = "h", .port = 443, .verify = verify}};
    s3_report_answers(report, &repositories[1], &request, &seen, skew);
    enum grade grade = report_worst(report->root);
    report_free(report);
    return grade;
}

Test(s3, a_store_that_answers_is_as_good_as_what_was_asked)
{
    cr_expect_eq(grade_of(true, true, 0), GRADE_OK);
    cr_expect_eq(grade_of(true, true, -59), GRADE_OK);
    cr_expect_eq(grade_of(true, true, -60), GRADE_WARNING);
    cr_expect_eq(grade_of(true, false, 0), GRADE_WARNING);
    cr_expect_eq(grade_of(false, true, 0), GRADE_NONE, "keys that were not tried are no good news");
}
