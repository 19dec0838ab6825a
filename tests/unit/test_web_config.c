#include "exporter/web/web_config.h"

#include <criterion/criterion.h>

#include "tests/unit/config_files.h"

#define HASH "$2b$05$8DnLPK/aDF4341131a0S0OeLQ0CQ7nMf5nTVZmmlIHt4sHQusKN.W"

static char *folder;
static struct err err;

static void begin(void)
{
    folder = config_folder_new();
}

static void end(void)
{
    config_folder_remove(&folder);
}

TestSuite(web_config, .init = begin, .fini = end);

static void config_done(struct web_config **config)
{
    web_config_free(*config);
}

#define CONFIG struct web_config *config CLEANUP(config_done) = NULL

static bool read_text(const char *text, struct web_config **ret)
{
    char *path CLEANUP(text_free) = config_file_write(folder, "web.yml", text);
    return web_config_read(path, ret, &err);
}

/* All that is wrong, without the name of the folder. */
static const char *wrong(const char *text)
{
    CONFIG;
    cr_assert_not(read_text(text, &config), "taken: %s", text);
    char *at = strstr(err.text, folder);
    while (at) {
        size_t skip = strlen(folder) + 1;
        memmove(at, at + skip, strlen(at + skip) + 1);
        at = strstr(err.text, folder);
    }
    return err.text;
}

Test(web_config, an_empty_file_asks_for_nothing)
{
    static const char *const texts[] = {"", "# nothing\n", "{}\n", "tls_server_config:\n",
                                        "tls_server_config: {}\nbasic_auth_users: {}\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        CONFIG;
        cr_assert(read_text(texts[i], &config), "%s", err.text);
        cr_expect_not(config->has_tls, "%s", texts[i]);
        cr_expect_eq(config->users.count, 0);
        cr_expect_eq(config->headers.count, 0);
        cr_expect_eq(config->files.count, 1);
    }
}

Test(web_config, what_is_not_said_is_as_in_exporter_toolkit)
{
    CONFIG;
    cr_assert(read_text("tls_server_config: {cert_file: a, key_file: b}\n", &config), "%s",
              err.text);
    cr_expect(config->has_tls);
    cr_expect_str_eq(config->tls.client_auth_type, "NoClientCert");
    cr_expect_str_eq(config->tls.min_version, "TLS12");
    cr_expect_str_eq(config->tls.max_version, "TLS13");
    cr_expect(config->tls.prefer_server_cipher_suites);
}

Test(web_config, everything_that_can_be_said_is_taken)
{
    CONFIG;
    cr_assert(read_text("tls_server_config:\n"
                        "  cert_file: server.crt\n"
                        "  key_file: server.key\n"
                        "  client_auth_type: RequireAndVerifyClientCert\n"
                        "  client_ca_file: ca.crt\n"
                        "  client_allowed_sans: [one.example, two.example]\n"
                        "  min_version: TLS13\n"
                        "  max_version: TLS13\n"
                        "  prefer_server_cipher_suites: false\n"
                        "  cipher_suites: []\n"
                        "http_server_config:\n"
                        "  http2: false\n"
                        "  headers:\n"
                        "    Strict-Transport-Security: max-age=31536000\n"
                        "    X-Content-Type-Options: nosniff\n"
                        "    X-Frame-Options: sameorigin\n"
                        "    X-XSS-Protection: \"0\"\n"
                        "    Content-Security-Policy: \"default-src 'none'\"\n"
                        "basic_auth_users:\n"
                        "  alice: " HASH "\n"
                        "  bob: " HASH "\n",
                        &config),
              "%s", err.text);
    cr_expect_str_eq(config->tls.client_auth_type, "RequireAndVerifyClientCert");
    cr_expect_eq(config->tls.client_allowed_sans.count, 2);
    cr_expect_str_eq(config->tls.min_version, "TLS13");
    cr_expect_not(config->tls.prefer_server_cipher_suites);
    cr_expect_eq(config->headers.count, 5);
    cr_expect_str_eq(pair_list_get(&config->headers, "X-Frame-Options"), "sameorigin");
    cr_expect_eq(config->users.count, 2);
    cr_expect_str_eq(pair_list_get(&config->users, "bob"), HASH);
}

Test(web_config, relative_paths_are_beside_the_file_itself)
{
    CONFIG;
    cr_assert(read_text("tls_server_config: {cert_file: tls/a.crt, key_file: /b.key}\n", &config),
              "%s", err.text);
    char *expected CLEANUP(text_free) = config_path(folder, "tls/a.crt");
    cr_expect_str_eq(config->tls.certificate.file, expected);
    cr_expect_str_eq(config->tls.key.file, "/b.key");
}

Test(web_config, every_file_it_comes_from_is_told)
{
    CONFIG;
    cr_assert(read_text("tls_server_config: {cert_file: /a, key_file: /b, client_ca_file: /c, "
                        "client_auth_type: VerifyClientCertIfGiven}\n",
                        &config),
              "%s", err.text);
    cr_assert_eq(config->files.count, 4);
    cr_expect(text_list_has(&config->files, "/a") && text_list_has(&config->files, "/b") &&
              text_list_has(&config->files, "/c"));
}

Test(web_config, a_pem_may_stand_in_the_file_itself)
{
    CONFIG;
    cr_assert(read_text("tls_server_config:\n  cert: |\n    one\n    two\n  key: three\n", &config),
              "%s", err.text);
    cr_expect_str_eq(config->tls.certificate.text, "one\ntwo\n");
    cr_expect_str_eq(config->tls.key.text, "three");
    cr_expect_eq(config->files.count, 1);
}

Test(web_config, a_missing_file_is_named)
{
    CONFIG;
    cr_expect_not(web_config_read("/nowhere/web.yml", &config, &err));
    cr_expect_str_eq(err.text, "cannot open /nowhere/web.yml: No such file or directory");
    cr_expect_eq(err.code, ERR_CONFIG);
}

/* What is refused, and how. */

#define TLS "tls_server_config: {cert_file: a, key_file: b"

static const struct {
    const char *text;
    const char *error;
} mistakes[] = {
    {TLS ", cipher_suites: [TLS_AES_128_GCM_SHA256]}\n",
     "web.yml:1:64: tls_server_config.cipher_suites: is not supported: the suites are GnuTLS's own "
     "choice; leave it out"},
    {TLS ", curve_preferences: [CurveP256]}\n",
     "web.yml:1:68: tls_server_config.curve_preferences: is not supported: the curves are GnuTLS's "
     "own choice; leave it out"},
    {"http_server_config: {http2: true}\n",
     "web.yml:1:29: http_server_config.http2: is not supported: HTTP/1.1 is what is spoken here; "
     "leave it out or say false"},
    {"rate_limit: {interval: 1s, burst: 20}\n",
     "web.yml:1:14: rate_limit: is not supported: connections are limited for each client already; "
     "leave it out"},
    {"tls_server_config: {min_version: TLS13}\n",
     "web.yml:1:21: tls_server_config: needs a cert_file\n"
     "web.yml:1:21: tls_server_config: needs a key_file"},
    {"tls_server_config: {key_file: b}\n", "web.yml:1:21: tls_server_config: needs a cert_file"},
    {TLS ", cert: c}\n", "web.yml:1:54: tls_server_config.cert: cannot stand beside cert_file"},
    {TLS ", key: c}\n", "web.yml:1:53: tls_server_config.key: cannot stand beside key_file"},
    {TLS ", min_version: TLS13, max_version: TLS12}\n",
     "web.yml:1:21: tls_server_config: min_version TLS13 is above max_version TLS12"},
    {TLS ", min_version: SSL30}\n",
     "web.yml:1:61: tls_server_config.min_version: \"SSL30\" is not one of TLS10, TLS11, TLS12, "
     "TLS13"},
    {TLS ", client_auth_type: Maybe}\n",
     "web.yml:1:66: tls_server_config.client_auth_type: \"Maybe\" is not one of NoClientCert, "
     "RequestClientCert, RequireAnyClientCert, RequireClientCert, VerifyClientCertIfGiven, "
     "RequireAndVerifyClientCert"},
    {TLS ", client_auth_type: RequireAndVerifyClientCert}\n",
     "web.yml:1:66: tls_server_config.client_auth_type: RequireAndVerifyClientCert needs a "
     "client_ca_file"},
    {TLS ", client_ca_file: c}\n",
     "web.yml:1:21: tls_server_config: client_ca_file without a client_auth_type asks no client "
     "for anything"},
    {TLS ", client_allowed_sans: [x]}\n",
     "web.yml:1:70: tls_server_config.client_allowed_sans: needs a client_auth_type that asks for "
     "certificates"},
    {"tls_server_config: {cert_fil: a}\n",
     "web.yml:1:21: tls_server_config.cert_fil: unknown key; did you mean \"cert_file\"?\n"
     "web.yml:1:21: tls_server_config: needs a cert_file\n"
     "web.yml:1:21: tls_server_config: needs a key_file"},
    {"http_server_config: {headers: {X-Frame-Options: allow}}\n",
     "web.yml:1:49: http_server_config.headers.X-Frame-Options: \"allow\" is not one of deny, "
     "sameorigin"},
    {"http_server_config: {headers: {Server: x}}\n",
     "web.yml:1:32: http_server_config.headers.Server: unknown key; known here: "
     "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, "
     "Content-Security-Policy"},
    {"http_server_config: {headers: {X-XSS-Protection: \"0\\r\\nSet-Cookie: x\"}}\n",
     "web.yml:1:50: http_server_config.headers.X-XSS-Protection: must be one line of printable "
     "ASCII characters"},
    {"basic_auth_users: {alice: secret}\n",
     "web.yml:1:27: basic_auth_users.alice: the value is not a bcrypt hash ($2b$, two digits of "
     "cost, salt and hash)"},
    {"basic_auth_users: {alice: [secret]}\n",
     "web.yml:1:28: basic_auth_users.alice: must be a text"},
    {"basic_auth_users: {\"a:b\": " HASH "}\n",
     "web.yml:1:27: basic_auth_users.a:b: a name cannot hold a colon: no client could send it"},
    {"basic_auth_user: {}\n",
     "web.yml:1:1: basic_auth_user: unknown key; did you mean \"basic_auth_users\"?"},
};

Test(web_config, each_mistake_is_told_with_its_place)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++)
        cr_expect_str_eq(wrong(mistakes[i].text), mistakes[i].error, "%s\n%s", err.text,
                         mistakes[i].error);
}

Test(web_config, no_error_shows_a_hash_or_a_key)
{
    cr_expect_null(strstr(wrong("basic_auth_users: {alice: " HASH "x}\n"), "8DnLPK"));
    cr_expect_null(strstr(wrong(TLS ", key: topsecret}\n"), "topsecret"));
    cr_expect_null(strstr(wrong("tls_server_config: {key: [topsecret]}\n"), "topsecret"));
}
