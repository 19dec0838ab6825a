#include "tests/unit/page_fixture.h"

#include <criterion/criterion.h>

#include "exporter/base/attrs.h"

static struct report *made[16];
static size_t made_count;

struct report *new_report(void)
{
    cr_assert(made_count < COUNT_OF(made));
    made[made_count] = report_new();
    cr_assert_not_null(made[made_count]);
    return made[made_count++];
}

void free_reports(void)
{
    for (size_t i = 0; i < made_count; i++)
        report_free(made[i]);
    made_count = 0;
}

struct page_target target_that_ran(const char *group, const char *collector, const char *name,
                                   const struct report *report)
{
    return (struct page_target){.group = group,
                                .collector = collector,
                                .target = name,
                                .has_run = true,
                                .current = true,
                                .outcome = RUN_OK,
                                .error = "",
                                .started_at = NOW - 5,
                                .duration_s = 0.032,
                                .report = report};
}
