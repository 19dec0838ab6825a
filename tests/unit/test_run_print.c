#include "exporter/commands/run_print.h"

#include <criterion/criterion.h>
#include <string.h>

static char other_config[] = "/opt/it's/p.conf", program[] = "/usr/bin/pgbackrest",
            credentials[] = "/run/secrets/r2 env";
static struct text_pair option_items[3], map_items[1];
static struct repository_settings own = {
    .key = 2, .options = {.items = option_items}, .credentials_map = {.items = map_items}};
static struct stanza_repository repositories[] = {
    {.key = 1, .name = (char[]){"nas"}}, {.key = 2, .name = (char[]){"r2"}, .settings = &own}};
static struct stanza stanza = {
    .name = (char[]){"main"}, .repositories = repositories, .repository_count = 2};
static struct settings settings;
static char *arguments[] = {(char[]){"repo-ls"}, (char[]){"a b"}};
static struct run_line line;
static struct strbuf out;
static bool incomplete;

static void add_pair(struct pair_list *list, const char *name, const char *value)
{
    list->items[list->count++] =
        (struct text_pair){(char *)(uintptr_t)name, (char *)(uintptr_t)value};
}

static void begin(void)
{
    stanza.pgbackrest_config = NULL;
    settings.pgbackrest.command = program;
    line = (struct run_line){
        .arguments = arguments, .argument_count = 1, .takes_stanza = true, .takes_repo = true};
}

static void end(void)
{
    strbuf_done(&out);
}

TestSuite(run_print, .init = begin, .fini = end);

static const char *printed(void)
{
    run_print(&line, &settings, &stanza, &out, &incomplete);
    return strbuf_text(&out);
}

Test(run_print, a_repository_of_pgbackrest_conf_needs_nothing_else)
{
    line.repo_key = 1;
    cr_expect_str_eq(printed(), "/usr/bin/pgbackrest --stanza=main --repo=1 repo-ls\n");
    cr_expect_not(incomplete);
}

Test(run_print, another_pgbackrest_conf_is_named)
{
    stanza.pgbackrest_config = other_config;
    line.repo_key = 1;
    cr_expect_str_eq(
        printed(),
        "/usr/bin/pgbackrest --config='/opt/it'\\''s/p.conf' --stanza=main --repo=1 repo-ls\n");
}

Test(run_print, our_own_options_come_as_variables)
{
    add_pair(&own.options, "type", "s3");
    add_pair(&own.options, "path", "/it's here");
    line.repo_key = 2;
    cr_expect_str_eq(printed(), "PGBACKREST_REPO2_TYPE=s3 "
                                "PGBACKREST_REPO2_PATH='/it'\\''s here' "
                                "/usr/bin/pgbackrest --stanza=main --repo=2 repo-ls\n");
}

Test(run_print, credentials_are_named_not_shown)
{
    own.credentials_file = credentials;
    add_pair(&own.credentials_map, "s3-key", "AWS_ACCESS_KEY_ID");
    cr_expect_str_eq(printed(), "( . '/run/secrets/r2 env'; "
                                "export PGBACKREST_REPO2_S3_KEY=\"$AWS_ACCESS_KEY_ID\"; "
                                "/usr/bin/pgbackrest --stanza=main repo-ls )\n");
    cr_expect_not(incomplete);
}

Test(run_print, two_files_may_use_the_same_names)
{
    static char file[] = "/run/nas";
    static struct text_pair map[1];
    static struct repository_settings other = {.credentials_file = file,
                                               .credentials_map = {.items = map}};
    own.credentials_file = credentials;
    add_pair(&own.credentials_map, "s3-key", "AWS_ACCESS_KEY_ID");
    add_pair(&other.credentials_map, "s3-key", "AWS_ACCESS_KEY_ID");
    repositories[0].settings = &other;
    cr_expect_str_eq(printed(), "( . /run/nas; "
                                "export PGBACKREST_REPO1_S3_KEY=\"$AWS_ACCESS_KEY_ID\"; "
                                ". '/run/secrets/r2 env'; "
                                "export PGBACKREST_REPO2_S3_KEY=\"$AWS_ACCESS_KEY_ID\"; "
                                "/usr/bin/pgbackrest --stanza=main repo-ls )\n");
}

Test(run_print, systemds_folder_stays_a_variable)
{
    static char file[] = "$CREDENTIALS_DIRECTORY/r2's $(id)";
    own.credentials_file = file;
    cr_expect(strstr(printed(), "( . \"$CREDENTIALS_DIRECTORY\"'/r2'\\''s $(id)'; "), "%s",
              strbuf_text(&out));
}

Test(run_print, a_secret_in_our_configuration_becomes_a_placeholder)
{
    add_pair(&own.options, "cipher-pass", "hunter2");
    cr_expect(strstr(printed(), "PGBACKREST_REPO2_CIPHER_PASS='<cipher-pass>' "), "%s",
              strbuf_text(&out));
    cr_expect_null(strstr(strbuf_text(&out), "hunter2"));
    cr_expect(incomplete);
}

Test(run_print, arguments_are_quoted_for_a_shell)
{
    line.repo_key = 1;
    line.argument_count = 2;
    cr_expect_str_eq(printed(), "/usr/bin/pgbackrest --stanza=main --repo=1 repo-ls 'a b'\n");
}

Test(run_print, a_command_gets_only_options_that_it_takes)
{
    line.repo_key = 1;
    line.takes_repo = false;
    cr_expect_str_eq(printed(), "/usr/bin/pgbackrest --stanza=main repo-ls\n");
    line.takes_stanza = false;
    strbuf_truncate(&out, 0);
    cr_expect_str_eq(printed(), "/usr/bin/pgbackrest repo-ls\n");
}
