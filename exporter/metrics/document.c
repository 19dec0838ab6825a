#include "exporter/metrics/document.h"

#include <string.h>

static const char introduction[] =
    "# Metrics\n"
    "\n"
    "This file is made from the descriptors in the source by `make docs`: change them, not it.\n"
    "\n"
    "A sample that is not known is absent; 0 is exported only when 0 was measured. What stays "
    "when\n"
    "its source cannot be asked is told by the column *kept as*:\n"
    "\n"
    "- **state**: true only now. Withheld as soon as its target fails or the sample is too old.\n"
    "- **fact**: stays true. Kept through failures of its target, replaced by the next success.\n"
    "- **outcome**: says how the last attempt went. Withheld when that is too long ago.\n"
    "- **configured**: known without asking. There even when nothing could ever be asked.\n"
    "\n"
    "An *age* is kept as the time it counts from and reckoned anew at each scrape, so it grows\n"
    "while nothing new is known.\n";

static const char table_head[] = "| name | type | labels | kept as | help |\n"
                                 "|---|---|---|---|---|\n";

/* Text in a table's cell: what Markdown would take for mark-up is escaped. */
static void add_text(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\|<*", *text))
            strbuf_putc(out, '\\');
        strbuf_putc(out, *text);
    }
}

static void add_label(struct strbuf *out, const char **separator, const char *label)
{
    strbuf_printf(out, "%s`%s`", *separator, label);
    *separator = ", ";
}

static void add_labels(struct strbuf *out, const struct metric_section *section,
                       const struct metric_desc *desc)
{
    const char *separator = "";
    for (const char *const *label = section->labels; label && *label; label++) {
        if (!metric_desc_omits(desc, *label))
            add_label(out, &separator, *label);
    }
    for (const char *const *label = desc->labels; label && *label; label++)
        add_label(out, &separator, *label);
}

static void add_metric(struct strbuf *out, const struct metric_section *section,
                       const struct metric_desc *desc)
{
    strbuf_printf(out, "| `%s` | %s | ", desc->name, metric_type_name(desc->type));
    add_labels(out, section, desc);
    strbuf_printf(out, " | %s%s | ", metric_keeps_name(desc->keeps), desc->age ? ", age" : "");
    add_text(out, desc->help);
    strbuf_puts(out, " |\n");
}

static void add_section(struct strbuf *out, const struct metric_section *section)
{
    strbuf_puts(out, "\n## ");
    add_text(out, section->title);
    strbuf_puts(out, "\n\n");
    add_text(out, section->help);
    strbuf_puts(out, "\n\n");
    strbuf_puts(out, table_head);
    for (size_t i = 0; i < section->count; i++)
        add_metric(out, section, &section->descs[i]);
}

void metric_document(struct strbuf *out, const struct metric_section *sections, size_t count)
{
    strbuf_puts(out, introduction);
    for (size_t i = 0; i < count; i++) {
        if (sections[i].count > 0)
            add_section(out, &sections[i]);
    }
}
