/*
 * doctor_rights - what the user who runs this may do: most troubles of a new installation are here.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/discover.h"
#include "collectors/wal.h"
#include "exporter/commands/doctor_check.h"
#include "exporter/sources/probe_file.h"

#define LOOK_MS  3000
#define QUERY_MS 5000

/* What is being looked at. */
struct rights {
    const struct doctor *doctor;
    struct report *report;
    struct report_item *group;
    const char *user;
};

/* ---- programs and files ---- */

static void check_user(const struct rights *rights)
{
    const char *owner = rights->doctor->settings->pgbackrest.user;
    struct strbuf again CLEANUP(strbuf_done) = {0};
    if (strcmp(rights->user, owner) == 0) {
        report_verdict(rights->report, rights->group, GRADE_OK,
                       "runs as %s, who owns the repositories by the configuration", owner);
        return;
    }
    doctor_add_self(rights->doctor, &again);
    strbuf_puts(&again, " doctor");
    report_verdict(rights->report, rights->group, GRADE_WARNING,
                   "runs as %s, not as %s (pgbackrest.user), who owns the repositories",
                   rights->user, owner);
    report_step(rights->report, rights->group, "look again as the owner of the repositories",
                strbuf_text(&again));
}

static void check_program(const struct rights *rights)
{
    const char *program = rights->doctor->settings->pgbackrest.command;
    if (access(program, X_OK) == 0)
        return;
    report_verdict(rights->report, rights->group, GRADE_FAILED,
                   "%s may not run %s (pgbackrest.command), or it is not there", rights->user,
                   program);
    report_step(rights->report, rights->group, "install pgbackrest, or correct pgbackrest.command",
                "ls -l /usr/bin/pgbackrest");
}

static void check_stanzas(const struct rights *rights)
{
    const struct settings *settings = rights->doctor->settings;
    if (settings->stanza_count > 0)
        return;
    report_verdict(rights->report, rights->group, GRADE_FAILED,
                   "%s names no stanza: nothing is watched", settings->pgbackrest.config);
    report_step(rights->report, rights->group,
                "give it a section of the stanza's name with pg1-path, such as [main]", NULL);
}

/* ---- repositories of files ---- */

/* Of the repository, or of anything in it that is listed. */
static bool is_listing_forbidden(const struct doctor *doctor,
                                 const struct stanza_repository *repository)
{
    const struct wal_observation *seen = doctor_observation_of(doctor, "wal", repository);
    return seen && !seen->readable && seen->reason == ERR_PERMISSION;
}

static bool is_forbidden(const struct doctor *doctor, const char *path)
{
    struct probe_filesystem seen = {0};
    struct err ignored; /* of a mount that hangs or is missing the mount collector tells */
    struct bound bound = doctor_bound(doctor, LOOK_MS);
    return probe_filesystem(doctor->pool, path, path, &bound, &seen, &ignored) &&
           (seen.statfs_error == EACCES || seen.list_error == EACCES);
}

static void add_remedy(const struct rights *rights, const char *folder)
{
    const char *owner = rights->doctor->settings->pgbackrest.user;
    struct strbuf command CLEANUP(strbuf_done) = {0};
    if (strcmp(rights->user, owner) != 0) {
        doctor_add_self(rights->doctor, &command);
        strbuf_puts(&command, " doctor");
        report_step(rights->report, rights->group, "run as its owner", strbuf_text(&command));
        return;
    }
    strbuf_puts(&command, "sudo chown -R ");
    strbuf_shell_word(&command, owner);
    strbuf_putc(&command, ' ');
    strbuf_shell_word(&command, folder);
    strbuf_puts(&command, " && sudo chmod -R u+rwX ");
    strbuf_shell_word(&command, folder);
    report_step(rights->report, rights->group,
                "give it back to the user who runs pgbackrest: a command was run as someone else",
                strbuf_text(&command));
}

static void check_repository(const struct rights *rights,
                             const struct stanza_repository *repository, const char *folder)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s/backup/%s", folder, repository->stanza->name);
    if (!is_listing_forbidden(rights->doctor, repository) &&
        (path.failed || !is_forbidden(rights->doctor, strbuf_text(&path))))
        return;
    report_verdict(rights->report, rights->group, GRADE_FAILED,
                   "user %s may not read repository %" PRId64 " (%s) in %s", rights->user,
                   repository->key, repository->name, folder);
    add_remedy(rights, folder);
}

static bool is_of_files(const struct stanza_repository *repository)
{
    return strcmp(repository->storage, "posix") == 0 || strcmp(repository->storage, "cifs") == 0;
}

static void check_repositories(const struct rights *rights, const struct stanza *stanza)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        const char *folder = pair_list_get(&repository->options, "path");
        if (is_of_files(repository))
            check_repository(rights, repository, folder ? folder : DISCOVER_REPOSITORY_PATH);
    }
}

/* ---- PostgreSQL ---- */

enum { ROW_ROLE, ROW_MONITOR, ROW_VERSION };

static const char query[] =
    "SELECT current_user, pg_has_role('pg_monitor', 'USAGE'), current_setting('server_version')";

static const struct {
    enum err_code code;
    const char *sentence;
    const char *command;
} steps_down[] = {
    {ERR_CONNECT, "start PostgreSQL, or correct the conninfo of the stanza", "pg_lsclusters"},
    {ERR_TIMEOUT, "see what keeps PostgreSQL busy", "ps -C postgres -o pid,stat,etime,args"},
    {ERR_AUTH,
     "give the user a role, or name one in the conninfo: see psql and pg_hba.conf for what is "
     "allowed",
     NULL},
    {ERR_PERMISSION, "let the user reach the socket: run as its owner, or in its group", NULL},
    {ERR_DNS, "correct the host in the conninfo of the stanza", NULL},
};

static void say_down(const struct rights *rights, const struct stanza *stanza,
                     const struct err *err)
{
    report_verdict(rights->report, rights->group, GRADE_FAILED,
                   "PostgreSQL of %s cannot be asked: %s", stanza->name, err->text);
    for (size_t i = 0; i < COUNT_OF(steps_down); i++) {
        if (steps_down[i].code == err->code)
            report_step(rights->report, rights->group, steps_down[i].sentence,
                        steps_down[i].command);
    }
}

static void add_grant(struct strbuf *out, const char *role)
{
    struct strbuf sql CLEANUP(strbuf_done) = {0};
    strbuf_puts(&sql, "GRANT pg_monitor TO \"");
    for (; *role; role++) {
        strbuf_putc(&sql, *role);
        if (*role == '"')
            strbuf_putc(&sql, '"');
    }
    strbuf_puts(&sql, "\"");
    strbuf_shell_word(out, strbuf_text(&sql));
}

static void say_role(const struct rights *rights, const struct stanza *stanza,
                     const struct pg_rows *rows)
{
    const char *role = pg_rows_text(rows, 0, ROW_ROLE);
    struct strbuf grant CLEANUP(strbuf_done) = {0};
    if (pg_rows_bool(rows, 0, ROW_MONITOR)) {
        report_verdict(rights->report, rights->group, GRADE_OK,
                       "PostgreSQL %s of %s answers role %s, which has pg_monitor",
                       pg_rows_text(rows, 0, ROW_VERSION), stanza->name, role);
        return;
    }
    doctor_add_psql(rights->doctor, stanza, &grant);
    strbuf_puts(&grant, " -c ");
    add_grant(&grant, role);
    report_verdict(rights->report, rights->group, GRADE_FAILED,
                   "role %s lacks pg_monitor in PostgreSQL of %s: the queue of WAL cannot be seen",
                   role, stanza->name);
    report_step(rights->report, rights->group, "grant it", strbuf_text(&grant));
}

static void check_postgres(const struct rights *rights, const struct stanza *stanza)
{
    struct pg *pg CLEANUP(pg_closep) = NULL;
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct err err = {0};
    struct bound bound = doctor_bound(rights->doctor, QUERY_MS);
    if (!stanza->conninfo)
        return; /* a repository host */
    pg = pg_open(rights->doctor->pool, stanza->conninfo, &err);
    if (pg && pg_query(pg, query, &bound, &rows, &err) && pg_rows_count(rows) == 1)
        say_role(rights, stanza, rows);
    else
        say_down(rights, stanza, &err);
}

static char *own_name(void)
{
    const struct passwd *user = getpwuid(geteuid()); /* one thread calls it */
    struct strbuf number = {0};
    if (user)
        return strdup(user->pw_name);
    strbuf_printf(&number, "%ju", (uintmax_t)geteuid());
    return strbuf_steal(&number);
}

static void check_all(const struct rights *rights)
{
    check_user(rights);
    check_program(rights);
    check_stanzas(rights);
    for (size_t i = 0; i < rights->doctor->settings->stanza_count; i++) {
        check_repositories(rights, &rights->doctor->settings->stanzas[i]);
        check_postgres(rights, &rights->doctor->settings->stanzas[i]);
    }
}

void doctor_check_rights(const struct doctor *doctor, struct report *report)
{
    char *user = own_name();
    if (user)
        check_all(&(struct rights){.doctor = doctor,
                                   .report = report,
                                   .group = doctor_group(report, "Rights of %s", user),
                                   .user = user});
    else
        report->failed = true;
    free(user);
}
