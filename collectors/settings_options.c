#include "collectors/settings_options.h"

#include "collectors/registry.h"
#include "collectors/settings.h"

#define SECOND 1.0
#define DAY    86400.0
#define TABLE(of, rows)                                                                            \
    {                                                                                              \
        (rows), COUNT_OF(rows), sizeof(struct of)                                                  \
    }

static const struct option config_rows[] = {
    {
        .key = "file",
        .type = OPTION_PATH,
        .sources = OPTION_COMMAND_LINE,
        .offset = offsetof(struct settings, config_file),
        .value = "FILE",
        .shown = SETTINGS_DEFAULT_FILE " if it is there",
        .help = "The configuration file. No file is needed.",
    },
};
static const struct option_table config_table = TABLE(settings, config_rows);

static const struct option web_config_rows[] = {
    {
        .key = "file",
        .type = OPTION_PATH,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct web_settings, config_file),
        .value = "FILE",
        .help = "TLS, users and headers of the web server, in the format of exporter-toolkit "
                "(docs/web-configuration.md). Without one it speaks plain HTTP with everybody.",
    },
};
static const struct option_table web_config_table = TABLE(web_settings, web_config_rows);

static const struct option web_rows[] = {
    {
        .key = "config",
        .type = OPTION_SECTION,
        .section = &web_config_table,
        .help = "Who may ask, and over what.",
    },
    {
        .key = "listen-address",
        .type = OPTION_TEXTS,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct web_settings, listen_addresses),
        .value = "ADDRESS",
        .fallback = ":10854",
        .help = "Host and port to listen on; the flag can be repeated.",
    },
    {
        .key = "systemd-socket",
        .type = OPTION_BOOL,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct web_settings, systemd_socket),
        .help =
            "Listen on the sockets that systemd hands over (a .socket unit), and on no address.",
    },
    {
        .key = "telemetry-path",
        .type = OPTION_PATH,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct web_settings, telemetry_path),
        .value = "PATH",
        .fallback = "/metrics",
        .help = "Where the metrics are.",
    },
};
static const struct option_table web_table = TABLE(web_settings, web_rows);

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const formats[] = {"logfmt", "json", NULL};
static const struct option log_rows[] = {
    {
        .key = "level",
        .type = OPTION_CHOICE,
        .choices = levels,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct settings, log_level),
        .value = "LEVEL",
        .fallback = "info",
        .help = "The least that is logged: error, warn, info or debug.",
    },
    {
        .key = "format",
        .type = OPTION_CHOICE,
        .choices = formats,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct settings, log_format),
        .value = "FORMAT",
        .fallback = "logfmt",
        .help = "How a log line looks: logfmt or json.",
    },
};
static const struct option_table log_table = TABLE(settings, log_rows);

static const struct option postgres_rows[] = {
    {
        .key = "stanza",
        .type = OPTION_TEXT,
        .required = true,
        .offset = offsetof(struct postgres_settings, stanza),
        .help = "The stanza whose cluster this is.",
    },
    {
        .key = "conninfo",
        .type = OPTION_TEXT,
        .required = true,
        .secret = true,
        .offset = offsetof(struct postgres_settings, conninfo),
        .help = "How to connect: a libpq connection string or URI. It names one server: the "
                "statistics of two must not become one series.",
    },
    {
        .key = "archive-environment",
        .type = OPTION_PATH,
        .path_variable = "CREDENTIALS_DIRECTORY",
        .offset = offsetof(struct postgres_settings, archive_environment),
        .shown = "the environment of the running server, where it can be read",
        .help = "The file of KEY=VALUE lines that gives the server the PGBACKREST_* variables of "
                "its archive_command (EnvironmentFile= of its unit).",
    },
};
static const struct option_table postgres_table = TABLE(postgres_settings, postgres_rows);

static const struct option pgbackrest_rows[] = {
    {
        .key = "command",
        .type = OPTION_PATH,
        .offset = offsetof(struct pgbackrest_settings, command),
        .fallback = "/usr/bin/pgbackrest",
        .help = "The pgbackrest program.",
    },
    {
        .key = "config",
        .type = OPTION_PATH,
        .offset = offsetof(struct pgbackrest_settings, config),
        .shown = "/etc/pgbackrest/pgbackrest.conf, else /etc/pgbackrest.conf",
        .help = "pgBackRest's configuration. The *.conf files of the folder conf.d beside it are "
                "read too (/etc/pgbackrest/conf.d for both defaults).",
    },
    {
        .key = "stanzas",
        .type = OPTION_TEXTS,
        .offset = offsetof(struct pgbackrest_settings, stanzas),
        .shown = "every stanza section of pgBackRest's configuration",
        .help = "The stanzas to watch.",
    },
    {
        .key = "user",
        .type = OPTION_TEXT,
        .offset = offsetof(struct pgbackrest_settings, user),
        .fallback = "postgres",
        .help = "Whom the program becomes when it is started as root: the owner of the "
                "repositories.",
    },
};
static const struct option_table pgbackrest_table = TABLE(pgbackrest_settings, pgbackrest_rows);

static const struct option mount_rows[] = {
    {
        .key = "path",
        .type = OPTION_PATH,
        .offset = offsetof(struct repository_settings, mount_path),
        .shown = "the mount that holds the repository's path, or that /etc/fstab has for it",
        .help =
            "Where the file system that holds the repository is mounted. Name it when something "
            "else than /etc/fstab mounts it: else nobody misses one that was not there when "
            "the program started.",
    },
    {
        .key = "filesystem",
        .type = OPTION_TEXT,
        .offset = offsetof(struct repository_settings, mount_filesystem),
        .shown = "whatever is mounted",
        .help = "The type it must have, like nfs (which nfs4 is too); another one counts as not "
                "mounted.",
    },
};
static const struct option_table mount_table = TABLE(repository_settings, mount_rows);

#define OBJECTIVE(name, field, text)                                                               \
    {                                                                                              \
        .key = (name), .type = OPTION_DURATION, .offset = offsetof(struct objectives, field),      \
        .min = SECOND, .max = 3650 * DAY, .shown = "no objective", .help = (text),                 \
    }
static const struct option objective_rows[] = {
    OBJECTIVE("full", full, "Longest time since the last full backup ended."),
    OBJECTIVE("diff", diff, "Longest time since the last differential or full backup ended."),
    OBJECTIVE("incr", incr, "Longest time since the last backup of any type ended."),
    OBJECTIVE(
        "recovery-point", recovery_point,
        "Most that may be lost: longest time back to the latest moment that can be restored."),
    OBJECTIVE("drill", drill, "Longest time since a restore was last proven by a drill."),
    OBJECTIVE("restore-time", restore_time, "Longest time that a restore may take."),
};
static const struct option_table objective_table = TABLE(objectives, objective_rows);

static const struct option credential_rows[] = {
    {
        .key = "file",
        .type = OPTION_PATH,
        .path_variable = "CREDENTIALS_DIRECTORY",
        .offset = offsetof(struct repository_settings, credentials_file),
        .help = "A file of KEY=VALUE lines, as systemd's EnvironmentFile= reads it, or "
                "$CREDENTIALS_DIRECTORY/NAME for systemd's LoadCredential=. Read anew for each "
                "call, so a rotation needs no reload.",
    },
    {
        .key = "map",
        .type = OPTION_MAP,
        .offset = offsetof(struct repository_settings, credentials_map),
        .help = "Which pgBackRest option is which KEY of the file: {s3-key: AWS_ACCESS_KEY_ID}.",
    },
};
static const struct option_table credential_table = TABLE(repository_settings, credential_rows);

static const struct option repository_rows[] = {
    {
        .key = "key",
        .type = OPTION_INTEGER,
        .required = true,
        .min = 1,
        .max = 256,
        .offset = offsetof(struct repository_settings, key),
        .help = "The N of pgBackRest's repoN.",
    },
    {
        .key = "name",
        .type = OPTION_TEXT,
        .offset = offsetof(struct repository_settings, name),
        .shown = "repoN",
        .help = "What people call it, in alerts and pages.",
    },
    {
        .key = "options",
        .type = OPTION_MAP,
        .secret = true,
        .offset = offsetof(struct repository_settings, options),
        .help = "pgBackRest's options of this repository without repoN-, like {type: s3}. They go "
                "before those of pgBackRest's configuration.",
    },
    {
        .key = "continuous-wal",
        .type = OPTION_TRISTATE,
        .offset = offsetof(struct repository_settings, continuous_wal),
        .shown = "whether pgBackRest's configuration names the repository",
        .help =
            "Whether archive_command pushes every WAL segment here. Where it does not, what can "
            "be restored ends with each backup, and `run -- backup` adds the WAL of its own.",
    },
    {
        .key = "mount",
        .type = OPTION_SECTION,
        .section = &mount_table,
        .help = "The file system under a posix repository.",
    },
    {
        .key = "credentials",
        .type = OPTION_SECTION,
        .section = &credential_table,
        .help = "Secrets that pgBackRest's configuration does not hold. Both keys go together.",
    },
    {
        .key = "objectives",
        .type = OPTION_SECTION,
        .section = &objective_table,
        .offset = offsetof(struct repository_settings, objectives),
        .help = "What you promised. Alerts and the page compare with it.",
    },
};
static const struct option_table repository_table = TABLE(repository_settings, repository_rows);

static bool collector_at(size_t index, double fallback, struct option_member *ret)
{
    *ret = (struct option_member){
        .key = collector_registry[index]->name,
        .help = collector_registry[index]->help,
        .fallback = fallback,
    };
    return true;
}

static bool enabled_at(size_t index, struct option_member *ret)
{
    return index < collector_count() &&
           collector_at(index, collector_registry[index]->default_enabled, ret);
}

/* One more than there are collectors. */
static bool wal_verify(struct option_member *ret)
{
    *ret = (struct option_member){
        .key = "wal-verify",
        .help = "How often the `wal` collector lists again each folder of WAL that is complete; "
                "all of them at once when expire was at work. A segment that goes by itself is "
                "noticed by then.",
        .fallback = SETTINGS_WAL_VERIFY_S,
    };
    return true;
}

static bool interval_at(size_t index, struct option_member *ret)
{
    if (index == collector_count())
        return wal_verify(ret);
    return index < collector_count() &&
           collector_at(index, collector_registry[index]->interval_s, ret);
}

static bool timeout_at(size_t index, struct option_member *ret)
{
    return index < collector_count() &&
           collector_at(index, collector_registry[index]->timeout_s, ret);
}

static const struct option enabled_member = {
    .key = "enabled",
    .type = OPTION_BOOL,
    .sources = OPTION_EVERYWHERE,
    .offset = offsetof(struct collector_settings, enabled),
};
static const struct option interval_member = {
    .key = "interval",
    .type = OPTION_DURATION,
    .min = SECOND,
    .max = 7 * DAY,
    .offset = offsetof(struct collector_settings, interval_s),
};
static const struct option timeout_member = {
    .key = "timeout",
    .type = OPTION_DURATION,
    .min = SECOND,
    .max = 7 * DAY,
    .offset = offsetof(struct collector_settings, timeout_s),
};

static const struct option backups_rows[] = {
    {
        .key = "per-backup",
        .type = OPTION_BOOL,
        .sources = OPTION_COMMAND_LINE,
        .offset = offsetof(struct settings, per_backup),
        .help = "Series for every single backup, too, under the names of pgbackrest_exporter. "
                "Their labels change with each backup.",
    },
};
static const struct option_table backups_table = TABLE(settings, backups_rows);

static const char *const documents[] = {"configuration", "metrics", NULL};
static const struct option settings_rows[] = {
    {
        .key = "help",
        .letter = 'h',
        .type = OPTION_BOOL,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct settings, show_help),
        .help = "Show this text and end.",
    },
    {
        .key = "version",
        .type = OPTION_BOOL,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct settings, show_version),
        .help = "Show the version and end.",
    },
    {
        .key = "dump-docs",
        .type = OPTION_CHOICE,
        .choices = documents,
        .sources = OPTION_IN_FLAG | OPTION_HIDDEN,
        .offset = offsetof(struct settings, dump_docs),
        .help = "Write a generated document.",
    },
    {
        .key = "config",
        .type = OPTION_SECTION,
        .sources = OPTION_COMMAND_LINE,
        .section = &config_table,
    },
    {
        .key = "postgres",
        .type = OPTION_SECTIONS,
        .section = &postgres_table,
        .offset = offsetof(struct settings, postgres),
        .count_offset = offsetof(struct settings, postgres_count),
        .help = "One element for each PostgreSQL cluster. Without it the local socket of each "
                "stanza's pg1-* options is used; `[]` means that there is no PostgreSQL to ask, as "
                "on a repository host.",
    },
    {
        .key = "pgbackrest",
        .type = OPTION_SECTION,
        .section = &pgbackrest_table,
        .offset = offsetof(struct settings, pgbackrest),
        .help = "Where pgBackRest is and what of it is watched.",
    },
    {
        .key = "repositories",
        .type = OPTION_SECTIONS,
        .section = &repository_table,
        .offset = offsetof(struct settings, repositories),
        .count_offset = offsetof(struct settings, repository_count),
        .help = "What pgBackRest's configuration does not say of a repository: name, objectives, "
                "credentials, or all of it. It holds for every stanza.",
    },
    {
        .key = "state-directory",
        .type = OPTION_PATH,
        .sources = OPTION_EVERYWHERE,
        .offset = offsetof(struct settings, state_directory),
        .value = "DIRECTORY",
        .fallback = "/var/lib/pgbackup_exporter",
        .help = "Where commands leave what came of them, for the exporter to tell.",
    },
    {
        .key = "intervals",
        .type = OPTION_MEMBERS,
        .member_at = interval_at,
        .member = &interval_member,
        .member_size = sizeof(struct collector_settings),
        .offset = offsetof(struct settings, collectors),
        .help = "How often each collector looks.",
    },
    {
        .key = "timeouts",
        .type = OPTION_MEMBERS,
        .member_at = timeout_at,
        .member = &timeout_member,
        .member_size = sizeof(struct collector_settings),
        .offset = offsetof(struct settings, collectors),
        .help = "The deadline of one collection.",
    },
    {
        .key = "collector",
        .type = OPTION_MEMBERS,
        .sources = OPTION_EVERYWHERE,
        .member_at = enabled_at,
        .member = &enabled_member,
        .member_size = sizeof(struct collector_settings),
        .offset = offsetof(struct settings, collectors),
        .help = "Which collectors run.",
    },
    {
        .key = "collector.backups",
        .type = OPTION_SECTION,
        .sources = OPTION_COMMAND_LINE,
        .section = &backups_table,
    },
    {
        .key = "web",
        .type = OPTION_SECTION,
        .section = &web_table,
        .offset = offsetof(struct settings, web),
        .help = "The HTTP server.",
    },
    {
        .key = "log",
        .type = OPTION_SECTION,
        .section = &log_table,
        .help = "The log, on stderr.",
    },
};
const struct option_table settings_table = TABLE(settings, settings_rows);

const char settings_example[] =
    "postgres:                       # one for each cluster, joined to its stanza\n"
    "  - stanza: main\n"
    "    conninfo: \"host=/var/run/postgresql dbname=postgres\"\n"
    "\n"
    "pgbackrest:\n"
    "  command: /usr/bin/pgbackrest\n"
    "  config: /etc/pgbackrest.conf\n"
    "  stanzas: [main]\n"
    "\n"
    "repositories:\n"
    "  - key: 1\n"
    "    name: nas\n"
    "    mount: {path: /mnt/nas-postgresql, filesystem: nfs}\n"
    "    objectives: {full: 27h, incr: 2h, recovery-point: 15m, drill: 9d, restore-time: 2h}\n"
    "  - key: 2\n"
    "    name: r2\n"
    "    options:                    # the one definition of repo2\n"
    "      type: s3\n"
    "      path: /forge-pgbackrest\n"
    "      s3-bucket: nix-homelab-prod-servers\n"
    "      s3-endpoint: ACCOUNT.r2.cloudflarestorage.com\n"
    "      s3-region: auto\n"
    "      s3-uri-style: path\n"
    "      retention-full: 30\n"
    "    credentials:\n"
    "      file: /run/secrets/restic/r2-prod-env\n"
    "      map: {s3-key: AWS_ACCESS_KEY_ID, s3-key-secret: AWS_SECRET_ACCESS_KEY}\n"
    "    continuous-wal: false\n"
    "    objectives: {full: 27h, incr: 2h, drill: 9d}\n"
    "\n"
    "intervals: {archiver: 15s, backups: 60s}\n"
    "timeouts: {archiver: 5s, backups: 60s}\n";
