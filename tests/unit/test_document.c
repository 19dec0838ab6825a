#include <criterion/criterion.h>

#include "exporter/metrics/document.h"

static const struct metric_desc metrics[] = {
    {.name = "repo_up", .help = "Whether the repository answered.", .keeps = OUTCOME},
    {.name = "backup_age_seconds",
     .help = "Seconds since the last backup ended.",
     .keeps = FACT,
     .age = true,
     .labels = LABELS("backup_type")},
    {.name = "failures_total",
     .help = "Failures.",
     .type = METRIC_COUNTER,
     .omits = LABELS("stanza", "repo_key")},
};

static const struct metric_section backups = {
    .title = "backups",
    .help = "What the repository holds.",
    .labels = LABELS("stanza", "repo_key"),
    .descs = metrics,
    .count = COUNT_OF(metrics),
};

static char *document(const struct metric_section *sections, size_t count)
{
    struct strbuf out = {0};
    metric_document(&out, sections, count);
    char *text = strbuf_steal(&out);
    cr_assert(text);
    return text;
}

static void contains(const char *text, const char *part)
{
    cr_expect(strstr(text, part), "no \"%s\" in:\n%s", part, text);
}

Test(document, heads_a_table_with_title_and_help_of_its_section)
{
    char *text = document(&backups, 1);
    contains(text, "\n## backups\n\nWhat the repository holds.\n\n"
                   "| name | type | labels | kept as | help |\n|---|---|---|---|---|\n| `repo_up`");
    free(text);
}

Test(document, lists_the_labels_of_the_target_before_those_of_the_metric)
{
    char *text = document(&backups, 1);
    contains(text, "| `repo_up` | gauge | `stanza`, `repo_key` | outcome | "
                   "Whether the repository answered. |\n");
    contains(text,
             "| `backup_age_seconds` | gauge | `stanza`, `repo_key`, `backup_type` | fact, age"
             " | Seconds since the last backup ended. |\n");
    free(text);
}

Test(document, leaves_out_the_labels_that_a_metric_omits)
{
    char *text = document(&backups, 1);
    contains(text, "| `failures_total` | counter |  | state | Failures. |\n");
    free(text);
}

Test(document, explains_what_each_way_of_keeping_means)
{
    char *text = document(NULL, 0);
    contains(text, "# Metrics\n");
    contains(text, "- **state**: ");
    contains(text, "- **fact**: ");
    contains(text, "- **outcome**: ");
    contains(text, "- **configured**: ");
    free(text);
}

Test(document, keeps_the_sections_in_the_order_given)
{
    struct metric_section sections[] = {backups, backups};
    sections[0].title = "wal";
    sections[1].title = "archiver";
    char *text = document(sections, 2);
    contains(text, "\n## wal\n");
    contains(strstr(text, "## wal"), "\n## archiver\n");
    free(text);
}

Test(document, leaves_out_a_section_without_metrics)
{
    char *text = document(&(struct metric_section){.title = "drill", .help = "Drills."}, 1);
    cr_expect_not(strstr(text, "drill"));
    free(text);
}

Test(document, escapes_what_would_break_a_table)
{
    const struct metric_desc desc = {.name = "x", .help = "A|b of <path> or *.ok \\ here."};
    struct metric_section section = {"t", "H.", NULL, &desc, 1};
    char *text = document(&section, 1);
    contains(text, "| A\\|b of \\<path> or \\*.ok \\\\ here. |\n");
    free(text);
}
