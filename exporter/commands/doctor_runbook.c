#include "exporter/commands/doctor_runbook.h"

#include <inttypes.h>
#include <string.h>

#include "collectors/repository.h"
#include "exporter/base/attrs.h"
#include "exporter/commands/run_line.h"
#include "exporter/commands/run_print.h"
#include "exporter/report/when.h"

#define WORDS_MAX 3

static const char head[] =
    "**Copy it somewhere else, this host may be gone** when it is needed. It takes pgbackrest and\n"
    "nothing else: not this program, not this host. The secrets are not in it: keep the files "
    "that\n"
    "are named here, and every passphrase, in a second place, too. Make it anew after each change\n"
    "of the configuration:\n\n"
    "    pgbackup_exporter doctor --output=runbook\n\n";

static const char how[] =
    "## How to restore\n\n"
    "1. Take a host with the PostgreSQL and the pgBackRest named below, or newer ones of the same\n"
    "   major version of PostgreSQL; stop PostgreSQL.\n"
    "2. Write pgbackrest.conf as it stands below, with its secrets, and the credentials files.\n"
    "3. Choose a repository: the command *Look* shows what it holds.\n"
    "4. Empty the data directory (keep a copy of what is in it), then run *Restore* as the user\n"
    "   who owns it.\n"
    "5. Start PostgreSQL, read its log until recovery has ended, and look at the data.\n"
    "6. Before it archives again: do not let a copy archive into the repositories of a server\n"
    "   that still lives.\n\n";

/* ---- pgbackrest.conf ---- */

static void add_section(struct strbuf *out, const struct conf_section *section)
{
    strbuf_printf(out, "[%s]\n", section->name);
    for (size_t i = 0; i < section->options.count; i++) {
        const struct text_pair *option = &section->options.items[i];
        if (repository_option_is_secret(option->name))
            strbuf_printf(out, "%s=<%s>\n", option->name, option->name);
        else
            strbuf_printf(out, "%s=%s\n", option->name, option->value);
    }
}

static void add_conf(struct strbuf *out, const struct settings *settings)
{
    strbuf_printf(out,
                  "## %s\n\nWhat stands in angle brackets is secret and not shown.\n\n```ini\n",
                  settings->pgbackrest.config ? settings->pgbackrest.config : "pgbackrest.conf");
    for (size_t i = 0; i < settings->conf.count; i++)
        add_section(out, &settings->conf.sections[i]);
    strbuf_puts(out, "```\n\n");
}

/* ---- a repository ---- */

static void add_line(struct strbuf *out, const struct settings *settings,
                     const struct stanza_repository *repository, char *const *words)
{
    int count = 0;
    bool incomplete = false;
    while (words[count])
        count++;
    const struct run_line line = {
        .stanza = repository->stanza->name,
        .repo_key = repository->key,
        .arguments = words,
        .argument_count = count,
        .takes_stanza = true,
        .takes_repo = true,
    };
    strbuf_puts(out, "\n```sh\n");
    run_print(&line, settings, repository->stanza, out, &incomplete);
    strbuf_puts(out, "```\n");
    if (incomplete)
        strbuf_puts(out, "\nPut the secret in the place of each word in angle brackets.\n");
}

static void add_credentials(struct strbuf *out, const struct stanza_repository *repository)
{
    const struct repository_settings *settings = repository->settings;
    if (!settings || !settings->credentials_file) {
        strbuf_puts(out, "- credentials: none of its own; what pgbackrest.conf says\n");
        return;
    }
    strbuf_printf(out, "- credentials: the file `%s`, with", settings->credentials_file);
    for (size_t i = 0; i < settings->credentials_map.count; i++)
        strbuf_printf(out, "%s `%s`", i > 0 ? "," : "", settings->credentials_map.items[i].value);
    strbuf_puts(out, "\n");
}

static void add_place(struct strbuf *out, const struct stanza_repository *repository)
{
    static const char *const shown[] = {
        "path",      "s3-endpoint", "s3-bucket",     "s3-region",       "host",
        "host-user", "gcs-bucket",  "azure-account", "azure-container", "sftp-host"};
    strbuf_printf(out, "- storage: %s", repository->storage);
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        const char *value = pair_list_get(&repository->options, shown[i]);
        if (value)
            strbuf_printf(out, ", %s `%s`", shown[i], value);
    }
    strbuf_printf(out, "\n- encryption: %s%s\n", repository->cipher,
                  strcmp(repository->cipher, "none") == 0
                      ? ""
                      : "; without its passphrase nothing in it can ever be read");
}

static void add_restore_command(struct strbuf *out, const struct stanza_repository *repository)
{
    bool is_plain = repository->in_pgbackrest_conf && !repository->settings;
    strbuf_puts(out, "- restore_command: ");
    if (!is_plain && !repository->in_pgbackrest_conf) {
        strbuf_puts(out, "in the line *Restore*: the restored server needs the credentials file, "
                         "too\n");
        return;
    }
    strbuf_puts(out, "pgbackrest writes it: `pgbackrest");
    repository_add_stanza(repository->stanza, out);
    strbuf_printf(out, " --repo=%" PRId64 " archive-get %%f \"%%p\"`\n", repository->key);
}

static void add_repository(struct strbuf *out, const struct settings *settings,
                           const struct stanza_repository *repository)
{
    char info[] = "info", restore[] = "restore", type[] = "--type=immediate",
         action[] = "--target-action=promote";
    char *const look[] = {info, NULL};
    char *const to_the_end[] = {restore, NULL};
    char *const to_the_backup[WORDS_MAX + 1] = {restore, type, action, NULL};
    bool continuous = repository_has_continuous_wal(repository);
    strbuf_printf(out, "### Repository %" PRId64 " (%s)\n\n", repository->key, repository->name);
    add_place(out, repository);
    add_credentials(out, repository);
    add_restore_command(out, repository);
    strbuf_printf(out, "- reaches: %s\n\nLook:\n",
                  continuous ? "the newest WAL; `--type=time --target=\"2026-11-22 02:00:00+00\"` "
                               "ends earlier"
                             : "the end of a backup: archive_command does not feed it");
    add_line(out, settings, repository, look);
    strbuf_puts(out, "\nRestore:\n");
    add_line(out, settings, repository, continuous ? to_the_end : to_the_backup);
    strbuf_putc(out, '\n');
}

/* ---- the sheet ---- */

static void add_stanza(struct strbuf *out, const struct settings *settings,
                       const struct stanza *stanza, const char *version)
{
    const char *data = pair_list_get(&stanza->options, "pg1-path");
    strbuf_printf(out, "## Stanza %s\n\n", stanza->name);
    strbuf_printf(out, "- PostgreSQL: %s\n- data directory: %s\n\n",
                  version ? version : "version not known, it did not answer",
                  data ? data : "not on this host");
    for (size_t i = 0; i < stanza->repository_count; i++)
        add_repository(out, settings, &stanza->repositories[i]);
}

void doctor_runbook(const struct settings *settings, const struct runbook_facts *facts,
                    struct strbuf *out)
{
    strbuf_printf(out, "# Restoring what %s backed up\n\nMade on ", facts->host);
    when_add_utc(out, facts->now);
    strbuf_printf(out, ". pgBackRest: %s.\n\n",
                  facts->pgbackrest_version ? facts->pgbackrest_version : "version not known");
    strbuf_puts(out, head);
    strbuf_puts(out, how);
    for (size_t i = 0; i < settings->stanza_count; i++)
        add_stanza(out, settings, &settings->stanzas[i], facts->postgres_versions[i]);
    add_conf(out, settings);
}
