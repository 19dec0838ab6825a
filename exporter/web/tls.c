#include "exporter/web/tls.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/x509.h>

#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"
#include "exporter/config/file.h"

/* What is asked of clients, by exporter-toolkit's words. */
struct client_policy {
    const char *name;
    gnutls_certificate_request_t request;
    bool verifies;
};

struct tls {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    const struct client_policy *policy;
    struct text_list allowed_sans; /* empty: any name */
};

static const struct client_policy policies[] = {
    {"NoClientCert", GNUTLS_CERT_IGNORE, false},
    {"RequestClientCert", GNUTLS_CERT_REQUEST, false},
    {"RequireAnyClientCert", GNUTLS_CERT_REQUIRE, false},
    {"RequireClientCert", GNUTLS_CERT_REQUIRE, false}, /* its older name */
    {"VerifyClientCertIfGiven", GNUTLS_CERT_REQUEST, true},
    {"RequireAndVerifyClientCert", GNUTLS_CERT_REQUIRE, true},
};

static const struct {
    const char *name;
    const char *priority;
} versions[] = {
    {"TLS10", ":+VERS-TLS1.0"},
    {"TLS11", ":+VERS-TLS1.1"},
    {"TLS12", ":+VERS-TLS1.2"},
    {"TLS13", ":+VERS-TLS1.3"},
};

/* A PEM on its way from file or configuration into GnuTLS. Its bytes may be a key. */
struct pem {
    const char *name; /* for messages: the file, or the key of the configuration */
    struct strbuf text;
};

static void pem_done(struct pem *pem)
{
    if (pem->text.data)
        explicit_bzero(pem->text.data, pem->text.length);
    strbuf_done(&pem->text);
}

static bool pem_read(const struct web_pem *from, const char *what, struct pem *ret, struct err *err)
{
    ret->name = from->file ? from->file : what;
    if (from->file)
        return config_file_read(from->file, &ret->text, NULL, err);
    strbuf_puts(&ret->text, from->text);
    return !ret->text.failed || err_memory(err);
}

static gnutls_datum_t datum_of(const struct pem *pem)
{
    return (gnutls_datum_t){.data = (unsigned char *)pem->text.data,
                            .size = (unsigned)pem->text.length};
}

/* The server's certificate and key. */

struct identity {
    gnutls_x509_crt_t *chain;
    unsigned length;
    gnutls_x509_privkey_t key;
};

static void identity_done(struct identity *identity)
{
    for (unsigned i = 0; i < identity->length; i++)
        gnutls_x509_crt_deinit(identity->chain[i]);
    gnutls_free(identity->chain);
    if (identity->key)
        gnutls_x509_privkey_deinit(identity->key);
}

static bool say_time(struct err *err, const char *name, const char *what, time_t when)
{
    char text[sizeof "2038-01-19 03:14:07 UTC"];
    struct tm utc;
    gmtime_r(&when, &utc);
    if (strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc) == 0)
        return err_set(err, ERR_CONFIG, "the certificate in %s %s", name, what);
    return err_set(err, ERR_CONFIG, "the certificate in %s %s %s", name, what, text);
}

static bool check_time(gnutls_x509_crt_t certificate, const char *name, struct err *err)
{
    time_t now = (time_t)clock_wall_seconds();
    time_t begin = gnutls_x509_crt_get_activation_time(certificate);
    time_t end = gnutls_x509_crt_get_expiration_time(certificate);
    if (now < begin)
        return say_time(err, name, "is not valid before", begin);
    return now <= end || say_time(err, name, "has expired at", end);
}

static bool load_chain(const struct pem *pem, struct identity *identity, struct err *err)
{
    gnutls_datum_t text = datum_of(pem);
    int result = gnutls_x509_crt_list_import2(&identity->chain, &identity->length, &text,
                                              GNUTLS_X509_FMT_PEM, 0);
    if (result < 0)
        return err_set(err, ERR_CONFIG, "%s holds no certificate in PEM: %s", pem->name,
                       gnutls_strerror(result));
    return check_time(identity->chain[0], pem->name, err);
}

static bool load_key(const struct pem *pem, struct identity *identity, struct err *err)
{
    gnutls_datum_t text = datum_of(pem);
    if (gnutls_x509_privkey_init(&identity->key) != 0)
        return err_memory(err);
    int result = gnutls_x509_privkey_import2(identity->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (result == GNUTLS_E_DECRYPTION_FAILED)
        return err_set(err, ERR_CONFIG, "the key in %s is encrypted: store it without a password",
                       pem->name);
    return result == 0 || err_set(err, ERR_CONFIG, "%s holds no private key in PEM: %s", pem->name,
                                  gnutls_strerror(result));
}

static bool set_identity(struct tls *tls, const struct web_tls_config *config, struct err *err)
{
    struct pem certificate CLEANUP(pem_done) = {0};
    struct pem key CLEANUP(pem_done) = {0};
    struct identity identity CLEANUP(identity_done) = {0};
    if (!pem_read(&config->certificate, "tls_server_config.cert", &certificate, err) ||
        !pem_read(&config->key, "tls_server_config.key", &key, err) ||
        !load_chain(&certificate, &identity, err) || !load_key(&key, &identity, err))
        return false;
    int result = gnutls_certificate_set_x509_key(tls->credentials, identity.chain,
                                                 (int)identity.length, identity.key);
    if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return err_set(err, ERR_CONFIG, "the key in %s does not belong to the certificate in %s",
                       key.name, certificate.name);
    return result >= 0 || err_set(err, ERR_CONFIG, "the certificate in %s cannot be used: %s",
                                  certificate.name, gnutls_strerror(result));
}

/* Clients. */

static bool set_authorities(struct tls *tls, const struct web_tls_config *config, struct err *err)
{
    struct pem authorities CLEANUP(pem_done) = {0};
    if (!config->client_authorities.file && !config->client_authorities.text)
        return true;
    if (!pem_read(&config->client_authorities, "tls_server_config.client_ca", &authorities, err))
        return false;
    gnutls_datum_t text = datum_of(&authorities);
    int count = gnutls_certificate_set_x509_trust_mem(tls->credentials, &text, GNUTLS_X509_FMT_PEM);
    return count > 0 ||
           err_set(err, ERR_CONFIG, "%s holds no certificate in PEM%s%s", authorities.name,
                   count < 0 ? ": " : "", count < 0 ? gnutls_strerror(count) : "");
}

static const struct client_policy *find_policy(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        if (strcmp(policies[i].name, name) == 0)
            return &policies[i];
    }
    return NULL;
}

static bool copy_sans(struct tls *tls, const struct text_list *sans, struct err *err)
{
    for (size_t i = 0; i < sans->count; i++) {
        if (!text_list_add(&tls->allowed_sans, sans->items[i], err))
            return false;
    }
    return true;
}

static bool address_is_allowed(const struct text_list *allowed, const void *bytes, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    int family = size == sizeof(struct in6_addr) ? AF_INET6 : AF_INET;
    return (size == sizeof(struct in_addr) || size == sizeof(struct in6_addr)) &&
           inet_ntop(family, bytes, text, sizeof text) && text_list_has(allowed, text);
}

/* Names, mail addresses and URIs are texts; one with a NUL in it is no name that anybody meant. */
static bool san_is_allowed(const struct text_list *allowed, gnutls_x509_crt_t certificate,
                           unsigned index, bool *more)
{
    unsigned char san[1024]; /* longer ones are not among those allowed by people */
    size_t size = sizeof san - 1;
    int type = gnutls_x509_crt_get_subject_alt_name(certificate, index, san, &size, NULL);
    *more = type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
    if (type < 0)
        return false;
    if (type == GNUTLS_SAN_IPADDRESS)
        return address_is_allowed(allowed, san, size);
    san[size] = '\0';
    return (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME ||
            type == GNUTLS_SAN_URI) &&
           strlen((char *)san) == size && text_list_has(allowed, (char *)san);
}

static bool has_allowed_san(const struct text_list *allowed, const gnutls_datum_t *der)
{
    gnutls_x509_crt_t certificate;
    bool found = false;
    bool more = true;
    if (gnutls_x509_crt_init(&certificate) != 0)
        return false;
    if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) == 0) {
        for (unsigned i = 0; more && !found; i++)
            found = san_is_allowed(allowed, certificate, i, &more);
    }
    gnutls_x509_crt_deinit(certificate);
    return found;
}

/* Signed by one of the authorities, valid now, and made for a client. */
static bool is_trusted(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char[]){GNUTLS_KP_TLS_WWW_CLIENT},
    };
    unsigned problems = 0;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &problems) == 0 && problems == 0;
}

/* Called with a client's certificates, or without any. 0 lets the handshake go on. */
static int judge_client(gnutls_session_t session)
{
    const struct tls *tls = gnutls_db_get_ptr(session);
    unsigned count = 0;
    const gnutls_datum_t *certificates = gnutls_certificate_get_peers(session, &count);
    if (!certificates || count == 0) /* a missing one that is required was refused already */
        return 0;
    if (tls->policy->verifies && !is_trusted(session))
        return GNUTLS_E_CERTIFICATE_ERROR;
    if (tls->allowed_sans.count > 0 && !has_allowed_san(&tls->allowed_sans, &certificates[0]))
        return GNUTLS_E_CERTIFICATE_ERROR;
    return 0;
}

/* Versions. */

static void add_versions(const struct web_tls_config *config, struct strbuf *priority)
{
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        if (strcmp(versions[i].name, config->min_version) >= 0 &&
            strcmp(versions[i].name, config->max_version) <= 0)
            strbuf_puts(priority, versions[i].priority);
    }
}

static bool set_priority(struct tls *tls, const struct web_tls_config *config, struct err *err)
{
    struct strbuf priority CLEANUP(strbuf_done) = {0};
    const char *wrong = NULL;
    strbuf_puts(&priority, "NORMAL:-VERS-ALL");
    add_versions(config, &priority);
    if (config->prefer_server_cipher_suites)
        strbuf_puts(&priority, ":%SERVER_PRECEDENCE");
    if (priority.failed)
        return err_memory(err);
    int result = gnutls_priority_init(&tls->priority, strbuf_text(&priority), &wrong);
    /* Debian's or the administrator's system-wide settings may forbid what is asked for. */
    return result == 0 ||
           err_set(err, ERR_CONFIG, "TLS versions %s to %s cannot be had: %s", config->min_version,
                   config->max_version, gnutls_strerror(result));
}

static bool fill(struct tls *tls, const struct web_tls_config *config, struct err *err)
{
    tls->policy = find_policy(config->client_auth_type);
    if (gnutls_certificate_allocate_credentials(&tls->credentials) != 0)
        return err_memory(err);
    return set_identity(tls, config, err) && set_authorities(tls, config, err) &&
           copy_sans(tls, &config->client_allowed_sans, err) && set_priority(tls, config, err);
}

bool tls_new(const struct web_tls_config *config, struct tls **ret, struct err *err)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return err_memory(err);
    if (!fill(tls, config, err)) {
        tls_free(tls);
        return false;
    }
    *ret = tls;
    return true;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    if (tls->priority)
        gnutls_priority_deinit(tls->priority);
    text_list_done(&tls->allowed_sans);
    free(tls);
}

/* The session's own pointer is its HTTP server's. That of the session database is free: there is
 * no such database, so nothing is resumed and each handshake is judged. */
bool tls_apply(const struct tls *tls, gnutls_session_t session)
{
    gnutls_db_set_ptr(session, (struct tls *)(uintptr_t)tls);
    gnutls_certificate_server_set_request(session, tls->policy->request);
    gnutls_session_set_verify_function(session, judge_client);
    return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) == 0 &&
           gnutls_priority_set(session, tls->priority) == 0;
}
