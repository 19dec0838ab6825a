#include "collectors/drill_record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "collectors/record.h"

void drill_record_path(const char *directory, const char *stanza, int64_t repo_key,
                       struct strbuf *out)
{
    strbuf_printf(out, "%s/drill/%s.repo%" PRId64 ".json", directory, stanza, repo_key);
}

void drill_record_done(struct drill_record *record)
{
    free(record->label);
    free(record->stage);
    free(record->error);
    *record = (struct drill_record){0};
}

static bool take_record(const struct json_at *at, struct drill_record *record, struct err *err)
{
    return record_take_text(at, "backup", &record->label, err) &&
           record_take_text(at, "stage", &record->stage, err) &&
           record_take_text(at, "error", &record->error, err) &&
           json_opt_bool(at, "succeeded", false, &record->succeeded, err) &&
           json_opt_bool(at, "partial", false, &record->partial, err) &&
           record_take_time(at, "started_ms", &record->started_at, err) &&
           record_take_time(at, "ready_ms", &record->ready_at, err) &&
           record_take_time(at, "ended_ms", &record->ended_at, err) &&
           json_opt_bool(at, "failed_before", false, &record->failed_before, err) &&
           record_take_time(at, "recovered_ms", &record->recovered_at, err) &&
           record_take_time(at, "success_started_ms", &record->success_started_at, err) &&
           record_take_time(at, "success_ready_ms", &record->success_ready_at, err) &&
           record_take_time(at, "success_ended_ms", &record->success_ended_at, err) &&
           record_take_time(at, "success_recovered_ms", &record->success_recovered_at, err);
}

bool drill_record_read(const char *path, struct drill_record *ret, struct err *err)
{
    struct json_t *root CLEANUP(json_freep) = NULL;
    struct drill_record record = {0};
    if (!record_read(path, &root, err))
        return false;
    struct json_at at = json_root(root);
    if (root && !take_record(&at, &record, err)) {
        drill_record_done(&record);
        return err_prefix(err, "%s", path);
    }
    *ret = record;
    return true;
}

static void add_record(struct strbuf *out, const struct drill_record *record)
{
    strbuf_puts(out, "{\n");
    record_add_text(out, "backup", record->label);
    record_add_text(out, "stage", record->stage);
    record_add_text(out, "error", record->error);
    record_add_time(out, "started_ms", record->started_at);
    record_add_time(out, "ready_ms", record->ready_at);
    record_add_time(out, "ended_ms", record->ended_at);
    record_add_time(out, "recovered_ms", record->recovered_at);
    record_add_time(out, "success_started_ms", record->success_started_at);
    record_add_time(out, "success_ready_ms", record->success_ready_at);
    record_add_time(out, "success_ended_ms", record->success_ended_at);
    record_add_time(out, "success_recovered_ms", record->success_recovered_at);
    strbuf_printf(out, "  \"failed_before\": %s,\n", record->failed_before ? "true" : "false");
    strbuf_printf(out, "  \"partial\": %s,\n", record->partial ? "true" : "false");
    strbuf_printf(out, "  \"succeeded\": %s\n}\n", record->succeeded ? "true" : "false");
}

bool drill_record_write(const char *path, const struct drill_record *record, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    add_record(&text, record);
    return record_write(path, &text, err);
}

bool drill_record_lock(const char *path, int *ret_fd, struct err *err)
{
    if (record_lock(path, ret_fd, err))
        return true;
    return err->code == ERR_STUCK
               ? err_set(err, ERR_STUCK, "another drill of this repository is running")
               : false;
}

bool drill_record_is_running(const char *path)
{
    return record_is_running(path);
}
