/*
 * negotiate - which of what we have a client would rather get: RFC 9110's Accept and
 * Accept-Encoding. Pure.
 *
 * A client that accepts nothing we have gets the plainest there is: an answer nobody asked for
 * tells an operator more than a 406, and a scrape that is refused is an outage of our own making.
 */
#ifndef EXPORTER_WEB_NEGOTIATE_H
#define EXPORTER_WEB_NEGOTIATE_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/metrics/exposition.h"

/*
 * The exposition format for the value of an Accept header, which may be NULL or malformed: text
 * 0.0.4 unless OpenMetrics 1.0.0 is liked better, or as much but named more exactly or earlier.
 * OpenMetrics has to be named; it counts without a version too, and so does text/plain.
 */
enum exposition_format negotiate_format(const char *accept);

/*
 * Whether to compress with gzip for the value of an Accept-Encoding header, which may be NULL or
 * malformed: when it is accepted, and liked at least as much as sending things as they are. What
 * is malformed counts as not said.
 */
bool negotiate_gzip(const char *accept_encoding);

#endif
