/*
 * s3_report - what is found of an object store, in words.
 */
#ifndef COLLECTORS_S3_REPORT_H
#define COLLECTORS_S3_REPORT_H

#include <stdbool.h>

#include "collectors/s3_request.h"
#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/report/report.h"
#include "exporter/sources/fetch.h"

/*
 * It answers, and when we could sign it grants the listing. Nothing is claimed of writing. skew: of
 * the clocks, 0 for none.
 */
void s3_report_answers(struct report *report, const struct stanza_repository *repository,
                       const struct s3_request *request, const struct fetch_result *seen,
                       double skew);

/* It does not; request and seen are NULL when there was no request. */
void s3_report_down(struct report *report, const struct stanza_repository *repository,
                    const struct s3_request *request, const struct fetch_result *seen,
                    const struct err *err);

#endif
