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

static size_t count_seen(const struct wal_archive *archive)
{
    size_t seen = 0;
    for (size_t i = 0; i < archive->count; i++)
        seen += wal_folder_listed_at(archive->folders[i]) > 0;
    return seen;
}

void wal_report_listed(struct report *report, const struct stanza_repository *repository,
                       const struct wal_archive *archive)
{
    struct report_item *group = add_group(report, repository);
    size_t seen = count_seen(archive);
    bool all = seen == archive->count;
    if (!all)
        report_verdict(report, group, GRADE_UNKNOWN,
                       "still listing: %zu of %zu folders of WAL, the newest first", seen,
                       archive->count);
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
