#include "collectors/s3_request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HTTPS_PORT 443

/* pgBackRest's default of repo-path. */
#define DEFAULT_PATH "/var/lib/pgbackrest"

/* libcurl signs the header; before version 8 it does not make it. SHA-256 of nothing. */
static const char empty_body[] = "x-amz-content-sha256: "
                                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

enum option {
    BUCKET,
    ENDPOINT,
    REGION,
    URI_STYLE,
    KEY_TYPE,
    KEY,
    SECRET,
    TOKEN,
    REQUESTER_PAYS,
    PATH,
    HOST,
    PORT,
    CA_FILE,
    CA_PATH,
    VERIFY,
    OPTION_COUNT
};

/* Names after "repoN-"; the first that is given counts. */
static const struct {
    const char *names[3];
    const char *otherwise;
} options[OPTION_COUNT] = {
    [BUCKET] = {{"s3-bucket"}, NULL},
    [ENDPOINT] = {{"s3-endpoint"}, NULL},
    [REGION] = {{"s3-region"}, NULL},
    [URI_STYLE] = {{"s3-uri-style"}, "host"},
    [KEY_TYPE] = {{"s3-key-type"}, "shared"},
    [KEY] = {{"s3-key"}, NULL},
    [SECRET] = {{"s3-key-secret"}, NULL},
    [TOKEN] = {{"s3-token"}, NULL},
    [REQUESTER_PAYS] = {{"s3-requester-pays"}, "n"},
    [PATH] = {{"path"}, DEFAULT_PATH},
    [HOST] = {{"storage-host", "s3-host"}, NULL},
    [PORT] = {{"storage-port", "s3-port"}, NULL},
    [CA_FILE] = {{"storage-ca-file", "s3-ca-file"}, NULL},
    [CA_PATH] = {{"storage-ca-path", "s3-ca-path"}, NULL},
    [VERIFY] = {{"storage-verify-tls", "s3-verify-tls", "s3-verify-ssl"}, "y"},
};

/* All options of one repository as they are in its environment. */
struct values {
    int64_t key;
    const char *of[OPTION_COUNT];
};

static bool look_up(const struct repository_env *env, struct values *values, enum option option,
                    struct err *err)
{
    values->of[option] = options[option].otherwise;
    for (size_t i = 0; i < COUNT_OF(options[option].names) && options[option].names[i]; i++) {
        struct strbuf name CLEANUP(strbuf_done) = {0};
        strbuf_printf(&name, "repo%" PRId64 "-%s", values->key, options[option].names[i]);
        if (name.failed)
            return err_memory(err);
        const char *value = repository_env_get(env, strbuf_text(&name));
        if (!value || !*value)
            continue;
        values->of[option] = value;
        break;
    }
    return true;
}

static bool look_up_all(const struct repository_env *env, int64_t key, struct values *ret,
                        struct err *err)
{
    *ret = (struct values){.key = key};
    for (enum option option = 0; option < OPTION_COUNT; option++) {
        if (!look_up(env, ret, option, err))
            return false;
    }
    return true;
}

static bool is_wrong(const struct values *values, enum option option, const char *what,
                     struct err *err)
{
    return err_set(err, ERR_CONFIG, "repo%" PRId64 "-%s %s", values->key, options[option].names[0],
                   what);
}

static bool has_all(const struct values *values, const enum option *wanted, size_t count,
                    struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!values->of[wanted[i]])
            return is_wrong(values, wanted[i], "is not given", err);
    }
    return true;
}

static bool has_required(const struct values *values, bool is_signed, struct err *err)
{
    static const enum option always[] = {BUCKET, ENDPOINT, REGION};
    static const enum option keys[] = {KEY, SECRET};
    return has_all(values, always, COUNT_OF(always), err) &&
           (!is_signed || has_all(values, keys, COUNT_OF(keys), err));
}

/* "host", "host:port", "[::1]:port", each with or without "https://" before and a path behind. */
struct place {
    const char *host;
    size_t length;
    unsigned port;
};

static bool read_port(const char *text, const char *end, unsigned *ret)
{
    char *stop = NULL;
    if (text == end || *text < '0' || *text > '9')
        return false;
    unsigned long port = strtoul(text, &stop, 10);
    if (stop != end || port == 0 || port > 65535)
        return false;
    *ret = (unsigned)port;
    return true;
}

/* From where host names end to the end; false: neither nothing nor ":port" stands there. */
static bool read_rest(const char *rest, const char *end, struct place *place)
{
    place->port = HTTPS_PORT;
    return rest == end || (*rest == ':' && read_port(rest + 1, end, &place->port));
}

static bool read_place(const char *text, struct place *ret)
{
    static const char scheme[] = "https://";
    if (strncmp(text, scheme, sizeof scheme - 1) == 0)
        text += sizeof scheme - 1;
    const char *end = text + strcspn(text, "/");
    const char *closing = *text == '[' ? strchr(text, ']') : NULL;
    struct place place = {.host = text};
    const char *rest = text + strcspn(text, ":/");
    if (closing && closing < end) {
        place.host++;
        rest = closing + 1;
        place.length = (size_t)(closing - place.host);
    } else {
        place.length = (size_t)(rest - text);
    }
    if (place.length == 0 || !read_rest(rest, end, &place))
        return false;
    *ret = place;
    return true;
}

/* Only plain text can stand unencoded in a query. */
static void add_encoded(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-._~", byte);
        strbuf_printf(out, plain ? "%c" : "%%%02X", byte);
    }
}

static char *make_target(const struct values *values, const char *stanza)
{
    struct strbuf prefix CLEANUP(strbuf_done) = {0};
    struct strbuf target CLEANUP(strbuf_done) = {0};
    const char *path = values->of[PATH] + strspn(values->of[PATH], "/");
    strbuf_printf(&prefix, "%s%sarchive/%s/", path, *path ? "/" : "", stanza);
    strbuf_puts(&target, "/");
    if (strcmp(values->of[URI_STYLE], "path") == 0) {
        add_encoded(&target, values->of[BUCKET]);
        strbuf_puts(&target, "/");
    }
    strbuf_puts(&target, "?list-type=2&max-keys=1&prefix=");
    add_encoded(&target, strbuf_text(&prefix));
    target.failed |= prefix.failed;
    return strbuf_steal(&target);
}

/* The name in a bucket's own host, or that of the service. */
static char *make_authority(const struct values *values, const struct place *endpoint)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (strcmp(values->of[URI_STYLE], "path") != 0)
        strbuf_printf(&text, "%s.", values->of[BUCKET]);
    if (memchr(endpoint->host, ':', endpoint->length))
        strbuf_printf(&text, "[%.*s]", (int)endpoint->length, endpoint->host);
    else
        strbuf_add(&text, endpoint->host, endpoint->length);
    return strbuf_steal(&text);
}

/* pgBackRest connects to storage-host and wants its name in the certificate. */
static char *make_host(const struct values *values, const struct place *endpoint,
                       const struct place *host)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (!host->host && strcmp(values->of[URI_STYLE], "path") != 0)
        strbuf_printf(&text, "%s.", values->of[BUCKET]);
    const struct place *whose = host->host ? host : endpoint;
    strbuf_add(&text, whose->host, whose->length);
    return strbuf_steal(&text);
}

static bool set_place(const struct values *values, struct s3_request *request, struct err *err)
{
    struct place endpoint, host = {0};
    const char *port = values->of[PORT];
    if (!read_place(values->of[ENDPOINT], &endpoint))
        return is_wrong(values, ENDPOINT, "is no host name for HTTPS", err);
    if (values->of[HOST] && !read_place(values->of[HOST], &host))
        return is_wrong(values, HOST, "is no host name for HTTPS", err);
    request->fetch.port = host.host ? host.port : endpoint.port;
    if (port && !read_port(port, port + strlen(port), &request->fetch.port))
        return is_wrong(values, PORT, "is no port from 1 to 65535", err);
    request->host = make_host(values, &endpoint, &host);
    request->authority = make_authority(values, &endpoint);
    return (request->host && request->authority) || err_memory(err);
}

/* Room for all at once: growing would leave a copy of the token behind. */
static char *make_header(const char *name, const char *value)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (!strbuf_reserve(&text, strlen(name) + strlen(value) + sizeof ": "))
        return NULL;
    strbuf_printf(&text, "%s: %s", name, value);
    return strbuf_steal(&text);
}

static bool set_headers(const struct values *values, struct s3_request *request, struct err *err)
{
    size_t count = 0;
    bool pays = strcmp(values->of[REQUESTER_PAYS], "y") == 0;
    request->headers[count++] = empty_body;
    if (request->is_signed && values->of[TOKEN]) {
        request->token = make_header("x-amz-security-token", values->of[TOKEN]);
        request->headers[count++] = request->token;
    }
    if (pays) {
        request->payer = make_header("x-amz-request-payer", "requester");
        request->headers[count++] = request->payer;
    }
    for (size_t i = 0; i < count; i++) {
        if (!request->headers[i])
            return err_memory(err);
    }
    return true;
}

static void connect_texts(const struct values *values, struct s3_request *request)
{
    request->signature = (struct fetch_signature){.region = values->of[REGION],
                                                  .service = "s3",
                                                  .key = values->of[KEY],
                                                  .secret = values->of[SECRET]};
    request->fetch.host = request->host;
    request->fetch.authority = request->authority;
    request->fetch.target = request->target;
    request->fetch.ca_file = values->of[CA_FILE];
    request->fetch.ca_path = values->of[CA_PATH];
    request->fetch.verify = strcmp(values->of[VERIFY], "n") != 0;
}

void s3_request_done(struct s3_request *request)
{
    free(request->host);
    free(request->authority);
    free(request->target);
    secret_free(request->token);
    free(request->payer);
    *request = (struct s3_request){0};
}

bool s3_request_make(const struct stanza_repository *repository, const struct repository_env *env,
                     struct s3_request *ret, struct err *err)
{
    struct s3_request request CLEANUP(s3_request_done) = {0};
    struct values values;
    if (!look_up_all(env, repository->key, &values, err))
        return false;
    request.is_signed = strcmp(values.of[KEY_TYPE], "shared") == 0;
    if (!has_required(&values, request.is_signed, err) || !set_place(&values, &request, err) ||
        !set_headers(&values, &request, err))
        return false;
    request.target = make_target(&values, repository->stanza->name);
    if (!request.target)
        return err_memory(err);
    connect_texts(&values, &request);
    *ret = request;
    ret->fetch.headers = ret->headers; /* of the copy, which stays */
    ret->fetch.signature = ret->is_signed ? &ret->signature : NULL;
    request = (struct s3_request){0};
    return true;
}
