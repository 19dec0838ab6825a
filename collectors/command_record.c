#include "collectors/command_record.h"

#include <inttypes.h>
#include <string.h>

#include "collectors/record.h"

const char *const command_record_names[] = {
    "backup", "expire", "check", "stanza-create", "stanza-upgrade", "stanza-delete", NULL};

bool command_record_is_kept(const char *command)
{
    for (const char *const *name = command_record_names; *name; name++) {
        if (strcmp(*name, command) == 0)
            return true;
    }
    return false;
}

void command_record_path(const char *directory, const char *stanza, int64_t repo_key,
                         const char *command, struct strbuf *out)
{
    strbuf_printf(out, "%s/command/%s.repo%" PRId64 ".%s.json", directory, stanza, repo_key,
                  command);
}

static bool take_record(const struct json_at *at, struct command_record *record, struct err *err)
{
    return record_take_time(at, "began_ms", &record->began_at, err) &&
           json_opt_bool(at, "ended", false, &record->has_ended, err) &&
           record_take_time(at, "ended_ms", &record->ended_at, err) &&
           json_opt_integer(at, "exit_status", -1, &record->exit_status, err);
}

bool command_record_read(const char *path, struct command_record *ret, struct err *err)
{
    struct json_t *root CLEANUP(json_freep) = NULL;
    struct command_record record = {.exit_status = -1};
    if (!record_read(path, &root, err))
        return false;
    struct json_at at = json_root(root);
    if (root && !take_record(&at, &record, err))
        return err_prefix(err, "%s", path);
    *ret = record;
    return true;
}

bool command_record_write(const char *path, const struct command_record *record, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "{\n");
    record_add_time(&text, "began_ms", record->began_at);
    record_add_time(&text, "ended_ms", record->ended_at);
    strbuf_printf(&text, "  \"exit_status\": %" PRId64 ",\n", record->exit_status);
    strbuf_printf(&text, "  \"ended\": %s\n}\n", record->has_ended ? "true" : "false");
    return record_write(path, &text, err);
}

int64_t command_record_status(const struct command_record *record, bool running)
{
    bool killed = record->began_at > 0 && !record->has_ended && !running;
    return killed ? COMMAND_RECORD_KILLED : record->exit_status;
}
