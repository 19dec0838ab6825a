/*
 * s3_reason - what the answer of an S3 server means.
 *
 * Pure. An error is a status and an XML document <Error> with a <Code> in it (Amazon's "Error
 * responses", spoken by all who are compatible); a redirect names the right region or endpoint in
 * it, too. The Date of each answer tells how far apart the clocks are.
 */
#ifndef COLLECTORS_MODEL_S3_REASON_H
#define COLLECTORS_MODEL_S3_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/*
 * Append the text of the first element of that name ("Code", "Region"). Only short texts of
 * letters, digits, '.', '-' and '_' are taken: what is appended can stand in any message. False,
 * with nothing appended, when there is none.
 */
bool s3_element(const char *body, size_t length, const char *name, struct strbuf *out);

/*
 * Why a signed listing was not granted, from its status and <Code> ("" when it said none).
 * ERR_NONE for status 200 only; ERR_OTHER for a server in trouble (5xx, SlowDown).
 */
enum err_code s3_reason(long status, const char *code);

/* Whether the body of an answer 200 is the listing that was asked for. */
bool s3_is_listing(const char *body, size_t length);

/*
 * How far our clock is ahead, in seconds: our times before and after the server wrote its Date,
 * which is a whole second. 0 when the clocks may be equal for all that can be told.
 */
double s3_clock_skew(double asked_at, double answered_at, double server_time);

#endif
