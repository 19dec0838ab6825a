/*
 * doctor_runbook - a sheet for the day on which the host is gone: how to restore by hand, with
 * pgbackrest alone.
 */
#ifndef EXPORTER_COMMANDS_DOCTOR_RUNBOOK_H
#define EXPORTER_COMMANDS_DOCTOR_RUNBOOK_H

#include "collectors/settings.h"
#include "exporter/base/strbuf.h"

/* What the settings do not say; texts may be NULL: not known. */
struct runbook_facts {
    const char *host;
    const char *pgbackrest_version;
    const char *const *postgres_versions; /* one for each stanza */
    double now;                           /* s since 1970 */
};

/*
 * Append the sheet, in Markdown. The settings are those of the command restore
 * (settings_use_command). No secret is in it: credentials are named by their file. Asks nobody.
 */
void doctor_runbook(const struct settings *settings, const struct runbook_facts *facts,
                    struct strbuf *out);

#endif
