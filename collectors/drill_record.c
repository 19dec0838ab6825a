#include "collectors/drill_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/base/replace.h"
#include "exporter/base/utf8.h"
#include "exporter/config/file.h"
#include "exporter/sources/json.h"

#define FILE_MODE   0644 /* the exporter may run as another user than the drill */
#define FOLDER_MODE 0755

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

/* ---- reading ---- */

static bool take_text(const struct json_at *at, const char *key, char **ret, struct err *err)
{
    const char *text = NULL;
    if (!json_opt_text(at, key, &text, err))
        return false;
    *ret = text ? strdup(text) : NULL;
    return !text || *ret || err_memory(err);
}

/* Milliseconds in the file, so that they are integers. */
static bool take_time(const struct json_at *at, const char *key, double *ret, struct err *err)
{
    int64_t ms = 0;
    if (!json_opt_integer(at, key, 0, &ms, err))
        return false;
    *ret = (double)ms / 1000;
    return true;
}

static bool take_record(const struct json_at *at, struct drill_record *record, struct err *err)
{
    return json_expect_object(at, err) && take_text(at, "backup", &record->label, err) &&
           take_text(at, "stage", &record->stage, err) &&
           take_text(at, "error", &record->error, err) &&
           json_opt_bool(at, "succeeded", false, &record->succeeded, err) &&
           json_opt_bool(at, "partial", false, &record->partial, err) &&
           take_time(at, "started_ms", &record->started_at, err) &&
           take_time(at, "ready_ms", &record->ready_at, err) &&
           take_time(at, "ended_ms", &record->ended_at, err) &&
           json_opt_bool(at, "failed_before", false, &record->failed_before, err) &&
           take_time(at, "recovered_ms", &record->recovered_at, err) &&
           take_time(at, "success_started_ms", &record->success_started_at, err) &&
           take_time(at, "success_ready_ms", &record->success_ready_at, err) &&
           take_time(at, "success_ended_ms", &record->success_ended_at, err) &&
           take_time(at, "success_recovered_ms", &record->success_recovered_at, err);
}

static bool parse(const struct strbuf *text, struct drill_record *record, struct err *err)
{
    struct json_t *root CLEANUP(json_freep) = NULL;
    if (!json_parse(strbuf_text(text), text->length, &root, err))
        return false;
    struct json_at at = json_root(root);
    return take_record(&at, record, err);
}

bool drill_record_read(const char *path, struct drill_record *ret, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct drill_record record = {0};
    bool missing = false;
    if (!config_file_read(path, &text, &missing, err))
        return false;
    if (!missing && !parse(&text, &record, err)) {
        drill_record_done(&record);
        return err_prefix(err, "%s", path);
    }
    *ret = record;
    return true;
}

/* ---- writing ---- */

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    if (!text)
        return;
    strbuf_printf(out, "  \"%s\": ", key);
    utf8_add_quoted(out, text);
    strbuf_puts(out, ",\n");
}

static void add_time(struct strbuf *out, const char *key, double time)
{
    if (time > 0)
        strbuf_printf(out, "  \"%s\": %.0f,\n", key, time * 1000);
}

static void add_record(struct strbuf *out, const struct drill_record *record)
{
    strbuf_puts(out, "{\n");
    add_text(out, "backup", record->label);
    add_text(out, "stage", record->stage);
    add_text(out, "error", record->error);
    add_time(out, "started_ms", record->started_at);
    add_time(out, "ready_ms", record->ready_at);
    add_time(out, "ended_ms", record->ended_at);
    add_time(out, "recovered_ms", record->recovered_at);
    add_time(out, "success_started_ms", record->success_started_at);
    add_time(out, "success_ready_ms", record->success_ready_at);
    add_time(out, "success_ended_ms", record->success_ended_at);
    add_time(out, "success_recovered_ms", record->success_recovered_at);
    strbuf_printf(out, "  \"failed_before\": %s,\n", record->failed_before ? "true" : "false");
    strbuf_printf(out, "  \"partial\": %s,\n", record->partial ? "true" : "false");
    strbuf_printf(out, "  \"succeeded\": %s\n}\n", record->succeeded ? "true" : "false");
}

static bool make_folder(const char *path, struct err *err)
{
    return mkdir(path, FOLDER_MODE) == 0 || errno == EEXIST ||
           err_system(err, errno, "cannot make the folder %s", path);
}

/* The folder of the file and the one above. */
static bool make_folders(const char *path, struct err *err)
{
    struct strbuf folder CLEANUP(strbuf_done) = {0};
    struct strbuf above CLEANUP(strbuf_done) = {0};
    strbuf_puts(&folder, path);
    strbuf_truncate(&folder, (size_t)(strrchr(path, '/') - path));
    strbuf_puts(&above, strbuf_text(&folder));
    const char *slash = strrchr(strbuf_text(&above), '/');
    strbuf_truncate(&above, (size_t)(slash - strbuf_text(&above)));
    if (folder.failed || above.failed)
        return err_memory(err);
    return make_folder(strbuf_text(&above), err) && make_folder(strbuf_text(&folder), err);
}

bool drill_record_write(const char *path, const struct drill_record *record, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    add_record(&text, record);
    if (text.failed)
        return err_memory(err);
    return make_folders(path, err) &&
           replace_file(path, strbuf_text(&text), text.length, FILE_MODE, err);
}

/* ---- the lock ---- */

/* Beside the record, for that is replaced. */
static int open_lock(const char *path, int flags)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, "%s.lock", path);
    return name.failed ? -1 : open(strbuf_text(&name), flags | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
}

bool drill_record_lock(const char *path, int *ret_fd, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (!make_folders(path, err))
        return false;
    int fd = open_lock(path, O_RDWR | O_CREAT);
    if (fd < 0)
        return err_system(err, errno, "cannot open %s.lock", path);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        *ret_fd = fd;
        return true;
    }
    close(fd);
    return err_set(err, ERR_STUCK, "another drill of this repository is running");
}

bool drill_record_is_running(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open_lock(path, O_RDONLY);
    bool running = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return running;
}
