#include "collectors/wal_report.h"

#include <inttypes.h>

#include "exporter/base/strbuf.h"

static struct report_item *add_group(struct report *report,
                                     const struct stanza_repository *repository)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "Repository %" PRId64 " (%s): files", repository->key, repository->name);
    return report_group(report, NULL, strbuf_text(&title));
}

void wal_report_listed(struct report *report, const struct stanza_repository *repository,
                       const struct wal_archive *archive, bool all)
{
    struct report_item *group = add_group(report, repository);
    if (!all)
        report_verdict(report, group, GRADE_UNKNOWN,
                       "it holds too many files for one look: the oldest WAL is not seen yet");
    report_fact(report, group, "WAL segments", "%s%" PRIu64, all ? "" : "at least ",
                wal_archive_count(archive));
}

void wal_report_down(struct report *report, const struct stanza_repository *repository,
                     const struct err *why)
{
    struct report_item *group = add_group(report, repository);
    report_verdict(report, group, GRADE_UNKNOWN, "its files cannot be listed");
    report_detail(report, group, "error", why->text);
}
