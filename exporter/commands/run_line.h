/*
 * run_line - the command line of `run`: which pgBackRest command, on which repositories.
 */
#ifndef EXPORTER_COMMANDS_RUN_LINE_H
#define EXPORTER_COMMANDS_RUN_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/settings.h"
#include "exporter/base/err.h"

struct run_line {
    const char *stanza;   /* as asked, or NULL */
    int64_t repo_key;     /* as asked; 0: all repositories of the stanza */
    int64_t lock_wait_ms; /* how long at most to wait for the lock of the stanza; 0: not at all */
    bool print;           /* show the plain pgbackrest line in place of running it */
    bool help;
    char *const *arguments; /* pgBackRest's command and what follows it */
    int argument_count;
    bool takes_stanza, takes_repo; /* that command does */
};

/*
 * Read it; argv[0] is "run". The `--` before pgBackRest's command may be left out. ERR_CONFIG says
 * what is wrong and what is allowed: a command that run does not know, or options behind it that
 * belong before it or to run alone. *ret points into argv.
 */
bool run_line_read(int argc, char *const argv[], struct run_line *ret, struct err *err) MUST_USE;

/*
 * The stanza that is meant: the one asked for, else the only one. ERR_CONFIG lists those there
 * are. Owned by the settings.
 */
bool run_line_stanza(const struct run_line *line, const struct settings *settings,
                     const struct stanza **ret, struct err *err) MUST_USE;

/* Whether the repository is meant. */
bool run_line_wants(const struct run_line *line, const struct stanza_repository *repository);

/* That of the lowest key: to it pgBackRest backs up, which is to one repository a call. NULL when
 * the stanza has none that is meant. */
const struct stanza_repository *run_line_first_repository(const struct run_line *line,
                                                          const struct stanza *stanza);

/*
 * The next value of an option ("--type") behind pgBackRest's command, from argument *index on,
 * which is moved behind it; "" for one without a value. NULL: there is none any more.
 */
const char *run_line_value(const struct run_line *line, const char *option, int *index);

/* ERR_CONFIG when the stanza has no repository that is meant: lists those it has. */
bool run_line_check_repository(const struct run_line *line, const struct stanza *stanza,
                               struct err *err) MUST_USE;

extern const char run_line_usage[];

#endif
