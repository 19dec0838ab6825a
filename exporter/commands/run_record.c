#include "exporter/commands/run_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/command_record.h"
#include "collectors/record.h"
#include "exporter/base/clock.h"

struct run_record_entry {
    char *path;
    int lock; /* -1: another process records there now, or nobody can */
    struct command_record record;
};

static void tell(struct run_record *record, const struct err *err)
{
    if (!record->told)
        fprintf(stderr, "pgbackup_exporter: not recorded: %s\n", err->text);
    record->told = true;
}

static bool add_entry(struct run_record *record, const struct settings *settings,
                      const struct stanza_repository *repository, const char *command)
{
    struct strbuf path = {0};
    command_record_path(settings->state_directory, repository->stanza->name, repository->key,
                        command, &path);
    struct run_record_entry *entries =
        reallocarray(record->entries, record->count + 1, sizeof *entries);
    if (entries)
        record->entries = entries;
    char *text = strbuf_steal(&path);
    if (!entries || !text) {
        free(text);
        return false;
    }
    record->entries[record->count++] = (struct run_record_entry){.path = text, .lock = -1};
    return true;
}

void run_record_open(struct run_record *record, const struct run_line *line,
                     const struct settings *settings, const struct stanza *stanza)
{
    struct err err = {0};
    const char *command = line->arguments[0];
    const struct stanza_repository *only =
        strcmp(command, "backup") == 0 ? run_line_first_repository(line, stanza) : NULL;
    if (!command_record_is_kept(command))
        return;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (only ? repository != only : !run_line_wants(line, repository))
            continue;
        if (!add_entry(record, settings, repository, command) && !err_memory(&err))
            tell(record, &err);
    }
}

/* Of a killed one nothing else was written: that it was is kept while the next one runs. */
static bool begin(struct run_record_entry *entry, struct err *err)
{
    struct command_record before = {.exit_status = -1};
    struct err unreadable = {0}; /* what was there before is given up then */
    if (!record_lock(entry->path, &entry->lock, err))
        return err->code == ERR_STUCK;
    if (!command_record_read(entry->path, &before, &unreadable))
        before.exit_status = -1;
    entry->record = (struct command_record){
        .began_at = clock_wall_seconds(),
        .ended_at = before.ended_at,
        .exit_status = command_record_status(&before, false),
    };
    return command_record_write(entry->path, &entry->record, err);
}

void run_record_begin(struct run_record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        struct err err = {0};
        if (record->entries[i].lock < 0 && !begin(&record->entries[i], &err))
            tell(record, &err);
    }
}

static bool end(struct run_record_entry *entry, int status, struct err *err)
{
    entry->record.has_ended = true;
    entry->record.ended_at = clock_wall_seconds();
    entry->record.exit_status = status;
    return command_record_write(entry->path, &entry->record, err);
}

void run_record_end(struct run_record *record, int status)
{
    for (size_t i = 0; i < record->count; i++) {
        struct err err = {0};
        if (record->entries[i].lock >= 0 && !end(&record->entries[i], status, &err))
            tell(record, &err);
    }
}

void run_record_done(struct run_record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        if (record->entries[i].lock >= 0)
            close(record->entries[i].lock);
        free(record->entries[i].path);
    }
    free(record->entries);
    *record = (struct run_record){0};
}
