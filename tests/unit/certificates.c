#include "tests/unit/certificates.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "exporter/base/strbuf.h"
#include "tests/unit/config_files.h"

#define HOUR 3600

/* What made, is; the rest of GnuTLS' answers do not matter here. */
static void sure(int result, const char *what)
{
    cr_assert(result >= 0, "%s: %s", what, gnutls_strerror(result));
}

static gnutls_x509_privkey_t new_key(void)
{
    gnutls_x509_privkey_t key;
    sure(gnutls_x509_privkey_init(&key), "key");
    sure(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
         "key");
    return key;
}

static void write_out(const struct certificate_wish *wish, const char *ending, gnutls_datum_t *pem)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, "%s.%s", wish->name, ending);
    free(config_file_write(wish->folder, strbuf_text(&name), (char *)pem->data));
    gnutls_free(pem->data);
}

static gnutls_datum_t read_in(const char *folder, const char *name, const char *ending)
{
    struct strbuf file CLEANUP(strbuf_done) = {0};
    gnutls_datum_t text;
    strbuf_printf(&file, "%s/%s.%s", folder, name, ending);
    sure(gnutls_load_file(strbuf_text(&file), &text), strbuf_text(&file));
    return text;
}

static void set_name(gnutls_x509_crt_t certificate, gnutls_x509_subject_alt_name_t type,
                     const void *bytes, size_t size)
{
    sure(gnutls_x509_crt_set_subject_alt_name(certificate, type, bytes, (unsigned)size,
                                              GNUTLS_FSAN_APPEND),
         "alternative name");
}

static void set_names(gnutls_x509_crt_t certificate, const struct certificate_wish *wish)
{
    struct in_addr address;
    if (wish->dns)
        set_name(certificate, GNUTLS_SAN_DNSNAME, wish->dns, strlen(wish->dns));
    if (wish->uri)
        set_name(certificate, GNUTLS_SAN_URI, wish->uri, strlen(wish->uri));
    if (wish->mail)
        set_name(certificate, GNUTLS_SAN_RFC822NAME, wish->mail, strlen(wish->mail));
    if (wish->ipv4 && inet_pton(AF_INET, wish->ipv4, &address) == 1)
        set_name(certificate, GNUTLS_SAN_IPADDRESS, &address, sizeof address);
}

static gnutls_x509_crt_t new_certificate(const struct certificate_wish *wish,
                                         gnutls_x509_privkey_t key)
{
    gnutls_x509_crt_t certificate;
    time_t now = time(NULL);
    bool plain = wish->begin == 0 && wish->end == 0;
    sure(gnutls_x509_crt_init(&certificate), "certificate");
    sure(gnutls_x509_crt_set_version(certificate, 3), "version");
    sure(gnutls_x509_crt_set_serial(certificate, "\1", 1), "serial");
    sure(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, wish->name,
                                       (unsigned)strlen(wish->name)),
         "name");
    gnutls_x509_crt_set_activation_time(certificate, now + (plain ? -HOUR : wish->begin));
    gnutls_x509_crt_set_expiration_time(certificate, now + (plain ? HOUR : wish->end));
    sure(gnutls_x509_crt_set_basic_constraints(certificate, wish->is_authority, -1), "authority");
    sure(gnutls_x509_crt_set_key_usage(certificate, wish->is_authority
                                                        ? GNUTLS_KEY_KEY_CERT_SIGN
                                                        : GNUTLS_KEY_DIGITAL_SIGNATURE),
         "usage");
    sure(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose");
    if (!wish->is_server_only)
        sure(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0),
             "purpose");
    set_names(certificate, wish);
    sure(gnutls_x509_crt_set_key(certificate, key), "key");
    return certificate;
}

static void sign(const struct certificate_wish *wish, gnutls_x509_crt_t certificate,
                 gnutls_x509_privkey_t key)
{
    gnutls_x509_crt_t signer;
    gnutls_x509_privkey_t signing;
    if (!wish->signer) {
        sure(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), "sign");
        return;
    }
    gnutls_datum_t crt_text = read_in(wish->folder, wish->signer, "crt");
    gnutls_datum_t key_text = read_in(wish->folder, wish->signer, "key");
    sure(gnutls_x509_crt_init(&signer), "signer");
    sure(gnutls_x509_privkey_init(&signing), "signer");
    sure(gnutls_x509_crt_import(signer, &crt_text, GNUTLS_X509_FMT_PEM), "signer");
    sure(gnutls_x509_privkey_import(signing, &key_text, GNUTLS_X509_FMT_PEM), "signer");
    sure(gnutls_x509_crt_sign2(certificate, signer, signing, GNUTLS_DIG_SHA256, 0), "sign");
    gnutls_x509_crt_deinit(signer);
    gnutls_x509_privkey_deinit(signing);
    gnutls_free(crt_text.data);
    gnutls_free(key_text.data);
}

void certificate_make(const struct certificate_wish *wish)
{
    gnutls_datum_t pem;
    gnutls_x509_privkey_t key = new_key();
    gnutls_x509_crt_t certificate = new_certificate(wish, key);
    sign(wish, certificate, key);
    sure(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), "certificate");
    write_out(wish, "crt", &pem);
    sure(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), "key");
    write_out(wish, "key", &pem);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}
