#include "exporter/web/negotiate.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "exporter/base/strbuf.h"

#define TEXT        EXPOSITION_TEXT
#define OPENMETRICS EXPOSITION_OPENMETRICS

static void expect_format(const char *accept, enum exposition_format format)
{
    cr_expect_eq(negotiate_format(accept), format, "%s", accept ? accept : "no header");
}

static void expect_gzip(const char *accept_encoding, bool gzip)
{
    cr_expect_eq(negotiate_gzip(accept_encoding), gzip, "%s",
                 accept_encoding ? accept_encoding : "no header");
}

/* Formats */

Test(negotiate, text_is_what_one_gets_without_asking)
{
    expect_format(NULL, TEXT);
    expect_format("", TEXT);
    expect_format("*/*", TEXT);
}

Test(negotiate, prometheus_2_gets_openmetrics)
{
    expect_format("application/openmetrics-text;version=1.0.0,"
                  "application/openmetrics-text;version=0.0.1;q=0.75,"
                  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                  OPENMETRICS);
}

Test(negotiate, prometheus_3_gets_openmetrics)
{
    expect_format("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                  "application/openmetrics-text;version=0.0.1;q=0.4,"
                  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                  "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                  OPENMETRICS);
}

Test(negotiate, prometheus_told_to_ask_for_text_gets_text)
{
    expect_format("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT);
    expect_format("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                  TEXT);
}

Test(negotiate, a_browser_gets_text)
{
    expect_format("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                  TEXT);
}

Test(negotiate, the_heavier_weight_wins_whatever_the_order)
{
    expect_format("text/plain;q=0.4,application/openmetrics-text;q=0.5", OPENMETRICS);
    expect_format("application/openmetrics-text;q=0.4,text/plain;q=0.5", TEXT);
    expect_format("application/openmetrics-text;q=0.499,text/plain;q=0.5", TEXT);
}

Test(negotiate, of_equal_weights_the_first_wins)
{
    expect_format("application/openmetrics-text, text/plain", OPENMETRICS);
    expect_format("text/plain, application/openmetrics-text", TEXT);
}

Test(negotiate, what_is_named_wins_over_what_is_only_meant)
{
    expect_format("*/*, application/openmetrics-text", OPENMETRICS);
    expect_format("text/*, application/openmetrics-text", OPENMETRICS);
}

Test(negotiate, openmetrics_has_to_be_named)
{
    expect_format("application/*", TEXT);
    expect_format("text/plain;q=0, */*", TEXT);
}

Test(negotiate, a_weight_of_0_refuses)
{
    expect_format("application/openmetrics-text;q=0", TEXT);
    expect_format("application/openmetrics-text;q=0.000, text/plain;q=0.001", TEXT);
    expect_format("text/plain;q=0, application/openmetrics-text;q=0.001", OPENMETRICS);
}

Test(negotiate, the_exact_version_says_more_than_a_wildcard)
{
    expect_format("application/openmetrics-text;version=1.0.0;q=0, "
                  "application/openmetrics-text;q=1",
                  TEXT);
    expect_format("*/*;q=1, text/plain;version=0.0.4;q=0.1, application/openmetrics-text;q=0.2",
                  OPENMETRICS);
}

Test(negotiate, a_version_that_we_do_not_speak_is_not_served)
{
    expect_format("application/openmetrics-text;version=0.0.1", TEXT);
    expect_format("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", TEXT);
    expect_format("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT);
}

Test(negotiate, case_blanks_and_quotes_do_not_matter)
{
    expect_format(
        "  Application/OpenMetrics-Text ; Version=\"1.0.0\" ;\tQ = 0.9 , TEXT/PLAIN;q=0.8",
        OPENMETRICS);
}

Test(negotiate, a_comma_in_quotes_ends_nothing)
{
    expect_format("text/plain;q=0.1;x=\"a,application/openmetrics-text,\\\",b\"", TEXT);
}

Test(negotiate, a_malformed_weight_counts_as_not_said)
{
    static const char *const weights[] = {"",    "-1",  "1.1",  "2",  "0.5x", ".5",
                                          "0,5", "NaN", "1e-1", "+1", "0.5.", "0.0001"};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        struct strbuf accept = {0};
        strbuf_printf(&accept, "application/openmetrics-text;q=%s", weights[i]);
        expect_format(strbuf_text(&accept), TEXT);
        strbuf_done(&accept);
    }
}

Test(negotiate, what_nobody_can_serve_is_answered_with_text)
{
    expect_format("image/png", TEXT);
    expect_format("text/plain;q=0, application/openmetrics-text;q=0, */*;q=0", TEXT);
}

/* Encodings */

Test(negotiate, nothing_is_compressed_for_who_does_not_ask)
{
    expect_gzip(NULL, false);
    expect_gzip("", false);
    expect_gzip("identity", false);
    expect_gzip("deflate, br, zstd", false);
}

Test(negotiate, gzip_is_compressed_for_who_asks)
{
    expect_gzip("gzip", true);
    expect_gzip("deflate, GZip;q=0.5, br;q=1.0", true);
    expect_gzip("x-gzip", true);
    expect_gzip("*", true);
}

Test(negotiate, gzip_with_a_weight_of_0_is_refused)
{
    expect_gzip("gzip;q=0", false);
    expect_gzip("gzip;q=0, *", false);
    expect_gzip("x-gzip;q=0", false);
    expect_gzip("*;q=0", false);
}

Test(negotiate, identity_liked_better_is_sent_as_it_is)
{
    expect_gzip("identity, gzip;q=0.9", false);
    expect_gzip("identity;q=0.9, gzip", true);
    expect_gzip("gzip, identity", true);
    expect_gzip("identity;q=0, *", true);
}

Test(negotiate, a_malformed_weight_of_gzip_counts_as_not_said)
{
    expect_gzip("gzip;q=much", false);
    expect_gzip("gzip;q=1.5", false);
}

/* Robustness */

static void negotiate_both(const char *text, size_t length)
{
    char *cut = strndup(text, length); /* of exactly that size: reading on is an error */
    negotiate_format(cut);
    negotiate_gzip(cut);
    free(cut);
}

Test(negotiate, a_header_cut_at_any_byte_is_read_to_its_end_and_no_further)
{
    static const char *const headers[] = {
        "application/openmetrics-text ; version=\"1.\\\"0.0\" ; q=0.9 , text/plain;q=0.8;\"x\",*/*",
        "gzip;q=0.125 , *;q=0, ;;==,,\"\\",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        for (size_t length = 0; length <= strlen(headers[i]); length++)
            negotiate_both(headers[i], length);
    }
}

Test(negotiate, a_long_hostile_header_is_read_to_its_end)
{
    struct strbuf header = {0};
    for (int i = 0; i < 100000; i++)
        strbuf_puts(&header, "\"\\\",;q=,;");
    strbuf_puts(&header, "\", gzip");
    expect_gzip(strbuf_text(&header), true);
    strbuf_done(&header);
}
