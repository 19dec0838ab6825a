#include "collectors/archive_config_report.h"

#include <string.h>

#include "collectors/repository.h"

static const enum grade grades[] = {
    [ARCHIVE_CONFIG_NOT_NEEDED] = GRADE_NONE,
    [ARCHIVE_CONFIG_NOT_CHECKED] = GRADE_NONE,
    [ARCHIVE_CONFIG_VALID] = GRADE_OK,
    [ARCHIVE_CONFIG_INVALID] = GRADE_FAILED,
};

static const char *const verdicts[] = {
    [ARCHIVE_CONFIG_NOT_NEEDED] = "not checked: ",
    [ARCHIVE_CONFIG_NOT_CHECKED] = "not checked: ",
    [ARCHIVE_CONFIG_VALID] = "archive-push accepts the configuration that archive_command gives it",
    [ARCHIVE_CONFIG_INVALID] = "archive_command CANNOT archive, the next WAL segment will fail: ",
};

/* How pgBackRest names an option that is not there. */
static const char requires[] = "requires option: ";

static struct report_item *group_of(struct report *report, const char *stanza)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "archive_command of %s", stanza);
    return report_group(report, NULL, strbuf_text(&title));
}

static const char *config_of(const struct archive_config_view *view)
{
    return view->config ? view->config : "pgbackrest.conf";
}

/* How much of "repo2-s3-key" names the repository ("repo2"); 0 for an option of none. */
static size_t repository_length(const char *option)
{
    size_t digits = strncmp(option, "repo", 4) == 0 ? strspn(option + 4, "0123456789") : 0;
    return digits > 0 && option[4 + digits] == '-' ? 4 + digits : 0;
}

static void report_missing(struct report *report, struct report_item *group,
                           const struct archive_config_view *view, const char *message)
{
    struct strbuf option CLEANUP(strbuf_done) = {0};
    struct strbuf give CLEANUP(strbuf_done) = {0};
    struct strbuf or_remove CLEANUP(strbuf_done) = {0};
    strbuf_add(&option, message, strspn(message, "abcdefghijklmnopqrstuvwxyz0123456789-"));
    const char *name = strbuf_text(&option);
    size_t repository = repository_length(name);
    strbuf_printf(&give, "give the server %s: as a line of %s, or as ", name, config_of(view));
    repository_variable_name(&give, name);
    strbuf_puts(&give, " in the environment of its service, then restart it (a reload does not "
                       "change its environment)");
    report_step(report, group, strbuf_text(&give), NULL);
    if (repository == 0)
        return;
    strbuf_printf(&or_remove,
                  "or keep this repository out of archiving: remove the lines that begin with "
                  "%.*s- from [global], [global:archive-push] and the sections of %s in %s",
                  (int)repository, name, view->stanza, config_of(view));
    report_step(report, group, strbuf_text(&or_remove), NULL);
}

static void report_steps(struct report *report, struct report_item *group,
                         const struct archive_config_view *view)
{
    const char *missing = strstr(strbuf_text(&view->messages), requires);
    if (missing)
        report_missing(report, group, view, missing + strlen(requires));
    else
        report_step(report, group,
                    "correct what it names: in the configuration, in archive_command, or in the "
                    "environment of the server",
                    NULL);
    report_step(report, group, "see where archive_command comes from",
                "sudo -u postgres psql -Xc \"SELECT name, setting, sourcefile, sourceline FROM "
                "pg_settings WHERE name LIKE 'archive%'\"");
}

static void report_facts(struct report *report, struct report_item *group,
                         const struct archive_config_view *view)
{
    if (!view->program)
        return;
    report_fact(report, group, "tried", "%s archive-push without a WAL segment", view->program);
    report_fact(report, group, "configuration", "%s", config_of(view));
    report_fact(report, group, "environment", "%zu PGBACKREST variables of %s", view->variables,
                view->source);
    if (view->verdict == ARCHIVE_CONFIG_VALID)
        report_fact(report, group, "not tried",
                    "whether the repositories answer, and whether pgbackrest stop is in force");
}

void archive_config_report(struct report *report, const struct archive_config_view *view)
{
    struct report_item *group = group_of(report, view->stanza);
    bool valid = view->verdict == ARCHIVE_CONFIG_VALID;
    report_verdict(report, group, grades[view->verdict], "%s%s", verdicts[view->verdict],
                   valid ? "" : view->why.text);
    if (view->verdict == ARCHIVE_CONFIG_INVALID)
        report_steps(report, group, view);
    if (view->lacks_environment)
        report_step(report, group,
                    "connect by the local socket as the server's own user, or name the file of its "
                    "PGBACKREST variables: postgres[].archive-environment",
                    NULL);
    report_facts(report, group, view);
    if (view->messages.length > 0)
        report_detail(report, group, "what pgbackrest said", strbuf_text(&view->messages));
}

void archive_config_report_down(struct report *report, const char *stanza, const struct err *err)
{
    struct report_item *group = group_of(report, stanza);
    report_verdict(report, group, GRADE_UNKNOWN, "unknown: PostgreSQL could not be asked: %s",
                   err->text);
}
