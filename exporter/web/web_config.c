#include "exporter/web/web_config.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/config/file.h"
#include "exporter/config/option.h"
#include "exporter/config/yaml.h"
#include "exporter/web/auth.h"

#define TABLE(of, rows)                                                                            \
    {                                                                                              \
        (rows), COUNT_OF(rows), sizeof(struct of)                                                  \
    }

/* Headers that may be set, exporter-toolkit's list. */
struct header_values {
    char *strict_transport_security;
    char *content_type_options;
    char *frame_options;
    char *xss_protection;
    char *content_security_policy;
};

/* The file as it is written; what it means is struct web_config. */
struct document {
    struct web_tls_config tls;
    struct text_list cipher_suites;
    struct text_list curve_preferences;
    enum tristate http2;
    struct header_values headers;
    struct pair_list users;
    struct pair_list rate_limit;
};

static const char *const client_auth_types[] = {
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
    NULL,
};
static const char *const versions[] = {"TLS10", "TLS11", "TLS12", "TLS13", NULL};

static const struct option tls_rows[] = {
    {
        .key = "cert_file",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, tls.certificate.file),
    },
    {
        .key = "cert",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, tls.certificate.text),
    },
    {
        .key = "key_file",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, tls.key.file),
    },
    {
        .key = "key",
        .type = OPTION_TEXT,
        .secret = true,
        .offset = offsetof(struct document, tls.key.text),
    },
    {
        .key = "client_ca_file",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, tls.client_authorities.file),
    },
    {
        .key = "client_ca",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, tls.client_authorities.text),
    },
    {
        .key = "client_auth_type",
        .type = OPTION_CHOICE,
        .choices = client_auth_types,
        .fallback = "NoClientCert",
        .offset = offsetof(struct document, tls.client_auth_type),
    },
    {
        .key = "client_allowed_sans",
        .type = OPTION_TEXTS,
        .offset = offsetof(struct document, tls.client_allowed_sans),
    },
    {
        .key = "min_version",
        .type = OPTION_CHOICE,
        .choices = versions,
        .fallback = "TLS12",
        .offset = offsetof(struct document, tls.min_version),
    },
    {
        .key = "max_version",
        .type = OPTION_CHOICE,
        .choices = versions,
        .fallback = "TLS13",
        .offset = offsetof(struct document, tls.max_version),
    },
    {
        .key = "prefer_server_cipher_suites",
        .type = OPTION_BOOL,
        .fallback = "true",
        .offset = offsetof(struct document, tls.prefer_server_cipher_suites),
    },
    {
        .key = "cipher_suites",
        .type = OPTION_TEXTS,
        .offset = offsetof(struct document, cipher_suites),
    },
    {
        .key = "curve_preferences",
        .type = OPTION_TEXTS,
        .offset = offsetof(struct document, curve_preferences),
    },
};
static const struct option_table tls_table = TABLE(document, tls_rows);

static const char *const nosniff[] = {"nosniff", NULL};
static const char *const frame_options[] = {"deny", "sameorigin", NULL};
static const struct option header_rows[] = {
    {
        .key = "Strict-Transport-Security",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, headers.strict_transport_security),
    },
    {
        .key = "X-Content-Type-Options",
        .type = OPTION_CHOICE,
        .choices = nosniff,
        .offset = offsetof(struct document, headers.content_type_options),
    },
    {
        .key = "X-Frame-Options",
        .type = OPTION_CHOICE,
        .choices = frame_options,
        .offset = offsetof(struct document, headers.frame_options),
    },
    {
        .key = "X-XSS-Protection",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, headers.xss_protection),
    },
    {
        .key = "Content-Security-Policy",
        .type = OPTION_TEXT,
        .offset = offsetof(struct document, headers.content_security_policy),
    },
};
static const struct option_table header_table = TABLE(document, header_rows);

static const struct option http_rows[] = {
    {
        .key = "http2",
        .type = OPTION_TRISTATE,
        .offset = offsetof(struct document, http2),
    },
    {
        .key = "headers",
        .type = OPTION_SECTION,
        .section = &header_table,
    },
};
static const struct option_table http_table = TABLE(document, http_rows);

static const struct option rows[] = {
    {
        .key = "tls_server_config",
        .type = OPTION_SECTION,
        .section = &tls_table,
    },
    {
        .key = "http_server_config",
        .type = OPTION_SECTION,
        .section = &http_table,
    },
    {
        .key = "basic_auth_users",
        .type = OPTION_MAP,
        .secret = true,
        .offset = offsetof(struct document, users),
    },
    {
        .key = "rate_limit",
        .type = OPTION_MAP,
        .offset = offsetof(struct document, rate_limit),
    },
};
static const struct option_table document_table = TABLE(document, rows);

/* What one reading works with. */
struct reading {
    struct strbuf text;
    struct document document;
    struct problem_list problems;
    struct yaml_file file;
    struct web_config *config;
};

static void reading_done(struct reading *reading)
{
    if (reading->text.data)
        explicit_bzero(reading->text.data, reading->text.length);
    strbuf_done(&reading->text);
    option_free(&document_table, &reading->document);
    yaml_file_done(&reading->file);
    problem_list_done(&reading->problems);
    web_config_free(reading->config);
}

void web_config_free(struct web_config *config)
{
    if (!config)
        return;
    struct document document = {.tls = config->tls, .users = config->users};
    option_free(&document_table, &document);
    pair_list_done(&config->headers);
    text_list_done(&config->files);
    free(config);
}

/* Checks that no table can express. */

static void refuse_unsupported(const struct reading *reading)
{
    const struct document *document = &reading->document;
    const struct {
        bool asked;
        const char *path;
        const char *text;
    } refused[] = {
        {document->cipher_suites.count > 0, "tls_server_config.cipher_suites",
         "is not supported: the suites are GnuTLS's own choice; leave it out"},
        {document->curve_preferences.count > 0, "tls_server_config.curve_preferences",
         "is not supported: the curves are GnuTLS's own choice; leave it out"},
        {document->http2 == YES, "http_server_config.http2",
         "is not supported: HTTP/1.1 is what is spoken here; leave it out or say false"},
        {document->rate_limit.count > 0, "rate_limit",
         "is not supported: connections are limited for each client already; leave it out"},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (refused[i].asked)
            yaml_problem(&reading->file, refused[i].path, "%s", refused[i].text);
    }
}

static bool is_given(const struct web_pem *pem)
{
    return pem->file || pem->text;
}

static void check_pem(const struct reading *reading, const struct web_pem *pem, const char *name)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "tls_server_config.%s", name);
    if (pem->file && pem->text)
        yaml_problem(&reading->file, strbuf_text(&path), "cannot stand beside %s_file", name);
}

static bool verifies_clients(const struct web_tls_config *tls)
{
    return strstr(tls->client_auth_type, "Verify") != NULL;
}

static void check_clients(const struct reading *reading)
{
    const struct web_tls_config *tls = &reading->document.tls;
    bool none = strcmp(tls->client_auth_type, "NoClientCert") == 0;
    bool authorities = is_given(&tls->client_authorities);
    if (none && authorities)
        yaml_problem(&reading->file, "tls_server_config",
                     "client_ca_file without a client_auth_type asks no client for anything");
    if (verifies_clients(tls) && !authorities)
        yaml_problem(&reading->file, "tls_server_config.client_auth_type",
                     "%s needs a client_ca_file", tls->client_auth_type);
    if (none && tls->client_allowed_sans.count > 0)
        yaml_problem(&reading->file, "tls_server_config.client_allowed_sans",
                     "needs a client_auth_type that asks for certificates");
}

static void check_tls(const struct reading *reading)
{
    const struct web_tls_config *tls = &reading->document.tls;
    check_pem(reading, &tls->certificate, "cert");
    check_pem(reading, &tls->key, "key");
    check_pem(reading, &tls->client_authorities, "client_ca");
    if (!is_given(&tls->certificate))
        yaml_problem(&reading->file, "tls_server_config", "needs a cert_file");
    if (!is_given(&tls->key))
        yaml_problem(&reading->file, "tls_server_config", "needs a key_file");
    if (strcmp(tls->min_version, tls->max_version) > 0)
        yaml_problem(&reading->file, "tls_server_config", "min_version %s is above max_version %s",
                     tls->min_version, tls->max_version);
    check_clients(reading);
}

/* Whether anything is said about TLS. A protection that is half described must not be passed over.
 */
static bool wants_tls(const struct reading *reading)
{
    static const char prefix[] = "tls_server_config.";
    for (size_t i = 0; i < reading->file.mark_count; i++) {
        if (strncmp(reading->file.marks[i].path, prefix, sizeof prefix - 1) == 0)
            return true;
    }
    return false;
}

static void check_users(const struct reading *reading)
{
    const struct pair_list *users = &reading->document.users;
    for (size_t i = 0; i < users->count; i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        struct err err = {0};
        strbuf_printf(&path, "basic_auth_users.%s", users->items[i].name);
        if (!auth_check_user(users->items[i].name, users->items[i].value, &err))
            yaml_problem(&reading->file, strbuf_text(&path), "%s", err.text);
    }
}

/* What a header line can carry and a client shows as it was meant. */
static bool is_header_value(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static bool take_headers(const struct reading *reading, struct pair_list *ret, struct err *err)
{
    for (size_t i = 0; i < header_table.count; i++) {
        const struct option *row = &header_rows[i];
        char *const *value = option_field(row, (struct document *)(uintptr_t)&reading->document);
        struct strbuf path CLEANUP(strbuf_done) = {0};
        strbuf_printf(&path, "http_server_config.headers.%s", row->key);
        if (*value && !is_header_value(*value))
            yaml_problem(&reading->file, strbuf_text(&path),
                         "must be one line of printable ASCII characters");
        else if (*value && !pair_list_add(ret, row->key, *value, err))
            return false;
    }
    return true;
}

/* A relative path is relative to the folder of the configuration file. */
static bool resolve(const struct reading *reading, char **path, struct err *err)
{
    struct text_list *files = &reading->config->files;
    if (!*path)
        return true;
    if (**path != '/') {
        struct strbuf full = {0};
        const char *slash = strrchr(reading->file.name, '/');
        strbuf_add(&full, reading->file.name, (size_t)(slash + 1 - reading->file.name));
        strbuf_puts(&full, *path);
        free(*path);
        *path = strbuf_steal(&full);
    }
    return *path ? text_list_add(files, *path, err) : err_memory(err);
}

static bool resolve_all(struct reading *reading, struct err *err)
{
    struct web_tls_config *tls = &reading->document.tls;
    return resolve(reading, &tls->certificate.file, err) && resolve(reading, &tls->key.file, err) &&
           resolve(reading, &tls->client_authorities.file, err);
}

static bool read_document(struct reading *reading, const char *path, struct err *err)
{
    if (!text_list_add(&reading->config->files, path, err) ||
        !option_defaults(&document_table, &reading->document, err) ||
        !config_file_read(path, &reading->text, NULL, err))
        return false;
    reading->file = (struct yaml_file){.name = path,
                                       .text = strbuf_text(&reading->text),
                                       .length = reading->text.length,
                                       .problems = &reading->problems};
    return yaml_load(&reading->file, &document_table, &reading->document, err);
}

static bool check(struct reading *reading, struct err *err)
{
    refuse_unsupported(reading);
    check_users(reading);
    reading->config->has_tls = wants_tls(reading);
    if (reading->config->has_tls)
        check_tls(reading);
    return take_headers(reading, &reading->config->headers, err) &&
           problem_none(&reading->problems, err);
}

bool web_config_read(const char *path, struct web_config **ret, struct err *err)
{
    struct reading reading CLEANUP(reading_done) = {.config = calloc(1, sizeof *reading.config)};
    if (!reading.config)
        return err_memory(err);
    if (!read_document(&reading, path, err) || !check(&reading, err) || !resolve_all(&reading, err))
        return false;
    reading.config->tls = reading.document.tls;
    reading.config->users = reading.document.users;
    reading.document.tls = (struct web_tls_config){0};
    reading.document.users = (struct pair_list){0};
    *ret = TAKE(reading.config);
    return true;
}
