#include <criterion/criterion.h>

#include "collectors/registry.h"
#include "collectors/settings.h"
#include "exporter/base/strbuf.h"
#include "tests/unit/config_files.h"

static char *folder;
static char *yaml_path;
static struct settings *settings;
static struct err err;
static int rest;

/* The folder also takes the place of /etc: a pgbackrest.conf that the tests do not name would be
 * this machine's. */
static void begin(void)
{
    folder = config_folder_new();
    yaml_path = config_path(folder, "c.yml");
}

static void end(void)
{
    settings_free(settings);
    free(yaml_path);
    config_folder_remove(&folder);
}

TestSuite(settings, .init = begin, .fini = end);

static bool load_with(int argc, const char *const *argv)
{
    settings_free(settings);
    settings = NULL;
    return settings_load(argc, (char *const *)(uintptr_t)argv, &settings, &rest, &err);
}

#define LOAD(...)                                                                                  \
    load_with((int)COUNT_OF(((const char *const[]){"exporter", __VA_ARGS__})),                     \
              (const char *const[]){"exporter", __VA_ARGS__, NULL})

/* Load a YAML text, in which @ stands for the test's folder, with a pgbackrest.conf beside it. */
static bool load(const char *yaml, const char *conf)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    for (const char *c = yaml; *c; c++)
        strbuf_printf(&text, *c == '@' ? "%s" : "%.1s", *c == '@' ? folder : c);
    free(config_file_write(folder, "c.yml", strbuf_text(&text)));
    free(config_file_write(folder, "p.conf", conf));
    return LOAD("--config.file", yaml_path);
}

/* What is wrong with a YAML text, without the file's folder. */
static const char *wrong(const char *yaml)
{
    static struct strbuf out;
    strbuf_truncate(&out, 0);
    cr_assert_not(load(yaml, "[main]\npg1-path=/pg\n"), "%s", yaml);
    cr_expect_eq(err.code, ERR_CONFIG);
    for (const char *at = err.text; *at;) {
        bool name = strncmp(at, folder, strlen(folder)) == 0;
        strbuf_printf(&out, "%.1s", name ? "" : at);
        at += name ? strlen(folder) + 1 : 1;
    }
    return strbuf_text(&out);
}

/* The example of the documentation, with its file names moved into the test's folder. */
static void load_example(void)
{
    char *yaml CLEANUP(text_free) = config_file_text("tests/fixtures/config/seed.yml");
    char *conf CLEANUP(text_free) = config_file_text("tests/fixtures/config/pgbackrest.conf");
    char *named = strstr(yaml, "/etc/pgbackrest.conf");
    struct strbuf moved CLEANUP(strbuf_done) = {0};
    strbuf_add(&moved, yaml, (size_t)(named - yaml));
    strbuf_printf(&moved, "@/p.conf%s", named + strlen("/etc/pgbackrest.conf"));
    cr_assert(load(strbuf_text(&moved), conf), "%s", err.text);
}

Test(settings, the_example_gives_the_repositories_as_they_are_written)
{
    load_example();
    cr_assert_eq(settings->repository_count, 2);
    const struct repository_settings *nas = &settings->repositories[0];
    const struct repository_settings *r2 = &settings->repositories[1];
    cr_expect_eq(nas->key, 1);
    cr_expect_str_eq(nas->name, "nas");
    cr_expect_str_eq(nas->mount_path, "/mnt/nas-postgresql");
    cr_expect_str_eq(nas->mount_filesystem, "nfs");
    cr_expect_eq(nas->objectives.full, 97200);
    cr_expect_eq(nas->objectives.diff, 0);
    cr_expect_eq(nas->objectives.incr, 7200);
    cr_expect_eq(nas->objectives.recovery_point, 900);
    cr_expect_eq(nas->objectives.drill, 777600);
    cr_expect_eq(nas->objectives.restore_time, 7200);
    cr_expect_eq(nas->continuous_wal, UNSET);
    cr_expect_null(nas->credentials_file);
    cr_expect_eq(nas->options.count, 0);
    cr_expect_eq(r2->key, 2);
    cr_expect_eq(r2->options.count, 7);
    cr_expect_str_eq(pair_list_get(&r2->options, "retention-full"), "30");
    cr_expect_str_eq(r2->credentials_file, "/run/secrets/restic/r2-prod-env");
    cr_assert_eq(r2->credentials_map.count, 2);
    cr_expect_str_eq(r2->credentials_map.items[1].name, "s3-key-secret");
    cr_expect_str_eq(r2->credentials_map.items[1].value, "AWS_SECRET_ACCESS_KEY");
    cr_expect_eq(r2->continuous_wal, NO);
    cr_expect_eq(r2->objectives.recovery_point, 0);
}

Test(settings, the_example_gives_one_stanza_with_both_repositories)
{
    load_example();
    cr_assert_eq(settings->stanza_count, 1);
    const struct stanza *main = &settings->stanzas[0];
    cr_expect_str_eq(main->name, "main");
    cr_expect_str_eq(main->conninfo, "host=/var/run/postgresql dbname=postgres");
    cr_expect_str_eq(pair_list_get(&main->options, "spool-path"), "/var/lib/pgbackrest/spool");
    cr_expect_eq(main->options.count, 12);
    cr_assert_eq(main->repository_count, 2);
    cr_expect_str_eq(main->repositories[0].name, "nas");
    cr_expect_str_eq(main->repositories[0].storage, "posix");
    cr_expect(main->repositories[0].in_pgbackrest_conf);
    cr_expect_str_eq(pair_list_get(&main->repositories[0].options, "path"),
                     "/mnt/nas-postgresql/pgbackrest");
    cr_expect_str_eq(main->repositories[1].name, "r2");
    cr_expect_str_eq(main->repositories[1].storage, "s3");
    cr_expect_not(main->repositories[1].in_pgbackrest_conf);
    cr_expect_eq(main->repositories[1].settings, &settings->repositories[1]);
}

Test(settings, how_often_wal_is_verified_can_be_set)
{
    load_example();
    cr_expect_eq(settings_wal_verify_s(settings), 6 * 3600);
    cr_assert(load("pgbackrest: {config: @/p.conf}\nintervals: {wal: 1m, wal-verify: 12h}\n",
                   "[main]\npg1-path=/pg\n"),
              "%s", err.text);
    cr_expect_eq(settings_wal_verify_s(settings), 12 * 3600);
    cr_expect_eq(settings_collector(settings, "wal")->interval_s, 60);
}

Test(settings, the_example_gives_collectors_and_defaults)
{
    load_example();
    cr_expect_eq(settings_collector(settings, "archiver")->interval_s, 15);
    cr_expect_eq(settings_collector(settings, "archiver")->timeout_s, 5);
    cr_expect_eq(settings_collector(settings, "backups")->interval_s, 60);
    cr_expect_eq(settings_collector(settings, "verdict")->interval_s, 0);
    cr_expect(settings_collector(settings, "verdict")->enabled);
    cr_expect_eq(settings->collector_count, collector_count());
    cr_expect_str_eq(settings->config_file, yaml_path);
    cr_expect_str_eq(settings->pgbackrest.command, "/usr/bin/pgbackrest");
    cr_expect_str_eq(settings->pgbackrest.user, "postgres");
    cr_assert_eq(settings->web.listen_addresses.count, 1);
    cr_expect_str_eq(settings->web.listen_addresses.items[0], ":10854");
    cr_expect_str_eq(settings->web.telemetry_path, "/metrics");
    cr_expect_str_eq(settings->log_level, "info");
    cr_expect_str_eq(settings->log_format, "logfmt");
}

Test(settings, a_collector_that_does_not_exist_has_no_settings)
{
    load_example();
    cr_expect_null(settings_collector(settings, "nosuch"));
}

Test(settings, the_files_it_came_from_are_listed)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\n", "[main]\n"), "%s", err.text);
    char *conf CLEANUP(text_free) = config_path(folder, "p.conf");
    char *more CLEANUP(text_free) = config_path(folder, "conf.d");
    cr_assert_eq(settings->files.count, 3);
    cr_expect_str_eq(settings->files.items[0], yaml_path);
    cr_expect_str_eq(settings->files.items[1], conf);
    cr_expect_str_eq(settings->files.items[2], more);
}

Test(settings, a_repository_without_a_name_gets_one)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\nrepositories: [{key: 7}]\n", "[main]\n"));
    cr_expect_str_eq(settings->repositories[0].name, "repo7");
}

Test(settings, no_stanza_at_all_loads)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\npostgres: [{stanza: a, conninfo: b}]\n", ""));
    cr_expect_eq(settings->stanza_count, 0);
}

Test(settings, an_empty_list_of_clusters_means_none)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\npostgres: []\n", "[main]\npg1-path=/pg\n"));
    cr_expect_null(settings->stanzas[0].conninfo);
}

Test(settings, a_named_file_that_is_missing_is_an_error)
{
    cr_assert_not(LOAD("--config.file=/nowhere/c.yml"));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_str_eq(err.text, "cannot open /nowhere/c.yml: No such file or directory");
}

Test(settings, a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default)
{
    static const char yaml[] = "pgbackrest: {config: @/p.conf}\nlog: {level: debug}\n";
    cr_assert(load(yaml, "[main]\n"));
    cr_expect_str_eq(settings->log_level, "debug");
    setenv("PGBACKUP_EXPORTER_LOG_LEVEL", "warn", 1);
    cr_assert(load(yaml, "[main]\n"));
    cr_expect_str_eq(settings->log_level, "warn");
    cr_assert(LOAD("--config.file", yaml_path, "--log.level=error"));
    cr_expect_str_eq(settings->log_level, "error");
}

Test(settings, a_list_of_flags_replaces_the_one_of_the_file)
{
    cr_assert(
        load("pgbackrest: {config: @/p.conf}\nweb: {listen-address: [\":1\", \":2\"]}\n", ""));
    cr_expect_eq(settings->web.listen_addresses.count, 2);
    cr_assert(LOAD("--config.file", yaml_path, "--web.listen-address=:3"));
    cr_assert_eq(settings->web.listen_addresses.count, 1);
    cr_expect_str_eq(settings->web.listen_addresses.items[0], ":3");
}

Test(settings, the_environment_names_the_file_too)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\nlog: {level: debug}\n", ""));
    setenv("PGBACKUP_EXPORTER_CONFIG_FILE", yaml_path, 1);
    cr_assert(LOAD("--log.format=json"));
    cr_expect_str_eq(settings->log_level, "debug");
    cr_expect_str_eq(settings->log_format, "json");
}

Test(settings, a_collector_is_switched_off_by_flag)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\n", ""));
    cr_assert(LOAD("--config.file", yaml_path, "--no-collector.archiver"));
    cr_expect_not(settings_collector(settings, "archiver")->enabled);
    cr_expect(settings_collector(settings, "backups")->enabled);
}

Test(settings, the_command_is_where_the_flags_end)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\n", ""));
    cr_assert(LOAD("--config.file", yaml_path, "run", "--", "info"));
    cr_expect_eq(rest, 3);
}

Test(settings, what_only_asks_for_a_text_reads_no_file)
{
    cr_assert(LOAD("--config.file=/nowhere/c.yml", "--help"));
    cr_expect(settings->show_help);
    cr_assert(LOAD("--config.file=/nowhere/c.yml", "--version"));
    cr_expect(settings->show_version);
    cr_assert(LOAD("--config.file=/nowhere/c.yml", "--dump-docs=metrics"));
    cr_expect_str_eq(settings->dump_docs, "metrics");
}

Test(settings, wrong_flags_are_told_together)
{
    cr_assert_not(LOAD("--web.nosuch=x", "--log.level=loud", "--collector.nosuch",
                       "--config.file=c.yml", "--web.telemetry-path"));
    cr_expect_str_eq(err.text, "--web.nosuch: unknown flag; --help lists all\n"
                               "--collector.nosuch: unknown flag; --help lists all\n"
                               "--web.telemetry-path: needs a value\n"
                               "--log.level: \"loud\" is not one of error, warn, info, debug\n"
                               "--config.file: \"c.yml\" is not an absolute path");
}

Test(settings, metrics_cannot_take_the_place_of_the_status_page)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\n", ""));
    cr_assert_not(LOAD("--config.file", yaml_path, "--web.telemetry-path=/"));
    cr_expect_str_eq(err.text, "web.telemetry-path: \"/\" is where the status page is");
}

Test(settings, metrics_cannot_hide_another_page_or_stand_where_nobody_can_ask)
{
    static const struct {
        const char *path, *wrong;
    } cases[] = {
        {"/-/healthy", "\"/-/healthy\" is the program's own: choose a path outside /-/ and /api/"},
        {"/-/ready", "\"/-/ready\" is the program's own: choose a path outside /-/ and /api/"},
        {"/api/v1/status",
         "\"/api/v1/status\" is the program's own: choose a path outside /-/ and /api/"},
        {"/a b", "\"/a b\" holds a character that a client cannot ask for"},
        {"/a?b", "\"/a?b\" holds a character that a client cannot ask for"},
        {"/a#b", "\"/a#b\" holds a character that a client cannot ask for"},
        {"/m\xC3\xA9", "\"/m\xC3\xA9\" holds a character that a client cannot ask for"},
    };
    cr_assert(load("pgbackrest: {config: @/p.conf}\n", ""));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cr_assert_not(LOAD("--config.file", yaml_path, "--web.telemetry-path", cases[i].path));
        cr_expect(strstr(err.text, cases[i].wrong), "%s: %s", cases[i].path, err.text);
    }
}

#define CONFIG "pgbackrest: {config: @/p.conf}\n"

static const struct {
    const char *yaml, *wrong;
} mistakes[] = {
    {CONFIG "repositories:\n  - key: 1\n  - key: 1\n",
     "c.yml:4:10: repositories[1].key: 1 is already the key of repositories[0]"},
    {CONFIG "repositories:\n  - {key: 1, name: nas}\n  - {key: 2, name: nas}\n",
     "c.yml:4:20: repositories[1].name: \"nas\" is already the name of repositories[0]"},
    {CONFIG "repositories: [{key: 257}]\n",
     "c.yml:2:22: repositories[0].key: \"257\" is not a whole number from 1 to 256"},
    {CONFIG "repositories: [{name: x}, {name: y}]\n",
     "c.yml:2:17: repositories[0]: needs the key \"key\"\n"
     "c.yml:2:28: repositories[1]: needs the key \"key\""},
    {CONFIG "repositories: [{name: x}]\n", "c.yml:2:17: repositories[0]: needs the key \"key\""},
    {CONFIG "repositories:\n  - key: 1\n    objectives: {full: 27x}\n",
     "c.yml:4:24: repositories[0].objectives.full: \"27x\" is not a duration (a number with s, m, "
     "h "
     "or d, like 90s or 27h)"},
    {CONFIG "repositories: [{key: 1, credentials: {file: /f}}]\n",
     "c.yml:2:39: repositories[0].credentials: a file needs a map too, like {s3-key: "
     "AWS_ACCESS_KEY_ID}"},
    {CONFIG "repositories: [{key: 1, credentials: {map: {s3-key: A}}}]\n",
     "c.yml:2:39: repositories[0].credentials: a map needs a file too"},
    {CONFIG "repositories: [{key: 1, credentials: {file: f, map: {s3-key: A}}}]\n",
     "c.yml:2:45: repositories[0].credentials.file: \"f\" is not an absolute path\n"
     "c.yml:2:39: repositories[0].credentials: a map needs a file too"},
    {CONFIG "repositories: [{key: 1, credentials: {file: /f, map: {S3_KEY: A}}}]\n",
     "c.yml:2:63: repositories[0].credentials.map.S3_KEY: is no pgBackRest option (lower-case "
     "letters, digits and dashes)"},
    {CONFIG "repositories: [{key: 2, options: {repo2-s3-key: geheim}}]\n",
     "c.yml:2:49: repositories[0].options.repo2-s3-key: write the option without repoN-, like "
     "s3-bucket"},
    {CONFIG "repositories: [{key: 1, mount: {path: mnt/nas}}]\n",
     "c.yml:2:39: repositories[0].mount.path: \"mnt/nas\" is not an absolute path"},
    {CONFIG "postgres:\n  - {stanza: main, conninfo: a}\n  - {stanza: main, conninfo: b}\n",
     "c.yml:4:14: postgres[1].stanza: \"main\" is already the stanza of postgres[0]"},
    {CONFIG "postgres: [{stanza: mian, conninfo: a}]\n",
     "c.yml:2:21: postgres[0].stanza: \"mian\" is not one of the stanzas here: main"},
    {CONFIG "postgres: [{stanza: main}]\n", "c.yml:2:13: postgres[0]: needs the key \"conninfo\""},
    {CONFIG "postgres: [{stanza: main, conninfo: [geheim]}]\n",
     "c.yml:2:38: postgres[0].conninfo: must be a text"},
    {"pgbackrest:\n  config: @/p.conf\n  stanzas: [a, b, a]\n",
     "c.yml:3:19: pgbackrest.stanzas[2]: \"a\" is listed twice"},
    {"pgbackrest: {config: @/missing.conf}\n",
     "cannot open missing.conf: No such file or directory"},
    {CONFIG "intervals: {nosuch: 15s}\n",
     "c.yml:2:13: intervals.nosuch: unknown key; known here: "},
    {CONFIG "intervals: {archiver: 500ms}\n",
     "c.yml:2:23: intervals.archiver: \"500ms\" is not a duration from 1s to 7d"},
    {CONFIG "timeouts: {archiver: 8d}\n",
     "c.yml:2:22: timeouts.archiver: \"8d\" is not a duration from 1s to 7d"},
    {CONFIG "config: {file: /x}\n",
     "c.yml:2:1: config: unknown key; known here: postgres, pgbackrest, repositories, "
     "state-directory, intervals, "
     "timeouts, collector, web, log"},
};

/* The keys of intervals, which the text of one mistake ends with. */
static void add_collectors(struct strbuf *out)
{
    for (size_t i = 0; collector_registry[i]; i++)
        strbuf_printf(out, "%s, ", collector_registry[i]->name);
    strbuf_puts(out, "wal-verify");
}

Test(settings, each_mistake_is_told_with_its_place_and_what_is_allowed)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct strbuf expected CLEANUP(strbuf_done) = {0};
        strbuf_puts(&expected, mistakes[i].wrong);
        if (strstr(mistakes[i].wrong, "nosuch"))
            add_collectors(&expected);
        cr_expect_str_eq(wrong(mistakes[i].yaml), strbuf_text(&expected));
    }
}

Test(settings, a_broken_pgbackrest_configuration_is_told)
{
    cr_assert_not(load(CONFIG, "[global]\ngeheim\n"));
    cr_expect_not_null(strstr(err.text, "p.conf:2: no '=' between option and value"));
    cr_expect_null(strstr(err.text, "geheim"));
}

Test(settings, the_committed_documentation_is_what_the_tables_say)
{
    struct strbuf document CLEANUP(strbuf_done) = {0};
    settings_document(&document);
    char *committed CLEANUP(text_free) = config_file_text("docs/configuration.md");
    cr_expect_str_eq(
        committed, strbuf_text(&document),
        "docs/configuration.md lags behind: write it anew with --dump-docs=configuration");
}

Test(settings, the_documentation_shows_the_example_that_is_tested)
{
    char *example CLEANUP(text_free) = config_file_text("tests/fixtures/config/seed.yml");
    struct strbuf document CLEANUP(strbuf_done) = {0};
    settings_document(&document);
    cr_expect_not_null(strstr(strbuf_text(&document), example));
}

Test(settings, another_commands_sections_take_the_place_of_those_of_info)
{
    cr_assert(load("pgbackrest: {config: @/p.conf}\n",
                   "[main]\nx=1\n[main:info]\nx=2\n[main:backup]\nx=3\n"),
              "%s", err.text);
    cr_expect_str_eq(pair_list_get(&settings->stanzas[0].options, "x"), "2");
    cr_assert(settings_use_command(settings, "backup", &err));
    cr_expect_str_eq(pair_list_get(&settings->stanzas[0].options, "x"), "3");
    cr_expect_eq(settings_stanza(settings, "main"), &settings->stanzas[0]);
    cr_expect_null(settings_stanza(settings, "dev"));
}

Test(settings, help_names_each_flag_but_the_hidden_one)
{
    struct strbuf help CLEANUP(strbuf_done) = {0};
    settings_help(&help);
    static const char *const flags[] = {"--config.file=FILE",
                                        "--web.listen-address=ADDRESS",
                                        "--web.telemetry-path=PATH",
                                        "--web.config.file=FILE",
                                        "--[no-]collector.archiver",
                                        "--log.level=LEVEL",
                                        "--log.format=FORMAT",
                                        "--version",
                                        "-h, --help",
                                        "$PGBACKUP_EXPORTER_WEB_LISTEN_ADDRESS"};
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        cr_expect_not_null(strstr(strbuf_text(&help), flags[i]), "%s", flags[i]);
    cr_expect_null(strstr(strbuf_text(&help), "dump-docs"));
}
