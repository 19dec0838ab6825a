#include "collectors/s3_report.h"

#include <inttypes.h>
#include <math.h>

#include "collectors/model/reason.h"
#include "exporter/base/strbuf.h"

static struct report_item *add_group(struct report *report,
                                     const struct stanza_repository *repository)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "Object store of repository %" PRId64 " (%s)", repository->key,
                  repository->name);
    return report_group(report, NULL, strbuf_text(&title));
}

static void add_facts(struct report *report, struct report_item *group,
                      const struct s3_request *request, const struct fetch_result *seen)
{
    report_fact(report, group, "server", "%s:%u", request->fetch.host, request->fetch.port);
    if (seen->certificate_expires > 0)
        report_time(report, group, "its certificate ends", seen->certificate_expires);
}

static void add_skew(struct report *report, struct report_item *group, double skew)
{
    if (fabs(skew) < 60)
        return;
    report_verdict(report, group, GRADE_WARNING, "this host's clock is %.0f s %s the server's",
                   fabs(skew), skew > 0 ? "ahead of" : "behind");
    report_step(report, group, reason_advice(ERR_CLOCK_SKEW), NULL);
}

void s3_report_answers(struct report *report, const struct stanza_repository *repository,
                       const struct s3_request *request, const struct fetch_result *seen,
                       double skew)
{
    struct report_item *group = add_group(report, repository);
    if (request->is_signed)
        report_verdict(report, group, GRADE_OK,
                       "its credentials may list the archive (whether they may write is not "
                       "tried)");
    else
        report_verdict(
            report, group, GRADE_NONE,
            "the server answers; pgBackRest gets its keys elsewhere, so whether they are "
            "accepted is not tried");
    add_facts(report, group, request, seen);
    if (!request->fetch.verify)
        report_verdict(report, group, GRADE_WARNING,
                       "its certificate is not verified (repo-storage-verify-tls=n): whoever "
                       "stands between may read and change backups");
    add_skew(report, group, skew);
}

void s3_report_down(struct report *report, const struct stanza_repository *repository,
                    const struct s3_request *request, const struct fetch_result *seen,
                    const struct err *err)
{
    const char *advice = reason_advice(err->code);
    struct report_item *group = add_group(report, repository);
    report_verdict(report, group, GRADE_FAILED, "cannot be used: %s", err_meaning(err->code));
    if (advice)
        report_step(report, group, advice, NULL);
    if (request)
        add_facts(report, group, request, seen);
    report_detail(report, group, "last error", err->text);
}
