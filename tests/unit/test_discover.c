#include <criterion/criterion.h>
#include <unistd.h>

#include "collectors/discover.h"
#include "exporter/base/strbuf.h"
#include "tests/unit/config_files.h"

static struct settings settings;
static struct pgbackrest_conf conf;
static struct err err;

static void drop(void)
{
    discover_stanzas_free(&settings);
    text_list_done(&settings.files);
    text_list_done(&settings.pgbackrest.stanzas);
    free(settings.pgbackrest.config);
    settings.pgbackrest.config = NULL;
    pgbackrest_conf_done(&conf);
}

TestSuite(discover, .fini = drop);

/* Complete `settings` by the text of a pgbackrest.conf. */
static void discover(const char *text)
{
    cr_assert(pgbackrest_conf_parse(&conf, "p.conf", text, strlen(text), &err), "%s", err.text);
    cr_assert(discover_stanzas(&settings, &conf, "info", &err), "%s", err.text);
}

static const char *option(const struct pair_list *list, const char *name)
{
    const char *value = pair_list_get(list, name);
    return value ? value : "(none)";
}

#define FIRST   (settings.stanzas[0])
#define REPO(n) (FIRST.repositories[n])

Test(discover, stanzas_are_the_sections_in_their_order)
{
    discover(
        "[global]\na=b\n[prod]\nx=1\n[global:backup]\nc=d\n[dev:info]\nx=2\n[prod:backup]\nx=3\n");
    cr_assert_eq(settings.stanza_count, 2);
    cr_expect_str_eq(settings.stanzas[0].name, "prod");
    cr_expect_str_eq(settings.stanzas[1].name, "dev");
}

Test(discover, configured_stanzas_go_before_the_sections)
{
    cr_assert(text_list_add(&settings.pgbackrest.stanzas, "dev", &err));
    discover("[prod]\nx=1\n[dev]\nx=2\n");
    cr_assert_eq(settings.stanza_count, 1);
    cr_expect_str_eq(FIRST.name, "dev");
    cr_expect_str_eq(option(&FIRST.options, "x"), "2");
}

Test(discover, each_command_has_sections_of_its_own)
{
    const char *text = "[main]\nx=1\n[global:backup]\ny=2\n[main:backup]\nx=3\n[main:info]\nx=4\n";
    cr_assert(pgbackrest_conf_parse(&conf, "p.conf", text, strlen(text), &err), "%s", err.text);
    cr_assert(discover_stanzas(&settings, &conf, "backup", &err), "%s", err.text);
    cr_expect_str_eq(option(&FIRST.options, "x"), "3");
    cr_expect_str_eq(option(&FIRST.options, "y"), "2");
}

Test(discover, a_configuration_that_pgbackrest_does_not_find_is_the_stanzas)
{
    static const struct {
        const char *config;
        bool found;
    } cases[] = {{"/etc/pgbackrest/pgbackrest.conf", true},
                 {"/etc/pgbackrest.conf", true},
                 {"/opt/pgbackrest.conf", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        settings.pgbackrest.config = strdup(cases[i].config);
        discover("[main]\nx=1\n");
        if (cases[i].found)
            cr_expect_null(FIRST.pgbackrest_config);
        else
            cr_expect_str_eq(FIRST.pgbackrest_config, cases[i].config);
        drop();
    }
}

Test(discover, no_stanza_at_all_is_no_error)
{
    discover("[global]\nrepo1-path=/var/lib/pgbackrest\n");
    cr_expect_eq(settings.stanza_count, 0);
}

Test(discover, the_more_special_section_wins)
{
    discover("[main:info]\nd=4\n[main]\nc=3\nd=3\n[global:info]\nb=2\nc=2\nd=2\n"
             "[global]\na=1\nb=1\nc=1\nd=1\n[main:backup]\na=9\n[global:backup]\na=9\n");
    cr_expect_str_eq(option(&FIRST.options, "a"), "1");
    cr_expect_str_eq(option(&FIRST.options, "b"), "2");
    cr_expect_str_eq(option(&FIRST.options, "c"), "3");
    cr_expect_str_eq(option(&FIRST.options, "d"), "4");
    cr_expect_eq(FIRST.options.count, 4);
}

Test(discover, a_list_replaces_the_whole_list_of_a_weaker_section)
{
    discover("[global]\nlink-map=a=1\nlink-map=b=2\n[main]\nlink-map=c=3\nlink-map=d=4\n");
    cr_assert_eq(FIRST.options.count, 2);
    cr_expect_str_eq(FIRST.options.items[0].value, "c=3");
    cr_expect_str_eq(FIRST.options.items[1].value, "d=4");
}

Test(discover, repository_options_are_taken_apart_by_key)
{
    discover("[global]\nrepo1-path=/nas\nlock-path=/lock\nrepo12-type=s3\nrepo12-path=/r\n"
             "repo12-cipher-type=aes-256-cbc\nrepo12-s3-key=K\n[main]\nrepo1-path=/other\n");
    cr_assert_eq(FIRST.repository_count, 2);
    cr_expect_eq(FIRST.options.count, 1);
    cr_expect_eq(REPO(0).key, 1);
    cr_expect_str_eq(REPO(0).name, "repo1");
    cr_expect_str_eq(REPO(0).storage, "posix");
    cr_expect_str_eq(REPO(0).cipher, "none");
    cr_expect_str_eq(option(&REPO(0).options, "path"), "/other");
    cr_expect_eq(REPO(1).key, 12);
    cr_expect_str_eq(REPO(1).name, "repo12");
    cr_expect_str_eq(REPO(1).storage, "s3");
    cr_expect_str_eq(REPO(1).cipher, "aes-256-cbc");
    cr_expect_str_eq(option(&REPO(1).options, "s3-key"), "K");
    cr_expect(REPO(1).in_pgbackrest_conf);
    cr_expect_eq(REPO(1).stanza, &FIRST);
    cr_expect_null(REPO(1).settings);
}

Test(discover, a_configuration_without_a_repository_has_repo1_at_its_default_path)
{
    discover("[main]\npg1-path=/pg\nrepo1-retention-full=7\nrepo3-retention-full=7\n");
    cr_assert_eq(FIRST.repository_count, 1);
    cr_expect_eq(REPO(0).key, 1);
    cr_expect_str_eq(option(&REPO(0).options, "path"), "/var/lib/pgbackrest");
    cr_expect_str_eq(option(&REPO(0).options, "retention-full"), "7");
    cr_expect(REPO(0).in_pgbackrest_conf);
}

Test(discover, a_repository_on_another_host_has_the_path_that_is_configured_there)
{
    discover("[global]\nrepo1-host=backup\nrepo2-host=attic\nrepo2-path=/r\n[main]\n");
    cr_expect_str_eq(option(&REPO(0).options, "path"), "(none)");
    cr_expect_str_eq(option(&REPO(1).options, "path"), "/r");
}

Test(discover, storage_and_cipher_behind_a_repository_host_are_not_guessed)
{
    discover("[global]\nrepo1-host=backup\nrepo2-host=attic\nrepo2-type=s3\n"
             "repo2-cipher-type=aes-256-cbc\n[main]\n");
    cr_expect_str_eq(REPO(0).storage, "remote");
    cr_expect_str_eq(REPO(0).cipher, "unknown");
    cr_expect_str_eq(REPO(1).storage, "s3");
    cr_expect_str_eq(REPO(1).cipher, "aes-256-cbc");
}

Test(discover, with_another_repository_there_is_no_repo1)
{
    discover("[main]\nrepo1-retention-full=7\nrepo02-path=/r2\n");
    cr_assert_eq(FIRST.repository_count, 1);
    cr_expect_eq(REPO(0).key, 2);
}

Test(discover, the_name_of_times_with_one_repository_still_means_repo1)
{
    discover("[main]\nrepo-path=/nas\nrepo3-path=/r3\n");
    cr_assert_eq(FIRST.repository_count, 2);
    cr_expect_str_eq(option(&REPO(0).options, "path"), "/nas");
}

Test(discover, what_only_looks_like_a_repository_is_an_option_of_the_stanza)
{
    discover("[main]\nrepo257-path=/a\nrepo0-path=/b\nrepository=c\nrepo1x=d\nrepox-path=e\n");
    cr_expect_eq(FIRST.options.count, 5);
    cr_expect_eq(FIRST.repository_count, 1);
}

Test(discover, a_repository_of_another_commands_section_does_not_exist_for_info)
{
    discover("[global:backup]\nrepo2-path=/r2\n[main]\npg1-path=/pg\n");
    cr_assert_eq(FIRST.repository_count, 1);
    cr_expect_eq(REPO(0).key, 1);
}

static char type[] = "type", s3[] = "s3", path_key[] = "path", forge[] = "/forge", r2[] = "r2";
static struct text_pair own_options[] = {{type, s3}, {path_key, forge}};
static struct repository_settings own = {
    .key = 2, .name = r2, .options = {own_options, COUNT_OF(own_options)}};

static void give_own_repository(void)
{
    settings.repositories = &own;
    settings.repository_count = 1;
}

Test(discover, our_repositories_belong_to_every_stanza_beside_those_of_pgbackrest)
{
    give_own_repository();
    discover("[a]\nrepo1-path=/nas\nrepo2-retention-full=3\n[b]\npg1-path=/pg\n");
    cr_assert_eq(settings.stanza_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct stanza *stanza = &settings.stanzas[i];
        cr_assert_eq(stanza->repository_count, 2);
        cr_expect_eq(stanza->repositories[0].key, 1);
        cr_expect_eq(stanza->repositories[1].settings, &own);
        cr_expect_str_eq(stanza->repositories[1].name, "r2");
        cr_expect_str_eq(stanza->repositories[1].storage, "s3");
        cr_expect_not(stanza->repositories[1].in_pgbackrest_conf);
        cr_expect_eq(stanza->repositories[1].stanza, stanza);
    }
    cr_expect_str_eq(option(&REPO(1).options, "retention-full"), "3");
}

Test(discover, our_options_go_before_those_of_pgbackrest)
{
    give_own_repository();
    discover("[a]\nrepo2-path=/old\nrepo2-s3-region=auto\n");
    cr_assert_eq(FIRST.repository_count, 1);
    cr_expect_str_eq(option(&REPO(0).options, "path"), "/forge");
    cr_expect_str_eq(option(&REPO(0).options, "s3-region"), "auto");
    cr_expect_eq(REPO(0).options.count, 3);
    cr_expect(REPO(0).in_pgbackrest_conf);
}

Test(discover, a_stanza_that_pgbackrest_does_not_know_has_our_repositories_only)
{
    give_own_repository();
    cr_assert(text_list_add(&settings.pgbackrest.stanzas, "main", &err));
    discover("");
    cr_assert_eq(FIRST.repository_count, 1);
    cr_expect_eq(REPO(0).key, 2);
}

Test(discover, postgres_is_found_on_the_local_socket)
{
    discover("[a]\npg1-path=/pg\n[b]\npg1-path=/pg\npg1-port=5433\npg1-user=it's\\me\n"
             "pg1-socket-path=/run/my sql\npg1-database=db\n");
    cr_expect_str_eq(settings.stanzas[0].conninfo, "dbname='postgres'");
    cr_expect_str_eq(settings.stanzas[1].conninfo,
                     "host='/run/my sql' port='5433' user='it\\'s\\\\me' dbname='db'");
}

Test(discover, a_repository_host_has_no_postgres)
{
    discover("[a]\npg1-path=/pg\npg1-host=db1\n[b]\npg1-port=5433\n");
    cr_expect_null(settings.stanzas[0].conninfo);
    cr_expect_null(settings.stanzas[1].conninfo);
}

Test(discover, our_conninfo_goes_to_its_stanza_and_the_others_keep_the_socket)
{
    char stanza[] = "b";
    char conninfo[] = "host=x";
    struct postgres_settings postgres = {.stanza = stanza, .conninfo = conninfo};
    settings.postgres = &postgres;
    settings.postgres_count = 1;
    discover("[a]\npg1-path=/pg\n[b]\npg1-path=/pg\npg1-host=db1\n");
    cr_expect_str_eq(settings.stanzas[0].conninfo, "dbname='postgres'");
    cr_expect_str_eq(settings.stanzas[1].conninfo, "host=x");
}

Test(discover, an_empty_list_means_no_postgres_at_all)
{
    struct postgres_settings none;
    settings.postgres = &none;
    discover("[a]\npg1-path=/pg\n");
    cr_expect_null(FIRST.conninfo);
}

/* Files. */

static char *folder;

static void with_folder(void)
{
    folder = config_folder_new();
}

static void without_folder(void)
{
    drop();
    config_folder_remove(&folder);
}

TestSuite(discover_files, .init = with_folder, .fini = without_folder);

static void file(const char *name, const char *text)
{
    free(config_file_write(folder, name, text));
}

/* The files looked for, without the folder and joined by spaces. */
static const char *looked_for(void)
{
    static struct strbuf out;
    strbuf_truncate(&out, 0);
    for (size_t i = 0; i < settings.files.count; i++) {
        cr_assert_eq(strncmp(settings.files.items[i], folder, strlen(folder)), 0);
        strbuf_printf(&out, "%s%s", i ? " " : "", settings.files.items[i] + strlen(folder) + 1);
    }
    return strbuf_text(&out);
}

static const char *config_name(void)
{
    return settings.pgbackrest.config + strlen(folder) + 1;
}

static const char *global(const char *name)
{
    const struct pair_list *options = pgbackrest_conf_section(&conf, "global");
    return options ? option(options, name) : "(no section)";
}

Test(discover_files, the_default_is_the_newer_place)
{
    file("pgbackrest/pgbackrest.conf", "[global]\na=new\n");
    file("pgbackrest.conf", "[global]\na=old\n");
    cr_assert(discover_read(&settings, folder, &conf, &err), "%s", err.text);
    cr_expect_str_eq(global("a"), "new");
    cr_expect_str_eq(config_name(), "pgbackrest/pgbackrest.conf");
    cr_expect_str_eq(looked_for(), "pgbackrest/pgbackrest.conf pgbackrest/conf.d");
}

Test(discover_files, the_older_place_stands_in_and_shares_the_folder)
{
    file("pgbackrest.conf", "[global]\na=old\n");
    file("pgbackrest/conf.d/x.conf", "[global]\nb=more\n");
    cr_assert(discover_read(&settings, folder, &conf, &err), "%s", err.text);
    cr_expect_str_eq(global("a"), "old");
    cr_expect_str_eq(global("b"), "more");
    cr_expect_str_eq(config_name(), "pgbackrest.conf");
    cr_expect_str_eq(looked_for(), "pgbackrest/pgbackrest.conf pgbackrest.conf pgbackrest/conf.d "
                                   "pgbackrest/conf.d/x.conf");
}

Test(discover_files, nothing_there_is_no_error)
{
    cr_assert(discover_read(&settings, folder, &conf, &err), "%s", err.text);
    cr_expect_eq(conf.count, 0);
    cr_expect_str_eq(config_name(), "pgbackrest/pgbackrest.conf");
}

Test(discover_files, a_named_file_that_is_missing_is_an_error)
{
    settings.pgbackrest.config = config_path(folder, "mine.conf");
    cr_assert_not(discover_read(&settings, folder, &conf, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_not_null(strstr(err.text, "mine.conf: No such file or directory"));
}

Test(discover_files, a_named_file_has_its_folder_beside_it)
{
    settings.pgbackrest.config = config_file_write(folder, "my/mine.conf", "[global]\na=1\n");
    file("my/conf.d/x.conf", "[global]\nb=2\n");
    cr_assert(discover_read(&settings, "/nowhere", &conf, &err), "%s", err.text);
    cr_expect_str_eq(global("b"), "2");
    cr_expect_str_eq(looked_for(), "my/mine.conf my/conf.d my/conf.d/x.conf");
}

Test(discover_files, the_folder_is_read_in_order_and_only_its_conf_files)
{
    file("pgbackrest.conf", "[global]\na=0\n");
    file("pgbackrest/conf.d/10.conf", "[global]\na=10\n");
    file("pgbackrest/conf.d/09.conf", "[global]\na=9\n");
    file("pgbackrest/conf.d/.hidden.conf", "[global]\na=h\n");
    file("pgbackrest/conf.d/x.conf.bak", "broken\n");
    cr_assert(discover_read(&settings, folder, &conf, &err), "%s", err.text);
    const struct pair_list *options = pgbackrest_conf_section(&conf, "global");
    cr_assert_eq(options->count, 4);
    cr_expect_str_eq(options->items[1].value, "h");
    cr_expect_str_eq(options->items[2].value, "9");
    cr_expect_str_eq(options->items[3].value, "10");
}

Test(discover_files, a_broken_file_is_told_by_its_name_and_line)
{
    file("pgbackrest.conf", "[global]\n");
    char *path CLEANUP(text_free) = config_file_write(folder, "pgbackrest/conf.d/x.conf", "a=b\n");
    char *wrong CLEANUP(text_free) = NULL;
    cr_assert(asprintf(&wrong, "%s:1: an option must stand below a section, like [global]", path) >
              0);
    cr_assert_not(discover_read(&settings, folder, &conf, &err));
    cr_expect_str_eq(err.text, wrong);
}

Test(discover_files, a_pipe_or_a_folder_is_no_configuration_and_does_not_block)
{
    file("pgbackrest.conf/x", "");
    cr_assert_not(discover_read(&settings, folder, &conf, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_not_null(strstr(err.text, "pgbackrest.conf is not a regular file"));
}

Test(discover_files, a_huge_file_is_refused)
{
    settings.pgbackrest.config = config_file_write(folder, "huge.conf", "[global]\n");
    cr_assert_eq(truncate(settings.pgbackrest.config, 2 * 1024 * 1024), 0);
    cr_assert_not(discover_read(&settings, folder, &conf, &err));
    cr_expect_not_null(strstr(err.text, "huge.conf is larger than 1048576 bytes"));
}
