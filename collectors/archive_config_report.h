/*
 * archive_config_report - what is known of archive_command's configuration, for people.
 */
#ifndef COLLECTORS_ARCHIVE_CONFIG_REPORT_H
#define COLLECTORS_ARCHIVE_CONFIG_REPORT_H

#include <stdbool.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/report.h"

enum archive_config_verdict {
    ARCHIVE_CONFIG_NOT_NEEDED,  /* nothing is archived by this server */
    ARCHIVE_CONFIG_NOT_CHECKED, /* it cannot be tried from here without a guess */
    ARCHIVE_CONFIG_VALID,
    ARCHIVE_CONFIG_INVALID,
};

/* What one look found. */
struct archive_config_view {
    const char *stanza;
    enum archive_config_verdict verdict;
    struct err why;         /* unless it is valid */
    bool lacks_environment; /* not checked because the server's environment is not known */
    char *program;          /* that was tried; NULL when none was */
    char *config;       /* the configuration that the server names; NULL: pgBackRest's default */
    const char *source; /* of the server's environment, for people; owned by others */
    size_t variables;   /* PGBACKREST_* variables in it */
    struct strbuf messages; /* all that pgbackrest said, redacted */
};

void archive_config_report(struct report *report, const struct archive_config_view *view);

/* PostgreSQL did not answer. */
void archive_config_report_down(struct report *report, const char *stanza, const struct err *err);

#endif
