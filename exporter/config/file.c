#include "exporter/config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE 16384

static void close_descriptor(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static bool open_failed(int error_number, const char *path, bool *missing, struct err *err)
{
    if (error_number == ENOENT && missing) {
        *missing = true;
        return true;
    }
    err_system(err, error_number, "cannot open %s", path);
    if (err && (error_number == EACCES || error_number == EPERM))
        err->code = ERR_PERMISSION;
    else if (err && (error_number == ENOENT || error_number == ENOTDIR))
        err->code = ERR_CONFIG;
    return false;
}

static bool read_rest(int descriptor, const char *path, struct strbuf *text, struct err *err)
{
    text->limit = CONFIG_FILE_MAX + CHUNK_SIZE;
    for (;;) {
        if (!strbuf_reserve(text, CHUNK_SIZE))
            return err_memory(err);
        ssize_t got = read(descriptor, text->data + text->length, CHUNK_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(err, errno, "cannot read %s", path);
        if (got == 0)
            return true;
        text->length += (size_t)got;
        text->data[text->length] = '\0';
        if (text->length > CONFIG_FILE_MAX)
            return err_set(err, ERR_CONFIG, "%s is larger than %zu bytes", path, CONFIG_FILE_MAX);
    }
}

bool config_file_read(const char *path, struct strbuf *ret, bool *missing, struct err *err)
{
    /* O_NONBLOCK: a named pipe without a writer would block the open for ever. */
    int descriptor CLEANUP(close_descriptor) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return open_failed(errno, path, missing, err);
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return err_system(err, errno, "cannot read %s", path);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_CONFIG, "%s is not a regular file", path);

    struct strbuf text = {0};
    if (!read_rest(descriptor, path, &text, err)) {
        strbuf_done(&text);
        return false;
    }
    text.limit = 0;
    *ret = text;
    return true;
}
