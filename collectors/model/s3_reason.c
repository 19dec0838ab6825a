#include "collectors/model/s3_reason.h"

#include <string.h>

#define ELEMENT_LIMIT 128 /* longer than any code, region or host name */

static const struct {
    const char *code;
    enum err_code reason;
} codes[] = {
    {"SignatureDoesNotMatch", ERR_AUTH},
    {"InvalidAccessKeyId", ERR_AUTH},
    {"InvalidToken", ERR_AUTH},
    {"ExpiredToken", ERR_AUTH},
    {"TokenRefreshRequired", ERR_AUTH},
    {"InvalidSecurity", ERR_AUTH},
    {"Unauthorized", ERR_AUTH},    /* R2 */
    {"InvalidArgument", ERR_AUTH}, /* R2: a key of the wrong length; nothing else is arguable */
    {"AccessDenied", ERR_PERMISSION},
    {"AllAccessDisabled", ERR_PERMISSION},
    {"AccountProblem", ERR_PERMISSION},
    {"NoSuchBucket", ERR_BUCKET},
    {"InvalidBucketName", ERR_BUCKET},
    {"RequestTimeTooSkewed", ERR_CLOCK_SKEW},
    {"RequestExpired", ERR_CLOCK_SKEW},
    {"PermanentRedirect", ERR_REDIRECT},
    {"TemporaryRedirect", ERR_REDIRECT},
    {"Redirect", ERR_REDIRECT},
    {"AuthorizationHeaderMalformed", ERR_REDIRECT}, /* "the region ... is wrong" */
    {"IllegalLocationConstraintException", ERR_REDIRECT},
    {"SlowDown", ERR_OTHER},
    {"RequestTimeout", ERR_TIMEOUT},
};

/* An answer without a code, or with one that is not known. */
static const struct {
    long first, last;
    enum err_code reason;
} statuses[] = {
    {200, 200, ERR_NONE},       {300, 399, ERR_REDIRECT}, {401, 401, ERR_AUTH},
    {403, 403, ERR_PERMISSION}, {404, 404, ERR_BUCKET},   {429, 429, ERR_OTHER},
    {500, 599, ERR_OTHER},
};

static bool is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte && strchr(".-_", byte));
}

bool s3_element(const char *body, size_t length, const char *name, struct strbuf *out)
{
    struct strbuf tag CLEANUP(strbuf_done) = {0};
    strbuf_printf(&tag, "<%s>", name);
    const char *found = body && !tag.failed ? memmem(body, length, tag.data, tag.length) : NULL;
    if (!found)
        return false;
    const char *text = found + tag.length;
    size_t most = length - (size_t)(text - body), count = 0;
    while (count < most && is_plain(text[count]))
        count++;
    if (count == 0 || count == most || count > ELEMENT_LIMIT || text[count] != '<')
        return false;
    strbuf_add(out, text, count);
    return !out->failed;
}

enum err_code s3_reason(long status, const char *code)
{
    if (status == 200)
        return ERR_NONE;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].reason;
    }
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (status >= statuses[i].first && status <= statuses[i].last)
            return statuses[i].reason;
    }
    return ERR_PROTOCOL;
}

bool s3_is_listing(const char *body, size_t length)
{
    static const char tag[] = "<ListBucketResult";
    return body && memmem(body, length, tag, sizeof tag - 1);
}

double s3_clock_skew(double asked_at, double answered_at, double server_time)
{
    double least = asked_at - (server_time + 1), most = answered_at - server_time;
    return least <= 0 && most >= 0 ? 0 : (least + most) / 2;
}
