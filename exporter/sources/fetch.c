#include "exporter/sources/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "exporter/sources/probe.h"
#include "exporter/sources/probe_authorities.h"
#include "exporter/sources/probe_file.h"

/* One request under way. */
struct transfer {
    const struct fetch_request *request;
    struct fetch_result *result;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *addresses;
    size_t header_bytes;
    bool too_big;
    bool by_directory; /* the system's file of authorities is left out */
    int limit_ms;      /* what the bound left at its begin, for messages */
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode initialised;

static void initialise(void)
{
    initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *fetch_phase_name(enum fetch_phase phase)
{
    static const char *const names[FETCH_PHASE_COUNT] = {"dns", "connect", "tls", "response"};
    return names[phase];
}

void fetch_result_done(struct fetch_result *result)
{
    strbuf_done(&result->body);
}

static void transfer_done(struct transfer *transfer)
{
    if (transfer->multi && transfer->easy)
        curl_multi_remove_handle(transfer->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    if (transfer->multi)
        curl_multi_cleanup(transfer->multi);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->addresses);
}

/* What libcurl calls while it works. */

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    strbuf_add(&transfer->result->body, bytes, length);
    transfer->too_big = transfer->result->body.failed;
    return transfer->too_big ? 0 : length;
}

static bool begins_with(const char *line, size_t length, const char *text)
{
    return length >= strlen(text) && strncasecmp(line, text, strlen(text)) == 0;
}

static void read_date(const char *value, size_t length, struct fetch_result *result)
{
    char *text = strndup(value, length);
    time_t when = text ? curl_getdate(text, NULL) : -1;
    free(text);
    if (when > 0)
        result->server_time = (double)when;
}

/* A line has no NUL behind it. Interim answers (1xx) come with status lines of their own. */
static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    static const char date[] = "date:";
    struct transfer *transfer = context;
    size_t length = size * count;
    transfer->header_bytes += length;
    transfer->too_big = transfer->header_bytes > FETCH_HEADER_LIMIT;
    if (begins_with(line, length, "HTTP/"))
        transfer->result->answered_at = clock_wall_seconds();
    if (begins_with(line, length, date))
        read_date(line + strlen(date), length - strlen(date), transfer->result);
    return transfer->too_big ? 0 : length;
}

/* Its options. */

static const struct {
    CURLoption option;
    long value;
} fixed_options[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_NOPROGRESS, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_CERTINFO, 1},
    {CURLOPT_FRESH_CONNECT, 1},
    {CURLOPT_FORBID_REUSE, 1},
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
};

static bool set_number(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

/* NULL: libcurl's default is no value at all. */
static bool set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool set_list(CURL *easy, CURLoption option, struct curl_slist *list)
{
    return curl_easy_setopt(easy, option, list) == CURLE_OK;
}

static bool is_address(const char *host)
{
    unsigned char binary[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1;
}

/* What would end a header line or a URL early. */
static bool is_clean(const char *text, bool blanks)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < ' ' || byte == 0x7f || (byte == ' ' && !blanks))
            return false;
    }
    return true;
}

static bool is_sound(const struct fetch_request *request)
{
    for (const char *const *header = request->headers; header && *header; header++) {
        if (!is_clean(*header, true))
            return false;
    }
    return is_clean(request->host, false) && !strpbrk(request->host, "/@?#") &&
           is_clean(request->authority, false) && is_clean(request->target, false) &&
           (!request->signature || is_clean(request->signature->region, false));
}

static bool add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return false;
    *list = longer;
    return true;
}

static bool set_url(struct transfer *transfer)
{
    const struct fetch_request *request = transfer->request;
    struct strbuf url CLEANUP(strbuf_done) = {0};
    bool brackets = strchr(request->host, ':');
    strbuf_printf(&url, brackets ? "https://[%s]:%u%s" : "https://%s:%u%s", request->host,
                  request->port, request->target);
    return !url.failed && set_text(transfer->easy, CURLOPT_URL, strbuf_text(&url));
}

static bool set_headers(struct transfer *transfer)
{
    struct strbuf host CLEANUP(strbuf_done) = {0};
    strbuf_printf(&host, "Host: %s", transfer->request->authority);
    if (host.failed || !add_line(&transfer->headers, strbuf_text(&host)))
        return false;
    for (const char *const *header = transfer->request->headers; header && *header; header++) {
        if (!add_line(&transfer->headers, *header))
            return false;
    }
    return set_list(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static bool set_signature(CURL *easy, const struct fetch_signature *signature)
{
    struct strbuf parameters CLEANUP(strbuf_done) = {0};
    if (!signature)
        return true;
    strbuf_printf(&parameters, "aws:amz:%s:%s", signature->region, signature->service);
    return !parameters.failed && set_text(easy, CURLOPT_AWS_SIGV4, strbuf_text(&parameters)) &&
           set_text(easy, CURLOPT_USERNAME, signature->key) &&
           set_text(easy, CURLOPT_PASSWORD, signature->secret);
}

/* Where only one of file and directory is given the other must not be the system's. */
static bool set_trust(CURL *easy, const struct fetch_request *request)
{
    bool own = request->ca_file || request->ca_path;
    if (!set_number(easy, CURLOPT_SSL_VERIFYPEER, request->verify) ||
        !set_number(easy, CURLOPT_SSL_VERIFYHOST, request->verify ? 2 : 0))
        return false;
    return !own || (set_text(easy, CURLOPT_CAINFO, NULL) &&
                    set_text(easy, CURLOPT_CAPATH, request->ca_path));
}

/* The text of request->ca_file, which libcurl is not to open itself. */
static bool set_authorities(CURL *easy, const struct strbuf *authorities)
{
    struct curl_blob blob = {
        .data = authorities->data, .len = authorities->length, .flags = CURL_BLOB_COPY};
    return authorities->length == 0 ||
           curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK;
}

/*
 * Of the system's authorities only its directory, where the one that is needed is found by name:
 * to read the file with all of them takes ten times the CPU of the request.
 */
static bool leave_out_file(struct transfer *transfer)
{
    const struct fetch_request *request = transfer->request;
    transfer->by_directory = request->verify && !request->ca_file && !request->ca_path &&
                             curl_version_info(CURLVERSION_NOW)->capath;
    return !transfer->by_directory || set_text(transfer->easy, CURLOPT_CAINFO, NULL);
}

static bool take_file(struct transfer *transfer)
{
    transfer->by_directory = false;
    return curl_multi_remove_handle(transfer->multi, transfer->easy) == CURLM_OK &&
           set_text(transfer->easy, CURLOPT_CAINFO, curl_version_info(CURLVERSION_NOW)->cainfo);
}

static bool set_callbacks(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK;
}

static bool set_fixed(CURL *easy)
{
    for (size_t i = 0; i < COUNT_OF(fixed_options); i++) {
        if (!set_number(easy, fixed_options[i].option, fixed_options[i].value))
            return false;
    }
    return set_text(easy, CURLOPT_PROTOCOLS_STR, "https") && set_text(easy, CURLOPT_PROXY, "") &&
           set_text(easy, CURLOPT_USERAGENT, "pgbackup_exporter");
}

/* A failure to set an option of ours is a lack of memory: libcurl copies every text. */
static bool transfer_init(struct transfer *transfer, const struct fetch_request *request,
                          struct fetch_result *result, const struct bound *bound)
{
    *transfer = (struct transfer){.request = request,
                                  .result = result,
                                  .multi = curl_multi_init(),
                                  .easy = curl_easy_init(),
                                  .limit_ms = bound_remaining_ms(bound)};
    return transfer->multi && transfer->easy && set_fixed(transfer->easy) &&
           set_callbacks(transfer) && set_url(transfer) && set_trust(transfer->easy, request) &&
           leave_out_file(transfer);
}

/* What came of it. */

static const struct {
    CURLcode code;
    enum err_code reason;
} reasons[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_DNS},
    {CURLE_COULDNT_CONNECT, ERR_CONNECT},
    {CURLE_SEND_ERROR, ERR_CONNECT},
    {CURLE_RECV_ERROR, ERR_CONNECT},
    {CURLE_GOT_NOTHING, ERR_CONNECT},
    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
    {CURLE_SSL_CONNECT_ERROR, ERR_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_TLS},
    {CURLE_SSL_ISSUER_ERROR, ERR_TLS},
    {CURLE_SSL_CIPHER, ERR_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, ERR_TLS},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG},
    {CURLE_URL_MALFORMAT, ERR_CONFIG},
    {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_PROTOCOL}, /* what is no HTTP/1 is taken for HTTP/0.9 */
    {CURLE_PARTIAL_FILE, ERR_PROTOCOL},
    {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL},
    {CURLE_OUT_OF_MEMORY, ERR_MEMORY},
};

/* OpenSSL 3.5 has an error of its own for an answer that breaks off. */
static enum err_code reason_of(CURLcode code, bool answered)
{
    if (code == CURLE_RECV_ERROR && answered)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].code == code)
            return reasons[i].reason;
    }
    return ERR_OTHER;
}

static double seconds_at(CURL *easy, CURLINFO info)
{
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy, info, &microseconds);
    return (double)microseconds / 1e6;
}

/* A time that libcurl has not reached yet is 0. */
static void read_phases(CURL *easy, bool whole, struct fetch_result *result)
{
    double connected = seconds_at(easy, CURLINFO_CONNECT_TIME_T);
    double secured = seconds_at(easy, CURLINFO_APPCONNECT_TIME_T);
    if (connected > 0)
        result->phase_s[FETCH_CONNECT] = connected;
    if (secured > 0)
        result->phase_s[FETCH_TLS] = secured - connected;
    if (whole)
        result->phase_s[FETCH_RESPONSE] = seconds_at(easy, CURLINFO_TOTAL_TIME_T) - secured;
}

/* The leaf is the first of the chain: "Expire date:Nov 22 22:00:00 2026 GMT". */
static void read_expiry(CURL *easy, struct fetch_result *result)
{
    static const char name[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
        chain->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = chain->certinfo[0]; line; line = line->next) {
        if (!begins_with(line->data, strlen(line->data), name))
            continue;
        time_t when = curl_getdate(line->data + strlen(name), NULL);
        if (when > 0)
            result->certificate_expires = (double)when;
    }
}

static void read_result(struct transfer *transfer, bool whole)
{
    struct fetch_result *result = transfer->result;
    CURL *easy = transfer->easy;
    double waited = seconds_at(easy, CURLINFO_STARTTRANSFER_TIME_T) -
                    seconds_at(easy, CURLINFO_PRETRANSFER_TIME_T);
    result->asked_at = result->answered_at - (waited > 0 ? waited : 0);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &result->status);
    read_phases(easy, whole, result);
    read_expiry(easy, result);
}

/* libcurl tells when it connected only with the end of the handshake. */
static const char *missing_step(CURL *easy)
{
    if (seconds_at(easy, CURLINFO_APPCONNECT_TIME_T) <= 0)
        return "no connection or no end of its TLS handshake";
    return seconds_at(easy, CURLINFO_STARTTRANSFER_TIME_T) <= 0 ? "no answer"
                                                                : "no end of the answer";
}

static bool fail_of_time(const struct transfer *transfer, struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "%s:%u: %s within %d ms", transfer->request->host,
                   transfer->request->port, missing_step(transfer->easy), transfer->limit_ms);
}

static bool fail_of_code(const struct transfer *transfer, CURLcode code, struct err *err)
{
    const struct fetch_request *request = transfer->request;
    if (transfer->too_big)
        return err_set(err, ERR_TOO_BIG, "%s:%u: the answer is larger than %zu bytes",
                       request->host, request->port, FETCH_BODY_LIMIT);
    bool answered = transfer->result->answered_at > 0;
    return err_set(err, reason_of(code, answered), "%s:%u: %s", request->host, request->port,
                   *transfer->error ? transfer->error : curl_easy_strerror(code));
}

static bool finish(const struct transfer *transfer, CURLcode *ret_code, struct err *err)
{
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(transfer->multi, &left);
    *ret_code = message ? message->data.result : CURLE_FAILED_INIT;
    return *ret_code == CURLE_OK || fail_of_code(transfer, *ret_code, err);
}

static bool wait_on(const struct transfer *transfer, const struct bound *bound, struct err *err)
{
    struct curl_waitfd stop = {.fd = bound->stop_fd, .events = CURL_WAIT_POLLIN};
    int remaining_ms = bound_remaining_ms(bound);
    if (remaining_ms == 0)
        return fail_of_time(transfer, err);
    CURLMcode code =
        curl_multi_poll(transfer->multi, &stop, bound->stop_fd >= 0, remaining_ms, NULL);
    if (code != CURLM_OK)
        return err_set(err, ERR_SYSTEM, "cannot wait for %s: %s", transfer->request->host,
                       curl_multi_strerror(code));
    if (stop.revents)
        return err_set(err, ERR_STOPPED, "stopped while waiting for %s", transfer->request->host);
    return true;
}

/* *ret_code is libcurl's own verdict, CURLE_OK when there was none. */
static bool drive(struct transfer *transfer, const struct bound *bound, CURLcode *ret_code,
                  struct err *err)
{
    int running = 1;
    if (curl_multi_add_handle(transfer->multi, transfer->easy) != CURLM_OK)
        return err_memory(err);
    for (;;) {
        CURLMcode code = curl_multi_perform(transfer->multi, &running);
        if (code != CURLM_OK)
            return err_set(err, ERR_SYSTEM, "cannot talk to %s: %s", transfer->request->host,
                           curl_multi_strerror(code));
        if (!running)
            return finish(transfer, ret_code, err);
        if (!wait_on(transfer, bound, err))
            return false;
    }
}

/* "host:port:address,address", as libcurl wants it; one with a scope it would not take. */
static bool list_addresses(const struct fetch_request *request, const struct probe_addresses *found,
                           struct strbuf *out)
{
    size_t count = 0;
    strbuf_printf(out, "%s:%u:", request->host, request->port);
    for (size_t i = 0; i < found->count; i++) {
        const char *address = found->text[i];
        if (strchr(address, '%'))
            continue;
        strbuf_printf(out, strchr(address, ':') ? "%s[%s]" : "%s%s", count++ > 0 ? "," : "",
                      address);
    }
    return count > 0;
}

static bool resolve(struct proc_pool *pool, const struct fetch_request *request,
                    const struct bound *bound, struct strbuf *out, struct err *err)
{
    struct probe_addresses found;
    if (is_address(request->host))
        return true;
    if (!probe_resolve(pool, request->host, bound, &found, err))
        return false;
    if (!list_addresses(request, &found, out))
        return err_set(err, ERR_DNS, "cannot resolve %s: it has only link-local addresses",
                       request->host);
    return !out->failed || err_memory(err);
}

/* The handshake alone, whoever may have signed: nothing is sent that would need trust. */
static void look_at_certificate(const struct transfer *refused, const struct bound *bound)
{
    struct fetch_request request = *refused->request;
    struct fetch_result seen CLEANUP(fetch_result_done) = {0};
    struct transfer transfer CLEANUP(transfer_done) = {0};
    CURLcode code = CURLE_OK;
    request.verify = false;
    if (!transfer_init(&transfer, &request, &seen, bound) ||
        !set_list(transfer.easy, CURLOPT_RESOLVE, refused->addresses) ||
        !set_number(transfer.easy, CURLOPT_CONNECT_ONLY, 1) ||
        !drive(&transfer, bound, &code, NULL))
        return;
    read_expiry(transfer.easy, &seen);
    refused->result->certificate_expires = seen.certificate_expires;
}

/* Whom the directory does not vouch for, the file may: some systems fill only that. */
static bool drive_trusting(struct transfer *transfer, const struct bound *bound, CURLcode *ret_code,
                           struct err *err)
{
    struct err refused = {0};
    bool whole = drive(transfer, bound, ret_code, &refused);
    if (whole || *ret_code != CURLE_PEER_FAILED_VERIFICATION || !transfer->by_directory)
        return whole || err_set(err, refused.code, "%s", refused.text);
    *ret_code = CURLE_OK;
    return take_file(transfer) ? drive(transfer, bound, ret_code, err) : err_memory(err);
}

static bool run(struct transfer *transfer, const struct bound *bound, struct err *err)
{
    CURLcode code = CURLE_OK;
    bool whole = drive_trusting(transfer, bound, &code, err);
    read_result(transfer, whole);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        look_at_certificate(transfer, bound);
    return whole;
}

static void result_init(struct fetch_result *result)
{
    *result = (struct fetch_result){.body = {.limit = FETCH_BODY_LIMIT}};
    for (size_t i = 0; i < FETCH_PHASE_COUNT; i++)
        result->phase_s[i] = -1;
}

/* OpenSSL itself looks into the directory, for one file: here it must have answered before. */
static bool read_authorities(struct proc_pool *pool, const struct fetch_request *request,
                             const struct bound *bound, struct strbuf *out, struct err *err)
{
    struct probe_filesystem seen;
    if (!request->verify)
        return true;
    if (request->ca_path &&
        !probe_filesystem(pool, request->ca_path, request->ca_path, bound, &seen, err))
        return err_prefix(err, "cannot look into %s", request->ca_path);
    if (!request->ca_file)
        return true;
    if (!probe_authorities(pool, request->ca_file, bound, out, err))
        return false;
    return out->length > 0 || err_set(err, ERR_CONFIG, "%s holds no certificate", request->ca_file);
}

static bool prepare(struct transfer *transfer, const char *addresses,
                    const struct strbuf *authorities)
{
    if (*addresses && !add_line(&transfer->addresses, addresses))
        return false;
    return set_authorities(transfer->easy, authorities) &&
           set_list(transfer->easy, CURLOPT_RESOLVE, transfer->addresses) &&
           set_headers(transfer) && set_signature(transfer->easy, transfer->request->signature);
}

bool fetch_get(struct proc_pool *pool, const struct fetch_request *request,
               const struct bound *bound, struct fetch_result *ret, struct err *err)
{
    struct strbuf addresses CLEANUP(strbuf_done) = {0};
    struct strbuf authorities CLEANUP(strbuf_done) = {0};
    struct transfer transfer CLEANUP(transfer_done) = {0};
    result_init(ret);
    pthread_once(&once, initialise);
    if (initialised != CURLE_OK)
        return err_set(err, ERR_SYSTEM, "libcurl: %s", curl_easy_strerror(initialised));
    if (!is_sound(request))
        return err_set(err, ERR_CONFIG, "the request to %s would hold a blank or control character",
                       request->host);
    if (!read_authorities(pool, request, bound, &authorities, err))
        return false;
    int64_t begun_ms = clock_monotonic_ms();
    if (!resolve(pool, request, bound, &addresses, err))
        return false;
    ret->phase_s[FETCH_DNS] = (double)(clock_monotonic_ms() - begun_ms) / 1000;
    if (!transfer_init(&transfer, request, ret, bound) ||
        !prepare(&transfer, strbuf_text(&addresses), &authorities))
        return err_memory(err);
    return run(&transfer, bound, err);
}
