#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/repository.h"

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

/* A stanza with one repository, and a file for its credentials. */
struct place {
    char directory[32];
    char file[64];
    struct stanza stanza;
    struct repository_settings settings;
    struct stanza_repository repository;
};

static void place_init(struct place *place)
{
    *place = (struct place){.directory = "/tmp/test_repository_XXXXXX"};
    cr_assert(mkdtemp(place->directory));
    snprintf(place->file, sizeof place->file, "%s/env", place->directory);
    place->stanza.name = (char *)(uintptr_t) "main";
    place->settings.credentials_file = place->file;
    place->repository = (struct stanza_repository){
        .stanza = &place->stanza,
        .key = 2,
        .name = TEXT_OF("r2"),
        .storage = "s3",
        .cipher = "none",
        .settings = &place->settings,
    };
}

static void place_done(struct place *place)
{
    unlink(place->file);
    cr_expect_eq(rmdir(place->directory), 0);
    pair_list_done(&place->stanza.options);
    pair_list_done(&place->repository.options);
    pair_list_done(&place->settings.credentials_map);
}

static void write_file(const struct place *place, const char *text, mode_t mode)
{
    int fd = open(place->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void option(struct pair_list *list, const char *name, const char *value)
{
    struct err err;
    cr_assert(pair_list_add(list, name, value, &err));
}

static void map_keys(struct place *place)
{
    option(&place->settings.credentials_map, "s3-key", "AWS_ACCESS_KEY_ID");
    option(&place->settings.credentials_map, "s3-key-secret", "AWS_SECRET_ACCESS_KEY");
}

static struct repository_env make_env(const struct place *place)
{
    struct repository_env env;
    struct err err = {0};
    cr_assert(repository_env(&place->repository, &env, &err), "%s", err.text);
    return env;
}

static struct err refuse(const struct place *place)
{
    struct repository_env env;
    struct err err = {0};
    cr_assert_not(repository_env(&place->repository, &env, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    return err;
}

static bool has(const struct repository_env *env, const char *item)
{
    for (char **at = env->items; *at; at++) {
        if (strcmp(*at, item) == 0)
            return true;
    }
    return false;
}

static void expect_redacted(const struct repository_env *env, const char *text,
                            const char *expected)
{
    struct strbuf out = {0};
    repository_redact(env, text, &out);
    cr_expect_str_eq(strbuf_text(&out), expected);
    strbuf_done(&out);
}

Test(repository, options_become_variables_of_its_own_key)
{
    struct place place;
    place_init(&place);
    place.settings.credentials_file = NULL;
    option(&place.repository.options, "type", "s3");
    option(&place.repository.options, "s3-uri-style", "path");
    option(&place.stanza.options, "lock-path", "/run/lock");
    option(&place.stanza.options, "pg1-path", "/var/lib/pg");
    struct repository_env env = make_env(&place);
    cr_expect(has(&env, "PGBACKREST_REPO2_TYPE=s3"));
    cr_expect(has(&env, "PGBACKREST_REPO2_S3_URI_STYLE=path"));
    cr_expect(has(&env, "PGBACKREST_LOCK_PATH=/run/lock"));
    cr_expect(has(&env, "PGBACKREST_PG1_PATH=/var/lib/pg"));
    cr_expect(has(&env, "PATH=/usr/bin:/bin"));
    cr_expect(has(&env, "LC_ALL=C.UTF-8"));
    cr_expect_eq(env.count, 6);
    cr_expect_null(env.items[env.count]);
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, nothing_of_our_own_environment_goes_along)
{
    struct place place;
    place_init(&place);
    place.settings.credentials_file = NULL;
    setenv("PGBACKREST_REPO1_PATH", "/not/this", 1);
    struct repository_env env = make_env(&place);
    cr_expect_eq(env.count, 2);
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, a_list_is_one_variable_with_colons)
{
    struct place place;
    place_init(&place);
    place.settings.credentials_file = NULL;
    option(&place.repository.options, "sftp-known-host", "/a");
    option(&place.repository.options, "type", "sftp");
    option(&place.repository.options, "sftp-known-host", "/b");
    struct repository_env env = make_env(&place);
    cr_expect(has(&env, "PGBACKREST_REPO2_SFTP_KNOWN_HOST=/a:/b"));
    cr_expect_eq(env.count, 4);
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, credentials_are_read_anew_each_time_and_go_over_options)
{
    struct place place;
    place_init(&place);
    map_keys(&place);
    option(&place.repository.options, "s3-key", "of the options");
    write_file(&place, "AWS_ACCESS_KEY_ID=first\nAWS_SECRET_ACCESS_KEY=one\n", 0600);
    struct repository_env env = make_env(&place);
    cr_expect(has(&env, "PGBACKREST_REPO2_S3_KEY=first"));
    cr_expect(has(&env, "PGBACKREST_REPO2_S3_KEY_SECRET=one"));
    repository_env_done(&env);

    write_file(&place, "AWS_ACCESS_KEY_ID=second\nAWS_SECRET_ACCESS_KEY=two\n", 0600);
    env = make_env(&place);
    cr_expect(has(&env, "PGBACKREST_REPO2_S3_KEY=second"));
    cr_expect_eq(env.count, 4);
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, a_credentials_file_that_all_may_read_works_but_is_told)
{
    struct place place;
    place_init(&place);
    map_keys(&place);
    write_file(&place, "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n", 0640);
    struct repository_env env = make_env(&place);
    cr_expect_not(env.world_readable);
    repository_env_done(&env);
    write_file(&place, "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n", 0644);
    env = make_env(&place);
    cr_expect(env.world_readable);
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, credentials_of_systemd_are_found_in_its_directory)
{
    struct place place;
    place_init(&place);
    map_keys(&place);
    place.settings.credentials_file = TEXT_OF("$CREDENTIALS_DIRECTORY/env");
    unsetenv("CREDENTIALS_DIRECTORY");
    cr_expect_str_eq(refuse(&place).text, "credentials file $CREDENTIALS_DIRECTORY/env: systemd "
                                          "gave no CREDENTIALS_DIRECTORY");
    setenv("CREDENTIALS_DIRECTORY", place.directory, 1);
    write_file(&place, "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n", 0600);
    struct repository_env env = make_env(&place);
    cr_expect(has(&env, "PGBACKREST_REPO2_S3_KEY=a"));
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, a_missing_file_is_a_configuration_error_that_names_it)
{
    struct place place;
    place_init(&place);
    struct err err = refuse(&place);
    cr_expect(strstr(err.text, place.file));
    cr_expect(strstr(err.text, "No such file"));
    place_done(&place);
}

Test(repository, having_no_descriptor_left_is_no_fault_of_the_file)
{
    struct place place;
    struct rlimit before;
    struct repository_env env = {0};
    struct err err = {0};
    place_init(&place);
    map_keys(&place);
    write_file(&place, "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n", 0600);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_max = before.rlim_max}), 0);
    bool made = repository_env(&place.repository, &env, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    cr_expect_not(made);
    cr_expect_eq(err.code, ERR_SYSTEM, "%s", err.text);
    place_done(&place);
}

Test(repository, a_name_that_the_file_lacks_is_named_without_any_value)
{
    struct place place;
    place_init(&place);
    map_keys(&place);
    write_file(&place, "AWS_ACCESS_KEY_ID=topsecret\nAWS_SECRET\n", 0600);
    struct err err = refuse(&place);
    cr_expect(strstr(err.text, "does not name AWS_SECRET_ACCESS_KEY (for s3-key-secret); line 2"));
    cr_expect_not(strstr(err.text, "topsecret"));
    write_file(&place, "AWS_ACCESS_KEY_ID=topsecret\nAWS_SECRET_ACCESS_KEY=\n", 0600);
    cr_expect(strstr(refuse(&place).text, "gives no value to AWS_SECRET_ACCESS_KEY"));
    place_done(&place);
}

Test(repository, a_malformed_file_is_refused_with_its_line_and_no_value)
{
    struct place place;
    place_init(&place);
    map_keys(&place);
    write_file(&place, "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY='topsecret\n", 0600);
    struct err err = refuse(&place);
    cr_expect(strstr(err.text, "line 2 opens a quote"));
    cr_expect_not(strstr(err.text, "topsecret"));
    place_done(&place);
}

Test(repository, a_fifo_a_directory_and_a_huge_file_are_refused_at_once)
{
    struct place place;
    place_init(&place);
    cr_assert_eq(mkfifo(place.file, 0600), 0);
    cr_expect(strstr(refuse(&place).text, "is not a regular file"));
    unlink(place.file);
    cr_assert_eq(mkdir(place.file, 0700), 0);
    cr_expect(strstr(refuse(&place).text, "is not a regular file"));
    rmdir(place.file);
    write_file(&place, "", 0600);
    cr_assert_eq(truncate(place.file, 65537), 0);
    cr_expect(strstr(refuse(&place).text, "is larger than 65536 bytes"));
    place_done(&place);
}

Test(repository, secrets_are_redacted_also_as_the_hex_that_a_store_echoes)
{
    struct place place;
    place_init(&place);
    map_keys(&place);
    option(&place.repository.options, "cipher-pass", "open sesame");
    write_file(&place, "AWS_ACCESS_KEY_ID=AKIAKEYS\nAWS_SECRET_ACCESS_KEY=AKIAKEYSLONGER\n", 0600);
    struct repository_env env = make_env(&place);
    expect_redacted(&env, "<K>AKIAKEYS</K> open sesame", "<K>***</K> ***");
    expect_redacted(&env, "AKIAKEYSLONGER,AKIAKEYS", "***,***");
    expect_redacted(&env, "x 41 4b 49 41 4b 45 59 53 y", "x *** y");
    expect_redacted(&env, "AKIAKEY", "AKIAKEY");
    expect_redacted(&env, "", "");
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, options_can_be_set_and_given_a_default_later)
{
    struct place place;
    place_init(&place);
    place.settings.credentials_file = NULL;
    option(&place.stanza.options, "io-timeout", "7");
    struct repository_env env = make_env(&place);
    struct err err;
    cr_assert(repository_env_default(&env, "io-timeout", "1", &err));
    cr_assert(repository_env_default(&env, "io", "2", &err));
    cr_assert(repository_env_set(&env, "log-level-file", "info", &err));
    cr_assert(repository_env_set(&env, "log-level-file", "off", &err));
    cr_expect(has(&env, "PGBACKREST_IO_TIMEOUT=7"));
    cr_expect(has(&env, "PGBACKREST_IO=2"));
    cr_expect(has(&env, "PGBACKREST_LOG_LEVEL_FILE=off"));
    cr_expect_eq(env.count, 5);
    repository_env_done(&env);
    place_done(&place);
}

Test(repository, pgbackrests_secure_options_are_known_as_secrets)
{
    static const char *const secrets[] = {"cipher-pass",
                                          "s3-key",
                                          "s3-key-secret",
                                          "s3-token",
                                          "s3-sse-customer-key",
                                          "azure-account",
                                          "azure-key",
                                          "gcs-key",
                                          "sftp-private-key-passphrase"};
    static const char *const others[] = {"s3-key-type", "path",   "s3-bucket", "gcs-key-type",
                                         "monkey",      "bypass", ""};
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        cr_expect(repository_option_is_secret(secrets[i]), "%s", secrets[i]);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        cr_expect_not(repository_option_is_secret(others[i]), "%s", others[i]);
}

Test(repository, releasing_twice_is_harmless)
{
    struct place place;
    place_init(&place);
    place.settings.credentials_file = NULL;
    struct repository_env env = make_env(&place);
    repository_env_done(&env);
    cr_expect_null(env.items);
    repository_env_done(&env);
    place_done(&place);
}

static const char *command_for(const struct place *place)
{
    static struct strbuf out;
    strbuf_truncate(&out, 0);
    repository_add_command(&place->repository, "info", &out);
    return strbuf_text(&out);
}

Test(repository, a_command_for_people_is_pgbackrests_own_where_its_configuration_suffices)
{
    struct place place;
    place_init(&place);
    place.repository.in_pgbackrest_conf = true;
    cr_expect_str_eq(command_for(&place),
                     "sudo -u postgres pgbackrest --stanza=main --repo=2 info");
    place_done(&place);
}

Test(repository, a_command_for_people_names_a_configuration_that_pgbackrest_does_not_find)
{
    struct place place;
    place_init(&place);
    place.repository.in_pgbackrest_conf = true;
    place.stanza.pgbackrest_config = "/opt/my own.conf";
    cr_expect_str_eq(command_for(&place), "sudo -u postgres pgbackrest --config='/opt/my own.conf' "
                                          "--stanza=main --repo=2 info");
    place_done(&place);
}

Test(repository, else_it_goes_through_run_with_the_configuration_in_use)
{
    struct place place;
    place_init(&place);
    cr_expect_str_eq(command_for(&place),
                     "sudo -u postgres pgbackup_exporter run --stanza=main --repo=2 -- info");
    place.stanza.config_file = "/opt/e.yml";
    cr_expect_str_eq(command_for(&place), "sudo -u postgres pgbackup_exporter "
                                          "--config.file=/opt/e.yml run --stanza=main --repo=2 -- "
                                          "info");
    place_done(&place);
}

Test(repository, a_variable_of_the_caller_is_passed_on_if_it_is_there)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct err err;
    cr_assert_eq(setenv("TEST_REPOSITORY_A", "x=y", 1), 0);
    cr_assert(repository_env_pass(&env, "TEST_REPOSITORY_A", &err));
    cr_assert(repository_env_pass(&env, "TEST_REPOSITORY_B", &err));
    cr_assert_eq(env.count, 1);
    cr_expect_str_eq(env.items[0], "TEST_REPOSITORY_A=x=y");
}

Test(repository, two_repositories_share_one_environment)
{
    struct place place;
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct err err;
    place_init(&place);
    place.settings.credentials_file = NULL;
    option(&place.stanza.options, "lock-path", "/l");
    option(&place.repository.options, "path", "/two");
    struct stanza_repository other = place.repository;
    other.key = 1;
    cr_assert(repository_env_begin(&place.stanza, &env, &err));
    cr_assert(repository_env_add(&env, &place.repository, &err));
    cr_assert(repository_env_add(&env, &other, &err));
    cr_expect_str_eq(repository_env_get(&env, "lock-path"), "/l");
    cr_expect_str_eq(repository_env_get(&env, "repo1-path"), "/two");
    cr_expect_str_eq(repository_env_get(&env, "repo2-path"), "/two");
    place_done(&place);
}

Test(repository, an_option_is_found_by_its_whole_name)
{
    struct repository_env env = {0};
    struct err err;
    cr_assert(repository_env_set(&env, "repo2-s3-key-secret", "b", &err));
    cr_expect_null(repository_env_get(&env, "repo2-s3-key"));
    cr_assert(repository_env_set(&env, "repo2-s3-key", "a=1", &err));
    cr_expect_str_eq(repository_env_get(&env, "repo2-s3-key"), "a=1");
    cr_expect_str_eq(repository_env_get(&env, "repo2-s3-key-secret"), "b");
    repository_env_done(&env);
}

Test(repository, wal_is_continuous_as_configured_else_where_pgbackrest_conf_names_the_repository)
{
    static const struct {
        enum tristate said;
        bool in_conf, expected;
    } cases[] = {{UNSET, true, true}, {UNSET, false, false}, {NO, true, false}, {YES, false, true}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repository_settings settings = {.continuous_wal = cases[i].said};
        struct stanza_repository repository = {.settings = &settings,
                                               .in_pgbackrest_conf = cases[i].in_conf};
        cr_expect_eq(repository_has_continuous_wal(&repository), cases[i].expected, "%zu", i);
    }
    cr_expect(repository_has_continuous_wal(
        &(const struct stanza_repository){.in_pgbackrest_conf = true}));
}
