/*
 * doctor_credentials - the files that hold secrets: there, readable, complete, and to no one else.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/repository.h"
#include "exporter/commands/doctor_check.h"

/* ---- a credentials file ---- */

static void add_names(struct strbuf *out, const struct repository_settings *settings)
{
    for (size_t i = 0; i < settings->credentials_map.count; i++)
        strbuf_printf(out, "%s%s=", i > 0 ? ", " : "", settings->credentials_map.items[i].value);
}

/* A folder of systemd's is not for hands. */
static bool is_systemds(const char *file)
{
    return *file == '$';
}

static void add_to_file(struct strbuf *command, const char *begin, const char *file)
{
    strbuf_puts(command, begin);
    strbuf_shell_word(command, file);
}

static void report_absent(const struct doctor *doctor, struct report *report,
                          struct report_item *group, const struct repository_settings *settings)
{
    struct strbuf fill CLEANUP(strbuf_done) = {0};
    struct strbuf command CLEANUP(strbuf_done) = {0};
    strbuf_puts(&fill, "then write a line into it for each of ");
    add_names(&fill, settings);
    strbuf_puts(&command, "sudo install -m 600 -o ");
    strbuf_shell_word(&command, doctor->settings->pgbackrest.user);
    add_to_file(&command, " /dev/null ", settings->credentials_file);
    report_step(report, group,
                "let what provides it run again; else make it anew, closed to others",
                strbuf_text(&command));
    report_step(report, group, strbuf_text(&fill), NULL);
}

static void report_unreadable(const struct doctor *doctor, struct report *report,
                              struct report_item *group, const char *file)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    strbuf_puts(&command, "sudo chown ");
    strbuf_shell_word(&command, doctor->settings->pgbackrest.user);
    add_to_file(&command, " ", file);
    add_to_file(&command, " && sudo chmod 600 ", file);
    report_step(report, group,
                "give it to the user who runs pgbackrest; its folders must let that "
                "user in, too",
                strbuf_text(&command));
}

static void report_incomplete(struct report *report, struct report_item *group,
                              const struct repository_settings *settings)
{
    struct strbuf fill CLEANUP(strbuf_done) = {0};
    strbuf_puts(&fill, "write what is missing into it: it must name ");
    add_names(&fill, settings);
    strbuf_puts(&fill, ", or correct credentials.map in the configuration");
    report_step(report, group, strbuf_text(&fill), NULL);
}

static void report_steps(const struct doctor *doctor, struct report *report,
                         struct report_item *group, const struct repository_settings *settings)
{
    const char *file = settings->credentials_file;
    if (is_systemds(file))
        report_step(report, group,
                    "systemd gives this file to the service alone (LoadCredential=): run the "
                    "doctor there",
                    NULL);
    else if (access(file, R_OK) == 0)
        report_incomplete(report, group, settings);
    else if (errno == ENOENT)
        report_absent(doctor, report, group, settings);
    else
        report_unreadable(doctor, report, group, file);
}

static void report_exposed(struct report *report, struct report_item *group, const char *file)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    add_to_file(&command, "sudo chmod o-rwx ", file);
    report_verdict(report, group, GRADE_FAILED, "every user of this host may read %s", file);
    report_step(report, group,
                "close it to others, and consider new keys: these may have been seen",
                strbuf_text(&command));
}

/* The same file for several stanzas is looked at once. */
static bool is_first(const struct doctor *doctor, const struct stanza_repository *repository)
{
    for (size_t i = 0; i < doctor->settings->stanza_count; i++) {
        const struct stanza *stanza = &doctor->settings->stanzas[i];
        for (size_t j = 0; j < stanza->repository_count; j++) {
            if (stanza->repositories[j].settings == repository->settings)
                return &stanza->repositories[j] == repository;
        }
    }
    return true;
}

static void check_file(const struct doctor *doctor, const struct stanza_repository *repository,
                       struct report *report)
{
    const struct repository_settings *settings = repository->settings;
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct err err = {0};
    if (!settings || !settings->credentials_file || !is_first(doctor, repository))
        return;
    struct report_item *group = doctor_group(report, "Credentials of repository %" PRId64 " (%s)",
                                             repository->key, repository->name);
    if (!repository_env(repository, &env, &err)) {
        report_verdict(report, group, GRADE_FAILED, "%s", err.text);
        report_steps(doctor, report, group, settings);
        return;
    }
    if (env.world_readable && !is_systemds(settings->credentials_file))
        report_exposed(report, group, settings->credentials_file);
    else
        report_verdict(report, group, GRADE_OK, "%s is there, readable and complete",
                       settings->credentials_file);
}

/* ---- configuration files ---- */

static bool has_secret(const struct pair_list *options)
{
    for (size_t i = 0; i < options->count; i++) {
        if (repository_option_is_secret(options->items[i].name))
            return true;
    }
    return false;
}

static bool conf_has_secret(const struct settings *settings)
{
    for (size_t i = 0; i < settings->conf.count; i++) {
        if (has_secret(&settings->conf.sections[i].options))
            return true;
    }
    return false;
}

static bool own_file_has_secret(const struct settings *settings)
{
    for (size_t i = 0; i < settings->repository_count; i++) {
        if (has_secret(&settings->repositories[i].options))
            return true;
    }
    return false;
}

static void check_exposed(struct report *report, const char *file)
{
    struct stat seen;
    if (file && stat(file, &seen) == 0 && (seen.st_mode & S_IROTH))
        report_exposed(report, doctor_group(report, "Secrets in %s", file), file);
}

void doctor_check_credentials(const struct doctor *doctor, struct report *report)
{
    const struct settings *settings = doctor->settings;
    doctor_each_repository(doctor, check_file, report);
    if (conf_has_secret(settings))
        check_exposed(report, settings->pgbackrest.config);
    if (own_file_has_secret(settings))
        check_exposed(report, settings->config_file);
}
