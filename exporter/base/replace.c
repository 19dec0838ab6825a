#include "exporter/base/replace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/base/strbuf.h"

static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return true;
}

static bool fill(int fd, const char *text, size_t length, mode_t mode)
{
    return write_all(fd, text, length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
}

/* errno tells why it failed. */
static bool write_and_rename(char *beside, const char *path, const char *text, size_t length,
                             mode_t mode)
{
    int fd = mkstemp(beside);
    if (fd < 0)
        return false;
    bool filled = fill(fd, text, length, mode);
    int error = errno;
    bool closed = close(fd) == 0;
    if (filled && closed && rename(beside, path) == 0)
        return true;
    error = filled ? errno : error;
    unlink(beside);
    errno = error;
    return false;
}

bool replace_file(const char *path, const char *text, size_t length, mode_t mode, struct err *err)
{
    struct strbuf template = {0};
    strbuf_printf(&template, "%s.XXXXXX", path);
    if (template.failed) {
        strbuf_done(&template);
        return err_memory(err);
    }
    char *beside = strbuf_steal(&template);
    bool written = write_and_rename(beside, path, text, length, mode) ||
                   err_system(err, errno, "cannot write %s", path);
    free(beside);
    return written;
}
