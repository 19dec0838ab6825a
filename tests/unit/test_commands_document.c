#include <criterion/criterion.h>

#include "collectors/registry.h"
#include "exporter/commands/command.h"
#include "exporter/commands/document.h"

static struct settings settings;
static struct strbuf out;
static char metrics[] = "metrics", configuration[] = "configuration", alerts[] = "alerts";

static void drop(void)
{
    strbuf_done(&out);
}

TestSuite(commands_document, .fini = drop);

static const char *text(void)
{
    struct err err = {0};
    cr_assert(document_is_wanted(&settings));
    cr_assert(document_write(&settings, &out, &err), "%s", err.text);
    cr_assert_not(out.failed);
    return strbuf_text(&out);
}

static void contains(const char *all, const char *part)
{
    cr_expect_not_null(strstr(all, part), "no \"%s\" in:\n%s", part, all);
}

Test(commands_document, nothing_is_wanted_unless_it_was_asked_for)
{
    cr_expect_not(document_is_wanted(&settings));
}

Test(commands_document, version_is_one_line_with_program_version_and_revision)
{
    settings.show_version = true;
    cr_expect_str_eq(text(), "pgbackup_exporter " PGBACKUP_VERSION " (" PGBACKUP_REVISION ")\n");
}

Test(commands_document, help_tells_the_flags_and_then_every_command)
{
    settings.show_help = true;
    const char *help = text();
    const char *commands = strstr(help, "\nCommands:\n");
    cr_assert_not_null(commands);
    cr_expect_lt(strstr(help, "--config.file=FILE"), commands);
    contains(commands, "\n  serve\n          Poll and serve");
    for (const struct command *const *item = command_list; *item; item++) {
        contains(commands, (*item)->name);
        contains(commands, (*item)->help);
    }
}

Test(commands_document, the_page_of_metrics_has_a_part_for_each_collector_and_for_the_exporter)
{
    settings.dump_docs = metrics;
    const char *at = text();
    for (const struct collector *const *item = collector_registry; *item; item++) {
        struct strbuf heading CLEANUP(strbuf_done) = {0};
        strbuf_printf(&heading, "\n## %s\n\n%s\n", (*item)->name, (*item)->help);
        contains(at, strbuf_text(&heading));
        at = strstr(at, strbuf_text(&heading));
        for (size_t i = 0; i < (*item)->metric_count; i++)
            contains(at, (*item)->metrics[i].name);
    }
    contains(at, "\n## exporter\n");
    contains(strstr(at, "\n## exporter\n"), "`pgbackup_exporter_build_info`");
}

Test(commands_document, the_page_of_metrics_tells_the_labels_of_a_collectors_targets)
{
    settings.dump_docs = metrics;
    contains(text(), "| `pgbackrest_repo_up` | gauge | `stanza`, `repo_key` |");
}

Test(commands_document, the_page_of_the_configuration_is_what_the_settings_tell)
{
    struct strbuf expected CLEANUP(strbuf_done) = {0};
    settings_document(&expected);
    settings.dump_docs = configuration;
    cr_expect_str_eq(text(), strbuf_text(&expected));
    cr_expect_gt(expected.length, 1000);
}

Test(commands_document, a_page_that_does_not_exist_is_refused_with_those_that_do)
{
    struct err err = {0};
    settings.dump_docs = alerts;
    cr_expect(document_is_wanted(&settings));
    cr_assert_not(document_write(&settings, &out, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_str_eq(err.text, "--dump-docs takes configuration or metrics, not alerts");
    cr_expect_eq(out.length, 0);
}
