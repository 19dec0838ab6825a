#include "collectors/s3_request.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT_OF(text) ((char *)(uintptr_t)(text))

static struct stanza stanza = {.name = TEXT_OF("main")};
static const struct stanza_repository repository = {.stanza = &stanza, .key = 2};
static struct repository_env env;
static struct s3_request request;
static struct err err;

static void give(const char *option, const char *value)
{
    struct strbuf name = {0};
    strbuf_printf(&name, "repo2-%s", option);
    cr_assert(repository_env_set(&env, strbuf_text(&name), value, &err));
    strbuf_done(&name);
}

static void set_up(void)
{
    static const char *const options[][2] = {
        {"s3-bucket", "bucket"}, {"s3-endpoint", "s3.example.com"}, {"s3-region", "eu-west-1"},
        {"s3-key", "KEY"},       {"s3-key-secret", "SECRET"},       {"path", "/forge"},
    };
    for (size_t i = 0; i < COUNT_OF(options); i++)
        give(options[i][0], options[i][1]);
}

static void tear_down(void)
{
    s3_request_done(&request);
    repository_env_done(&env);
}

TestSuite(s3_request, .init = set_up, .fini = tear_down);

static void make(void)
{
    cr_assert(s3_request_make(&repository, &env, &request, &err), "%s", err.text);
}

static void expect_place(const char *host, unsigned port, const char *authority)
{
    make();
    cr_expect_str_eq(request.fetch.host, host);
    cr_expect_eq(request.fetch.port, port, "%u", request.fetch.port);
    cr_expect_str_eq(request.fetch.authority, authority);
}

static void expect_wrong(const char *text)
{
    cr_expect_not(s3_request_make(&repository, &env, &request, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_str_eq(err.text, text);
}

Test(s3_request, the_bucket_is_part_of_the_host_name_by_default)
{
    expect_place("bucket.s3.example.com", 443, "bucket.s3.example.com");
    cr_expect_str_eq(request.fetch.target,
                     "/?list-type=2&max-keys=1&prefix=forge%2Farchive%2Fmain%2F");
}

Test(s3_request, the_bucket_is_part_of_the_path_when_asked_for)
{
    give("s3-uri-style", "path");
    expect_place("s3.example.com", 443, "s3.example.com");
    cr_expect_str_eq(request.fetch.target,
                     "/bucket/?list-type=2&max-keys=1&prefix=forge%2Farchive%2Fmain%2F");
}

Test(s3_request, a_path_at_the_root_has_no_slash_before_it)
{
    give("path", "/");
    make();
    cr_expect(strstr(request.fetch.target, "prefix=archive%2Fmain%2F"), "%s", request.fetch.target);
}

Test(s3_request, what_a_query_cannot_hold_is_encoded)
{
    give("path", "/a b&c=d+\xc3\xa9~");
    make();
    cr_expect(strstr(request.fetch.target, "prefix=a%20b%26c%3Dd%2B%C3%A9~%2Farchive"), "%s",
              request.fetch.target);
}

Test(s3_request, without_a_path_it_is_the_default_of_pgbackrest)
{
    give("path", "");
    make();
    cr_expect(strstr(request.fetch.target, "prefix=var%2Flib%2Fpgbackrest%2Farchive"), "%s",
              request.fetch.target);
}

Test(s3_request, a_storage_host_is_whom_to_connect_to_and_the_endpoint_stays_the_host_header)
{
    give("storage-host", "https://proxy.example.net:8443/ignored");
    expect_place("proxy.example.net", 8443, "bucket.s3.example.com");
}

Test(s3_request, a_storage_port_counts_before_every_other)
{
    give("s3-endpoint", "s3.example.com:7000");
    give("storage-host", "proxy.example.net:8443");
    give("storage-port", "9000");
    expect_place("proxy.example.net", 9000, "bucket.s3.example.com");
}

Test(s3_request, names_of_earlier_versions_count_too)
{
    give("s3-host", "old.example.net");
    give("s3-port", "9001");
    give("s3-verify-ssl", "n");
    give("s3-ca-file", "/ca.pem");
    give("s3-ca-path", "/ca");
    expect_place("old.example.net", 9001, "bucket.s3.example.com");
    cr_expect_not(request.fetch.verify);
    cr_expect_str_eq(request.fetch.ca_file, "/ca.pem");
    cr_expect_str_eq(request.fetch.ca_path, "/ca");
}

Test(s3_request, an_address_of_version_6_may_stand_in_brackets)
{
    give("s3-uri-style", "path");
    give("s3-endpoint", "[::1]:9000");
    expect_place("::1", 9000, "[::1]");
}

Test(s3_request, it_is_signed_with_the_keys_and_verified)
{
    make();
    cr_expect(request.is_signed && request.fetch.verify);
    cr_expect_str_eq(request.fetch.signature->key, "KEY");
    cr_expect_str_eq(request.fetch.signature->secret, "SECRET");
    cr_expect_str_eq(request.fetch.signature->region, "eu-west-1");
    cr_expect_eq(strncmp(request.fetch.headers[0], "x-amz-content-sha256: e3b0c442", 30), 0);
    cr_expect_null(request.fetch.headers[1]);
}

Test(s3_request, a_token_and_who_pays_are_headers)
{
    give("s3-token", "TOKEN");
    give("s3-requester-pays", "y");
    make();
    cr_expect_str_eq(request.fetch.headers[1], "x-amz-security-token: TOKEN");
    cr_expect_str_eq(request.fetch.headers[2], "x-amz-request-payer: requester");
    cr_expect_null(request.fetch.headers[3]);
}

Test(s3_request, without_keys_of_its_own_it_is_not_signed)
{
    give("s3-key-type", "auto");
    give("s3-key", "");
    give("s3-token", "TOKEN");
    make();
    cr_expect_not(request.is_signed);
    cr_expect_null(request.fetch.signature);
    cr_expect_null(request.fetch.headers[1]);
}

Test(s3_request, what_is_missing_is_named)
{
    give("s3-key-secret", "");
    expect_wrong("repo2-s3-key-secret is not given");
    give("s3-bucket", "");
    expect_wrong("repo2-s3-bucket is not given");
}

Test(s3_request, what_is_no_place_is_named_without_its_value)
{
    static const char *const wrong[] = {
        "http://s3.example.com", "s3.example.com:", "s3.example.com:0", "s3.example.com:70000",
        "s3.example.com:1x",     "[::1]x",          "https://"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        give("s3-endpoint", wrong[i]);
        expect_wrong("repo2-s3-endpoint is no host name for HTTPS");
    }
    give("s3-endpoint", "s3.example.com");
    give("storage-host", "a:b:c");
    expect_wrong("repo2-storage-host is no host name for HTTPS");
    give("storage-host", "");
    give("storage-port", "99999");
    expect_wrong("repo2-storage-port is no port from 1 to 65535");
}
