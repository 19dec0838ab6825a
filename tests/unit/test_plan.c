#include <criterion/criterion.h>

#include "collectors/registry.h"
#include "exporter/commands/plan.h"

/* One stanza with PostgreSQL, a repository on a disk and one in an object store. */
static char main_name[] = "main", conninfo[] = "host=/tmp";
static char command[] = "/usr/bin/pgbackrest";
static char disk_name[] = "nas", store_name[] = "r2";
static struct stanza stanza;
static struct stanza_repository repositories[] = {
    {.stanza = &stanza, .key = 1, .name = disk_name, .storage = "posix", .cipher = "none"},
    {.stanza = &stanza, .key = 2, .name = store_name, .storage = "s3", .cipher = "none"},
};
static struct settings settings;

static struct poller_plan *plans;
static size_t count;

static void begin(void)
{
    stanza = (struct stanza){.name = main_name,
                             .conninfo = conninfo,
                             .repositories = repositories,
                             .repository_count = COUNT_OF(repositories)};
    settings =
        (struct settings){.stanzas = &stanza,
                          .stanza_count = 1,
                          .pgbackrest.command = command,
                          .collectors = calloc(collector_count() + 1, sizeof *settings.collectors),
                          .collector_count = collector_count()};
    cr_assert(settings.collectors);
    for (size_t i = 0; i < settings.collector_count; i++)
        settings.collectors[i] =
            (struct collector_settings){.name = collector_registry[i]->name, .enabled = true};
}

static void end(void)
{
    plan_free(plans, count);
    free(settings.collectors);
}

TestSuite(plan, .init = begin, .fini = end);

static struct collector_settings *chosen(const char *collector)
{
    size_t i = 0;
    while (i < settings.collector_count && strcmp(settings.collectors[i].name, collector) != 0)
        i++;
    cr_assert_lt(i, settings.collector_count, "no collector is called %s", collector);
    return &settings.collectors[i];
}

static void make(void)
{
    struct err err = {0};
    cr_assert(plan_make(&settings, &plans, &count, &err), "%s", err.text);
}

/* NULL when there is none. */
static const struct poller_plan *plan_of(const char *collector)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(plans[i].collector->name, collector) == 0)
            return &plans[i];
    }
    return NULL;
}

static const struct target *target_of(const char *collector, const char *name)
{
    const struct poller_plan *plan = plan_of(collector);
    cr_assert(plan, "no plan for %s", collector);
    size_t i = 0;
    while (i < plan->targets.count && strcmp(plan->targets.items[i].name, name) != 0)
        i++;
    cr_assert_lt(i, plan->targets.count, "%s has no target %s", collector, name);
    return &plan->targets.items[i];
}

Test(plan, has_every_collector_in_the_order_of_the_registry)
{
    make();
    cr_assert_eq(count, collector_count());
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(plans[i].collector, collector_registry[i]);
}

Test(plan, leaves_out_a_collector_that_is_switched_off)
{
    chosen("archiver")->enabled = false;
    make();
    cr_expect_eq(count, collector_count() - 1);
    cr_expect_null(plan_of("archiver"));
    cr_expect_not_null(plan_of("backups"));
}

Test(plan, is_empty_when_all_are_switched_off)
{
    for (size_t i = 0; i < settings.collector_count; i++)
        settings.collectors[i].enabled = false;
    make();
    cr_expect_eq(count, 0);
}

Test(plan, has_the_targets_that_each_collector_finds_in_the_settings)
{
    make();
    cr_assert_eq(plan_of("archiver")->targets.count, 1);
    cr_expect_eq(target_of("archiver", "main")->spec, &stanza);
    cr_assert_eq(plan_of("backups")->targets.count, 2);
    cr_expect_eq(target_of("backups", "main/repo1")->spec, &repositories[0]);
    cr_expect_eq(target_of("backups", "main/repo2")->spec, &repositories[1]);
}

Test(plan, keeps_a_collector_that_has_nothing_to_watch)
{
    stanza.conninfo = NULL;
    make();
    cr_assert_eq(count, collector_count());
    cr_expect_eq(plan_of("archiver")->targets.count, 0);
}

Test(plan, gives_all_targets_the_interval_and_timeout_that_are_configured)
{
    chosen("backups")->interval_s = 7;
    chosen("backups")->timeout_s = 3;
    make();
    static const char *const names[] = {"main/repo1", "main/repo2"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        cr_expect_eq(target_of("backups", names[i])->interval_s, 7, "%s", names[i]);
        cr_expect_eq(target_of("backups", names[i])->timeout_s, 3, "%s", names[i]);
    }
    cr_expect_eq(target_of("archiver", "main")->interval_s, 0, "another collector's");
    cr_expect_eq(target_of("archiver", "main")->timeout_s, 0, "another collector's");
}

Test(plan, leaves_to_the_collector_what_is_not_configured)
{
    chosen("backups")->timeout_s = 3;
    make();
    cr_expect_eq(target_of("backups", "main/repo1")->interval_s, 0);
    cr_expect_gt(target_of("backups", "main/repo2")->interval_s, 0,
                 "an object store's own interval is gone");
    cr_expect_eq(target_of("backups", "main/repo2")->timeout_s, 3);
}

Test(plan, that_was_never_made_can_be_freed)
{
    plan_free(NULL, 0);
}
