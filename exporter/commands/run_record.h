/*
 * run_record - records what a supervised command comes to, for each repository it concerns.
 *
 * It never hinders the command: what cannot be recorded is told on stderr, once.
 */
#ifndef EXPORTER_COMMANDS_RUN_RECORD_H
#define EXPORTER_COMMANDS_RUN_RECORD_H

#include "collectors/settings.h"
#include "exporter/commands/run_line.h"

struct run_record_entry;

/* Begin with an all-zero struct. Nothing of the settings is kept. */
struct run_record {
    struct run_record_entry *entries;
    size_t count;
    bool told; /* that something is not recorded */
};

/*
 * Name what is recorded: nothing for a command that is not. The repositories are those asked for;
 * of a backup, which goes to one only, the one it goes to.
 */
void run_record_open(struct run_record *record, const struct run_line *line,
                     const struct settings *settings, const struct stanza *stanza);

/*
 * It begins. May be called again for another attempt: a record that another process of the same
 * command holds is left to that one until then.
 */
void run_record_begin(struct run_record *record);

/* It is over. Of a record that another process holds, nothing is said. */
void run_record_end(struct run_record *record, int status);

void run_record_done(struct run_record *record);

#endif
