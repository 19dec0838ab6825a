#include "exporter/web/security.h"

#include <criterion/criterion.h>

#include "tests/unit/certificates.h"
#include "tests/unit/config_files.h"

#define USERS                                                                                      \
    "basic_auth_users: {alice: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}\n"
#define TLS "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"

static char *folder;
static struct err err;

static void begin(void)
{
    folder = config_folder_new();
    certificate_make(&(struct certificate_wish){.folder = folder, .name = "server"});
}

static void end(void)
{
    config_folder_remove(&folder);
}

TestSuite(security, .init = begin, .fini = end);

static struct security *read_text(const char *text, struct security *before)
{
    struct security *security = NULL;
    char *path CLEANUP(text_free) = config_file_write(folder, "web.yml", text);
    return security_read(path, before, &security, &err) ? security : NULL;
}

Test(security, an_empty_file_asks_for_nothing)
{
    struct security *security = read_text("", NULL);
    cr_assert(security, "%s", err.text);
    cr_expect_null(security_tls(security));
    cr_expect_null(security_auth(security));
    cr_expect_eq(security_user_count(security), 0);
    cr_expect_eq(security_headers(security)->count, 0);
    cr_expect_eq(security_files(security)->count, 1);
    security_unref(security);
}

Test(security, none_at_all_asks_for_nothing_either)
{
    cr_expect_null(security_tls(NULL));
    cr_expect_null(security_auth(NULL));
    cr_expect_eq(security_user_count(NULL), 0);
    cr_expect_eq(security_headers(NULL)->count, 0);
    cr_expect_eq(security_files(NULL)->count, 0);
    cr_expect_null(security_ref(NULL));
    security_unref(NULL);
}

Test(security, what_the_file_says_is_there)
{
    struct security *security =
        read_text(TLS USERS "http_server_config: {headers: {X-Frame-Options: deny}}\n", NULL);
    cr_assert(security, "%s", err.text);
    cr_expect_not_null(security_tls(security));
    cr_expect_not_null(security_auth(security));
    cr_expect_eq(security_user_count(security), 1);
    cr_expect_str_eq(pair_list_get(security_headers(security), "X-Frame-Options"), "deny");
    cr_expect_eq(security_files(security)->count, 3);
    security_unref(security);
}

Test(security, a_file_it_names_must_be_sound_too)
{
    cr_expect_null(
        read_text("tls_server_config: {cert_file: server.key, key_file: server.key}\n", NULL));
    cr_expect(strstr(err.text, "server.key holds no certificate in PEM"), "%s", err.text);
}

Test(security, it_lives_as_long_as_somebody_holds_it)
{
    struct security *security = read_text(USERS, NULL);
    cr_assert(security, "%s", err.text);
    struct security *held = security_ref(security);
    security_unref(security);
    cr_expect_eq(security_user_count(held), 1);
    security_unref(held);
}

Test(security, logins_outlive_a_reload)
{
    struct login login = {.name = strdup("alice"), .password = strdup("secret")};
    struct security *before = read_text(USERS, NULL);
    cr_assert(auth_work_out(security_auth(before), &login));
    struct security *after = read_text(TLS USERS, before);
    cr_assert(after, "%s", err.text);
    cr_expect_eq(auth_recall(security_auth(after), &login), AUTH_GRANTED);
    login_done(&login);
    security_unref(before);
    security_unref(after);
}
