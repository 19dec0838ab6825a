#include <stdio.h>

#include "exporter/commands/command.h"
#include "exporter/commands/plan.h"
#include "exporter/web/security.h"

static void print_plans(const struct settings *settings, const struct poller_plan *plans,
                        size_t count)
{
    printf("configuration: %s\n", settings->config_file ? settings->config_file : "(no file)");
    printf("pgbackrest:    %s\n", settings->pgbackrest.config);
    if (settings->web.config_file)
        printf("web:           %s\n", settings->web.config_file);
    if (settings->stanza_count == 0)
        printf("warning:       no stanza is configured, so nothing will be watched\n");
    for (size_t i = 0; i < settings->stanza_count; i++) {
        const struct stanza *stanza = &settings->stanzas[i];
        printf("stanza %s: %s\n", stanza->name,
               stanza->conninfo ? "with PostgreSQL" : "no PostgreSQL here (repository host)");
        for (size_t j = 0; j < stanza->repository_count; j++)
            printf("  repository %lld (%s): %s\n", (long long)stanza->repositories[j].key,
                   stanza->repositories[j].name, stanza->repositories[j].storage);
    }
    for (size_t i = 0; i < count; i++) {
        printf("collector %s:", plans[i].collector->name);
        for (size_t j = 0; j < plans[i].targets.count; j++)
            printf(" %s", plans[i].targets.items[j].name);
        printf("\n");
    }
}

/* The web's own file is read by the server alone, so here it is read to see that it can be. */
static bool check_web(const struct settings *settings, struct err *err)
{
    struct security *security = NULL;
    if (!settings->web.config_file)
        return true;
    if (!security_read(settings->web.config_file, NULL, &security, err))
        return false;
    security_unref(security);
    return true;
}

/* Reading the settings was the check; what is left is to show how they were understood. */
static int check_config_run(const struct command_line *line UNUSED, struct settings *settings,
                            int argc, char *const argv[])
{
    struct err err = {0};
    struct poller_plan *plans = NULL;
    size_t count = 0;
    int status = EXIT_USAGE;
    if (argc > 1)
        err_set(&err, ERR_CONFIG, "check-config takes no argument, got %s", argv[1]);
    else if (check_web(settings, &err) && plan_make(settings, &plans, &count, &err))
        status = EXIT_FINE;
    if (status == EXIT_FINE)
        print_plans(settings, plans, count);
    else
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    plan_free(plans, count);
    settings_free(settings);
    return status;
}

const struct command command_check_config = {
    .name = "check-config",
    .arguments = "",
    .help = "Read the configuration, say how it is understood, and exit.",
    .run = check_config_run,
};
