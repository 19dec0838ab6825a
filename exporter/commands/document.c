#include "exporter/commands/document.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/registry.h"
#include "exporter/commands/command.h"
#include "exporter/commands/own_metrics.h"
#include "exporter/metrics/document.h"

static void write_help(struct strbuf *out)
{
    settings_help(out);
    strbuf_puts(out, "\nCommands:\n");
    for (const struct command *const *item = command_list; *item; item++)
        strbuf_printf(out, "  %s%s%s\n          %s\n", (*item)->name,
                      *(*item)->arguments ? " " : "", (*item)->arguments, (*item)->help);
}

static void write_metrics(struct strbuf *out)
{
    struct metric_section *sections = calloc(collector_count() + 1, sizeof *sections);
    size_t count = 0;
    if (!sections) {
        out->failed = true;
        return;
    }
    for (const struct collector *const *item = collector_registry; *item; item++)
        sections[count++] = (struct metric_section){
            .title = (*item)->name,
            .help = (*item)->help,
            .labels = (*item)->labels,
            .descs = (*item)->metrics,
            .count = (*item)->metric_count,
        };
    sections[count++] = (struct metric_section){
        .title = "exporter",
        .help = "The exporter itself.",
        .descs = own_metrics,
        .count = own_metric_count,
    };
    metric_document(out, sections, count);
    free(sections);
}

static void write_version(struct strbuf *out)
{
    strbuf_puts(out, "pgbackup_exporter " PGBACKUP_VERSION " (" PGBACKUP_REVISION ")\n");
}

bool document_is_wanted(const struct settings *settings)
{
    return settings->show_help || settings->show_version || settings->dump_docs;
}

bool document_write(const struct settings *settings, struct strbuf *out, struct err *err)
{
    if (settings->show_help)
        write_help(out);
    else if (settings->show_version)
        write_version(out);
    else if (strcmp(settings->dump_docs, "configuration") == 0)
        settings_document(out);
    else if (strcmp(settings->dump_docs, "metrics") == 0)
        write_metrics(out);
    else
        return err_set(err, ERR_CONFIG, "--dump-docs takes configuration or metrics, not %s",
                       settings->dump_docs);
    return true;
}
