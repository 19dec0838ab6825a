#include "exporter/web/tls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "exporter/base/strbuf.h"
#include "tests/unit/certificates.h"
#include "tests/unit/config_files.h"

#define STEPS_MAX 1000

static char *folder;
static struct err err;

static void make(struct certificate_wish wish)
{
    wish.folder = folder;
    certificate_make(&wish);
}

static void begin(void)
{
    folder = config_folder_new();
    make((struct certificate_wish){.name = "authority", .is_authority = true});
    make((struct certificate_wish){.name = "server", .signer = "authority", .dns = "localhost"});
}

static void end(void)
{
    config_folder_remove(&folder);
}

TestSuite(tls, .init = begin, .fini = end);

/* What a configuration says, with the names of files below the folder. */
struct said {
    const char *certificate;
    const char *key;
    const char *authorities;
    const char *type;
    const char *san;
    const char *min;
    const char *max;
};

static bool load(struct said said, struct tls **ret)
{
    struct web_tls_config config = {.prefer_server_cipher_suites = true};
    config.certificate.file =
        config_path(folder, said.certificate ? said.certificate : "server.crt");
    config.key.file = config_path(folder, said.key ? said.key : "server.key");
    if (said.authorities)
        config.client_authorities.file = config_path(folder, said.authorities);
    config.client_auth_type = strdup(said.type ? said.type : "NoClientCert");
    config.min_version = strdup(said.min ? said.min : "TLS12");
    config.max_version = strdup(said.max ? said.max : "TLS13");
    if (said.san)
        cr_assert(text_list_add(&config.client_allowed_sans, said.san, NULL));
    bool loaded = tls_new(&config, ret, &err);
    free(config.certificate.file);
    free(config.key.file);
    free(config.client_authorities.file);
    free(config.client_auth_type);
    free(config.min_version);
    free(config.max_version);
    text_list_done(&config.client_allowed_sans);
    return loaded;
}

/* The text of an error without the folder, which is another one each time. */
static const char *refused(struct said said)
{
    struct tls *tls = NULL;
    cr_assert_not(load(said, &tls), "it was taken");
    char *at = strstr(err.text, folder);
    while (at) {
        memmove(at, at + strlen(folder) + 1, strlen(at + strlen(folder) + 1) + 1);
        at = strstr(err.text, folder);
    }
    return err.text;
}

/* Files */

Test(tls, a_certificate_with_its_key_is_taken)
{
    struct tls *tls = NULL;
    cr_assert(load((struct said){0}, &tls), "%s", err.text);
    tls_free(tls);
}

Test(tls, a_missing_file_is_named)
{
    cr_expect_str_eq(refused((struct said){.certificate = "none.crt"}),
                     "cannot open none.crt: No such file or directory");
    cr_expect_str_eq(refused((struct said){.key = "none.key"}),
                     "cannot open none.key: No such file or directory");
    cr_expect_str_eq(refused((struct said){.authorities = "none.ca", .type = "RequestClientCert"}),
                     "cannot open none.ca: No such file or directory");
}

Test(tls, a_key_that_we_may_not_read_is_named)
{
    char *path CLEANUP(text_free) = config_path(folder, "server.key");
    chmod(path, 0);
    if (geteuid() == 0)
        cr_assert(chmod(folder, 0755) == 0 && seteuid(65534) == 0);
    const char *text = refused((struct said){0});
    if (getuid() == 0)
        cr_assert_eq(seteuid(0), 0);
    cr_expect_str_eq(text, "cannot open server.key: Permission denied");
    cr_expect_eq(err.code, ERR_PERMISSION);
}

Test(tls, what_is_no_pem_is_named)
{
    free(config_file_write(folder, "text", "no PEM\n"));
    free(config_file_write(folder, "empty", ""));
    cr_expect(
        strstr(refused((struct said){.certificate = "text"}), "text holds no certificate in PEM: "),
        "%s", err.text);
    cr_expect(strstr(refused((struct said){.key = "text"}), "text holds no private key in PEM: "),
              "%s", err.text);
    cr_expect(strstr(refused((struct said){.authorities = "text", .type = "RequestClientCert"}),
                     "text holds no certificate in PEM"),
              "%s", err.text);
    cr_expect(strstr(refused((struct said){.certificate = "empty"}),
                     "empty holds no certificate in PEM: "),
              "%s", err.text);
}

Test(tls, the_key_of_another_certificate_is_refused)
{
    cr_expect_str_eq(refused((struct said){.key = "authority.key"}),
                     "the key in authority.key does not belong to the certificate in server.crt");
}

Test(tls, a_certificate_whose_time_is_over_is_refused_with_that_time)
{
    make((struct certificate_wish){.name = "old", .begin = -7200, .end = -3600});
    const char *text = refused((struct said){.certificate = "old.crt", .key = "old.key"});
    cr_expect(strstr(text, "the certificate in old.crt has expired at 2"), "%s", text);
    cr_expect(strstr(text, " UTC"), "%s", text);
}

Test(tls, a_certificate_whose_time_has_not_come_is_refused)
{
    make((struct certificate_wish){.name = "early", .begin = 3600, .end = 7200});
    const char *text = refused((struct said){.certificate = "early.crt", .key = "early.key"});
    cr_expect(strstr(text, "the certificate in early.crt is not valid before 2"), "%s", text);
}

Test(tls, a_pem_can_stand_in_the_configuration_itself)
{
    char *certificate CLEANUP(text_free) = config_path(folder, "server.crt");
    char *key CLEANUP(text_free) = config_path(folder, "server.key");
    char type[] = "NoClientCert";
    char min[] = "TLS12";
    char max[] = "TLS13";
    struct web_tls_config config = {
        .client_auth_type = type, .min_version = min, .max_version = max};
    struct tls *tls = NULL;
    config.certificate.text = config_file_text(certificate);
    config.key.text = config_file_text(key);
    cr_expect(tls_new(&config, &tls, &err), "%s", err.text);
    tls_free(tls);
    config.key.text[40] = '!';
    cr_expect_not(tls_new(&config, &tls, &err));
    cr_expect(strstr(err.text, "tls_server_config.key holds no private key in PEM: "), "%s",
              err.text);
    free(config.certificate.text);
    free(config.key.text);
}

/* Handshakes, both ends in this thread over a pair of sockets. */

struct end {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    bool is_done;
    int result;
};

/* FORCE_CLIENT_CERT: sent whatever authorities the server names. */
static void open_end(struct end *end, unsigned flags, int fd)
{
    cr_assert_eq(gnutls_init(&end->session, flags | GNUTLS_NONBLOCK), 0);
    cr_assert_eq(gnutls_certificate_allocate_credentials(&end->credentials), 0);
    gnutls_transport_set_int(end->session, fd);
    cr_assert(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

static void close_end(struct end *end)
{
    gnutls_deinit(end->session);
    gnutls_certificate_free_credentials(end->credentials);
}

static void step(struct end *end)
{
    if (end->is_done)
        return;
    end->result = gnutls_handshake(end->session);
    end->is_done = end->result == 0 || gnutls_error_is_fatal(end->result);
}

static void use_certificate(struct end *client, const char *name)
{
    struct strbuf crt CLEANUP(strbuf_done) = {0};
    struct strbuf key CLEANUP(strbuf_done) = {0};
    strbuf_printf(&crt, "%s/%s.crt", folder, name);
    strbuf_printf(&key, "%s/%s.key", folder, name);
    cr_assert_geq(gnutls_certificate_set_x509_key_file(client->credentials, strbuf_text(&crt),
                                                       strbuf_text(&key), GNUTLS_X509_FMT_PEM),
                  0);
}

static int shake_hands(struct end *server, struct end *client)
{
    for (int i = 0; i < STEPS_MAX && !server->is_done; i++) {
        step(client);
        step(server);
    }
    cr_assert(server->is_done, "the handshake did not end");
    return server->result;
}

/* What the server makes of a client with that certificate (NULL: none) and these versions. */
static int meet(struct said said, const char *certificate, const char *versions)
{
    int fds[2];
    struct tls *tls = NULL;
    struct end server = {0};
    struct end client = {0};
    cr_assert(load(said, &tls), "%s", err.text);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    open_end(&server, GNUTLS_SERVER, fds[0]);
    open_end(&client, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT, fds[1]);
    cr_assert(tls_apply(tls, server.session));
    if (certificate)
        use_certificate(&client, certificate);
    gnutls_credentials_set(client.session, GNUTLS_CRD_CERTIFICATE, client.credentials);
    gnutls_priority_set_direct(client.session, versions ? versions : "NORMAL", NULL);
    int result = shake_hands(&server, &client);
    close_end(&client);
    close_end(&server);
    close(fds[0]);
    close(fds[1]);
    tls_free(tls);
    return result;
}

#define TLS12_ONLY "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13_ONLY "NORMAL:-VERS-ALL:+VERS-TLS1.3"

Test(tls, both_modern_versions_are_spoken_by_default)
{
    cr_expect_eq(meet((struct said){0}, NULL, TLS12_ONLY), 0);
    cr_expect_eq(meet((struct said){0}, NULL, TLS13_ONLY), 0);
    cr_expect_neq(meet((struct said){0}, NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.1"), 0);
}

Test(tls, versions_outside_the_range_are_refused)
{
    cr_expect_eq(meet((struct said){.max = "TLS12"}, NULL, TLS12_ONLY), 0);
    cr_expect_neq(meet((struct said){.max = "TLS12"}, NULL, TLS13_ONLY), 0);
    cr_expect_eq(meet((struct said){.min = "TLS13"}, NULL, TLS13_ONLY), 0);
    cr_expect_neq(meet((struct said){.min = "TLS13"}, NULL, TLS12_ONLY), 0);
}

/* Each type with each kind of client, by both versions. */

static const char *const versions[] = {TLS12_ONLY, TLS13_ONLY};

struct row {
    const char *type;
    bool none, stranger, known;
};

static const struct row rows[] = {
    {"NoClientCert", true, true, true},
    {"RequestClientCert", true, true, true},
    {"RequireAnyClientCert", false, true, true},
    {"RequireClientCert", false, true, true},
    {"VerifyClientCertIfGiven", true, false, true},
    {"RequireAndVerifyClientCert", false, false, true},
};

static void make_clients(void)
{
    make((struct certificate_wish){.name = "known",
                                   .signer = "authority",
                                   .dns = "prometheus.example",
                                   .uri = "spiffe://example/prometheus",
                                   .mail = "dba@example",
                                   .ipv4 = "192.0.2.7"});
    make((struct certificate_wish){.name = "stranger", .dns = "prometheus.example"});
}

Test(tls, each_type_lets_in_whom_it_says)
{
    make_clients();
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(versions); i++) {
        const struct row *row = &rows[i / COUNT_OF(versions)];
        const char *version = versions[i % COUNT_OF(versions)];
        struct said said = {.type = row->type, .authorities = "authority.crt"};
        cr_expect_eq(meet(said, NULL, version) == 0, row->none, "%s none %s", row->type, version);
        cr_expect_eq(meet(said, "stranger", version) == 0, row->stranger, "%s stranger %s",
                     row->type, version);
        cr_expect_eq(meet(said, "known", version) == 0, row->known, "%s known %s", row->type,
                     version);
    }
}

static int meet_verified(const char *san, const char *client)
{
    return meet((struct said){.type = "RequireAndVerifyClientCert",
                              .authorities = "authority.crt",
                              .san = san},
                client, NULL);
}

Test(tls, a_client_whose_certificate_has_expired_is_refused)
{
    make((struct certificate_wish){
        .name = "old", .signer = "authority", .begin = -7200, .end = -3600});
    cr_expect_neq(meet_verified(NULL, "old"), 0);
}

Test(tls, a_certificate_made_for_servers_is_none_of_a_client)
{
    make((struct certificate_wish){
        .name = "server2", .signer = "authority", .is_server_only = true});
    cr_expect_neq(meet_verified(NULL, "server2"), 0);
}

Test(tls, one_alternative_name_of_any_kind_that_is_allowed_is_enough)
{
    make_clients();
    cr_expect_eq(meet_verified("prometheus.example", "known"), 0);
    cr_expect_eq(meet_verified("spiffe://example/prometheus", "known"), 0);
    cr_expect_eq(meet_verified("dba@example", "known"), 0);
    cr_expect_eq(meet_verified("192.0.2.7", "known"), 0);
}

Test(tls, a_client_without_an_allowed_name_is_refused)
{
    make_clients();
    cr_expect_neq(meet_verified("other.example", "known"), 0);
    cr_expect_neq(meet_verified("192.0.2.70", "known"), 0);
    cr_expect_neq(meet_verified("known", "known"), 0, "a common name is no alternative name");
    make((struct certificate_wish){.name = "bare", .signer = "authority"});
    cr_expect_neq(meet_verified("prometheus.example", "bare"), 0);
}
