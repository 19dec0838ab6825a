#include "collectors/model/s3_reason.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    long status;
    const char *code;
    enum err_code reason;
} answers[] = {
    {200, "", ERR_NONE},
    {403, "SignatureDoesNotMatch", ERR_AUTH},
    {403, "InvalidAccessKeyId", ERR_AUTH},
    {400, "ExpiredToken", ERR_AUTH},
    {401, "", ERR_AUTH},
    {403, "AccessDenied", ERR_PERMISSION},
    {403, "", ERR_PERMISSION},
    {404, "NoSuchBucket", ERR_BUCKET},
    {404, "", ERR_BUCKET},
    {403, "RequestTimeTooSkewed", ERR_CLOCK_SKEW},
    {301, "PermanentRedirect", ERR_REDIRECT},
    {307, "TemporaryRedirect", ERR_REDIRECT},
    {302, "", ERR_REDIRECT},
    {400, "AuthorizationHeaderMalformed", ERR_REDIRECT},
    {503, "SlowDown", ERR_OTHER},
    {500, "InternalError", ERR_OTHER},
    {429, "", ERR_OTHER},
    {400, "MetadataTooLarge", ERR_PROTOCOL},
    {204, "", ERR_PROTOCOL},
    {100, "", ERR_PROTOCOL},
};

Test(s3_reason, each_answer_has_its_reason)
{
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        cr_expect_eq(s3_reason(answers[i].status, answers[i].code), answers[i].reason, "%ld %s",
                     answers[i].status, answers[i].code);
}

/* The element "Code" of a text; "-" when there is none. */
static void expect_code(const char *body, const char *expected)
{
    struct strbuf code = {0};
    bool found = s3_element(body, strlen(body), "Code", &code);
    cr_expect_str_eq(found ? strbuf_text(&code) : "-", expected, "%s", body);
    cr_expect_eq(found, code.length > 0);
    strbuf_done(&code);
}

Test(s3_reason, an_element_is_found_wherever_it_stands)
{
    expect_code("<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>x</Message>",
                "NoSuchBucket");
    expect_code("<Code>a.b-c_9</Code>", "a.b-c_9");
}

Test(s3_reason, what_is_no_plain_word_is_no_element)
{
    expect_code("", "-");
    expect_code("<Code></Code>", "-");
    expect_code("<Code>two words</Code>", "-");
    expect_code("<Code>a&lt;b</Code>", "-");
    expect_code("<Code>\n</Code>", "-");
    expect_code("<Codex>a</Codex>", "-");
    expect_code("<Code>\xff</Code>", "-");
}

Test(s3_reason, an_answer_that_was_cut_anywhere_has_no_element)
{
    static const char body[] = "<Error><Code>AccessDenied<";
    struct strbuf code = {0};
    for (size_t length = 0; length < sizeof body - 1; length++)
        cr_expect_not(s3_element(body, length, "Code", &code), "%zu", length);
    cr_expect(s3_element(body, sizeof body - 1, "Code", &code));
    cr_expect_not(s3_element(NULL, 0, "Code", &code));
    strbuf_done(&code);
}

Test(s3_reason, an_element_that_is_too_long_is_none)
{
    struct strbuf body = {0}, code = {0};
    strbuf_puts(&body, "<Code>");
    for (size_t i = 0; i < 129; i++)
        strbuf_putc(&body, 'a');
    strbuf_puts(&body, "</Code>");
    cr_expect_not(s3_element(body.data, body.length, "Code", &code));
    strbuf_done(&body);
    strbuf_done(&code);
}

Test(s3_reason, only_a_listing_is_one)
{
    static const char listing[] = "<?xml?><ListBucketResult xmlns=\"x\"/>", other[] = "<html>";
    cr_expect(s3_is_listing(listing, sizeof listing - 1));
    cr_expect_not(s3_is_listing(other, sizeof other - 1));
    cr_expect_not(s3_is_listing(listing, 10));
    cr_expect_not(s3_is_listing(NULL, 0));
}

Test(s3_reason, clocks_within_what_can_be_told_are_equal)
{
    cr_expect_eq(s3_clock_skew(1000.2, 1000.3, 1000), 0);
    cr_expect_eq(s3_clock_skew(1000.9, 1001.9, 1001), 0);
    cr_expect_eq(s3_clock_skew(990, 1010, 1000), 0);
}

Test(s3_reason, a_clock_ahead_is_positive_and_one_behind_negative)
{
    cr_expect_float_eq(s3_clock_skew(4600, 4600, 1000), 3599.5, 1e-9);
    cr_expect_float_eq(s3_clock_skew(1000, 1001, 4600), -3600, 1e-9);
}
