#include "collectors/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/base/replace.h"
#include "exporter/base/utf8.h"
#include "exporter/config/file.h"

#define FILE_MODE   0644 /* the exporter may run as another user than the command */
#define FOLDER_MODE 0755

/* ---- reading ---- */

bool record_take_text(const struct json_at *at, const char *key, char **ret, struct err *err)
{
    const char *text = NULL;
    if (!json_opt_text(at, key, &text, err))
        return false;
    *ret = text ? strdup(text) : NULL;
    return !text || *ret || err_memory(err);
}

/* Milliseconds in the file, so that they are integers. */
bool record_take_time(const struct json_at *at, const char *key, double *ret, struct err *err)
{
    int64_t ms = 0;
    if (!json_opt_integer(at, key, 0, &ms, err))
        return false;
    *ret = (double)ms / 1000;
    return true;
}

static bool parse(const struct strbuf *text, struct json_t **ret, struct err *err)
{
    struct json_t *root CLEANUP(json_freep) = NULL;
    if (!json_parse(strbuf_text(text), text->length, &root, err))
        return false;
    struct json_at at = json_root(root);
    if (!json_expect_object(&at, err))
        return false;
    *ret = root;
    root = NULL;
    return true;
}

bool record_read(const char *path, struct json_t **ret, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct json_t *root = NULL;
    bool missing = false;
    if (!config_file_read(path, &text, &missing, err))
        return false;
    if (!missing && !parse(&text, &root, err))
        return err_prefix(err, "%s", path);
    *ret = root;
    return true;
}

/* ---- writing ---- */

void record_add_text(struct strbuf *out, const char *key, const char *text)
{
    if (!text)
        return;
    strbuf_printf(out, "  \"%s\": ", key);
    utf8_add_quoted(out, text);
    strbuf_puts(out, ",\n");
}

void record_add_time(struct strbuf *out, const char *key, double time)
{
    if (time > 0)
        strbuf_printf(out, "  \"%s\": %.0f,\n", key, time * 1000);
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

bool record_write(const char *path, const struct strbuf *text, struct err *err)
{
    if (text->failed)
        return err_memory(err);
    return make_folders(path, err) &&
           replace_file(path, strbuf_text(text), text->length, FILE_MODE, err);
}

/* ---- the lock ---- */

/* Beside the record, for that is replaced. */
static int open_lock(const char *path, int flags)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, "%s.lock", path);
    return name.failed ? -1 : open(strbuf_text(&name), flags | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
}

bool record_lock(const char *path, int *ret_fd, struct err *err)
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
    return err_set(err, ERR_STUCK, "%s.lock is held by another process", path);
}

bool record_is_running(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open_lock(path, O_RDONLY);
    bool running = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return running;
}
