#include "exporter/commands/doctor_runbook.h"

#include <criterion/criterion.h>
#include <string.h>

static struct text_pair stanza_items[] = {{(char[]){"pg1-path"}, (char[]){"/var/lib/pg"}}};
static struct text_pair global_items[] = {{(char[]){"repo1-path"}, (char[]){"/backup"}},
                                          {(char[]){"repo1-cipher-pass"}, (char[]){"hush"}}};
static struct text_pair s3_items[] = {{(char[]){"type"}, (char[]){"s3"}},
                                      {(char[]){"s3-bucket"}, (char[]){"backups"}}};
static struct text_pair map_items[] = {{(char[]){"s3-key"}, (char[]){"ACCESS_KEY"}}};
static char credentials[] = "/etc/r2.env", program[] = "/usr/bin/pgbackrest",
            file[] = "/etc/pgbackrest.conf", owner[] = "postgres", name[] = "main";
static struct repository_settings own = {
    .key = 2,
    .options = {.items = s3_items, .count = 2},
    .credentials_file = credentials,
    .credentials_map = {.items = map_items, .count = 1},
};
static struct stanza stanza;
static struct stanza_repository repositories[] = {
    {.key = 1,
     .name = (char[]){"nas"},
     .storage = (char[]){"posix"},
     .cipher = (char[]){"aes-256-cbc"},
     .stanza = &stanza,
     .in_pgbackrest_conf = true,
     .options = {.items = global_items, .count = 2}},
    {.key = 2,
     .name = (char[]){"r2"},
     .storage = (char[]){"s3"},
     .cipher = (char[]){"none"},
     .stanza = &stanza,
     .settings = &own,
     .options = {.items = s3_items, .count = 2}},
};
static struct conf_section section = {.name = (char[]){"global"},
                                      .options = {.items = global_items, .count = 2}};
static struct settings settings = {
    .stanzas = &stanza, .stanza_count = 1, .conf = {.sections = &section, .count = 1}};
static struct strbuf out;

static void begin(void)
{
    settings.pgbackrest.command = program;
    settings.pgbackrest.config = file;
    settings.pgbackrest.user = owner;
    stanza = (struct stanza){.name = name,
                             .repositories = repositories,
                             .repository_count = 2,
                             .options = {.items = stanza_items, .count = 1}};
}

static void end(void)
{
    strbuf_done(&out);
}

TestSuite(doctor_runbook, .init = begin, .fini = end);

static void expect(const char *version, const char *text)
{
    const struct runbook_facts facts = {
        .host = "db1", .postgres_versions = &version, .now = 1795379400};
    strbuf_truncate(&out, 0);
    doctor_runbook(&settings, &facts, &out);
    cr_expect(strstr(strbuf_text(&out), text), "%s is not in\n%s", text, strbuf_text(&out));
}

Test(doctor_runbook, says_that_it_must_be_copied_elsewhere)
{
    expect(NULL, "**Copy it somewhere else, this host may be gone**");
}

Test(doctor_runbook, names_host_time_and_versions)
{
    expect("15.14", "# Restoring what db1 backed up\n\nMade on 2026-11-22 20:30 UTC. "
                    "pgBackRest: version not known.\n");
    expect("15.14", "- PostgreSQL: 15.14\n- data directory: /var/lib/pg\n");
}

Test(doctor_runbook, a_server_that_did_not_answer_is_said_to_be_unknown)
{
    expect(NULL, "- PostgreSQL: version not known, it did not answer\n");
}

Test(doctor_runbook, credentials_are_named_by_their_file)
{
    expect(NULL, "- credentials: the file `/etc/r2.env`, with `ACCESS_KEY`\n");
}

Test(doctor_runbook, secrets_of_pgbackrest_conf_are_left_out)
{
    expect(NULL, "[global]\nrepo1-path=/backup\nrepo1-cipher-pass=<repo1-cipher-pass>\n");
    cr_expect_null(strstr(strbuf_text(&out), "hush"));
}

Test(doctor_runbook, a_repository_that_archive_command_feeds_is_restored_to_the_newest_wal)
{
    expect(NULL, "Restore:\n\n```sh\n/usr/bin/pgbackrest --stanza=main --repo=1 restore\n```\n");
}

Test(doctor_runbook, another_is_restored_to_the_end_of_a_backup)
{
    expect(NULL, "restore --type=immediate --target-action=promote");
}
