#include "exporter/web/page_table.h"

#include <inttypes.h>

#include "exporter/web/html.h"
#include "exporter/web/page_card.h"
#include "exporter/web/page_lines.h"
#include "exporter/web/page_words.h"

static const char head[] =
    "<section>\n<h2 id=\"collectors\">Collectors</h2>\n<div class=\"scroll\" "
    "tabindex=\"0\" role=\"region\" aria-labelledby=\"collectors\"><table>\n"
    "<caption>How this program itself is getting on with its work</caption>\n<thead>"
    "<tr><th scope=\"col\">Collector</th><th scope=\"col\">Target</th>"
    "<th scope=\"col\">Result</th><th scope=\"col\">Last run</th>"
    "<th scope=\"col\" class=\"number\">Took</th>"
    "<th scope=\"col\" class=\"number\">Failures</th></tr></thead>\n"
    "<tbody>\n";

static const char *result_word(const struct page_target *target)
{
    static const char *const outcomes[] = {
        [RUN_OK] = "ok", [RUN_DOWN] = "down", [RUN_FAILED] = "failed"};
    if (!target->has_run)
        return "not yet";
    return target->current ? outcomes[target->outcome] : "out of date";
}

static void add_result(struct strbuf *out, const struct page *page,
                       const struct page_target *target)
{
    if (page_has_card(target))
        strbuf_printf(out, "<td><a href=\"#t%zu\">%s</a>", page_number_of(page, target),
                      result_word(target));
    else
        strbuf_printf(out, "<td>%s", result_word(target));
    if (target->running_s > 0) {
        strbuf_puts(out, ", running for ");
        page_add_duration(out, target->running_s);
    }
    strbuf_puts(out, "</td>");
}

static void add_row(struct strbuf *out, const struct page *page, const struct page_target *target)
{
    strbuf_puts(out, "<tr><th scope=\"row\">");
    html_escape(out, target->collector);
    strbuf_puts(out, "</th><td>");
    html_escape(out, target->target);
    strbuf_puts(out, "</td>");
    add_result(out, page, target);
    strbuf_puts(out, "<td>");
    page_add_age(out, target->has_run ? target->started_at : 0, page->now);
    strbuf_puts(out, "</td><td class=\"number\">");
    if (target->has_run)
        page_add_duration(out, target->duration_s);
    strbuf_printf(out, "</td><td class=\"number\">%ju</td></tr>\n", (uintmax_t)target->failures);
}

static void add_rows(struct strbuf *out, const struct page *page, const struct page_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        add_row(out, page, group->targets[i]);
}

void page_add_table(struct strbuf *out, const struct page *page, const struct page_groups *groups)
{
    size_t left_out = 0;
    if (page->target_count == 0)
        return;
    strbuf_puts(out, head);
    for (size_t i = 0; i < groups->count; i++) {
        if (page_is_in_full(groups, i))
            add_rows(out, page, &groups->items[i]);
        else
            left_out += groups->items[i].count;
    }
    strbuf_puts(out, "</tbody></table></div>\n");
    if (left_out > 0)
        strbuf_printf(out, "<p class=\"origin\">%zu more, of those in one line</p>\n", left_out);
    strbuf_puts(out, "</section>\n");
}
