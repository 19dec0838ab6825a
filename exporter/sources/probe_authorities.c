#include "exporter/sources/probe_authorities.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The child's side. */

/* Returns an errno value. */
static int read_all(int fd, struct probe_authorities *found)
{
    for (;;) {
        size_t room = sizeof found->text - found->length;
        ssize_t count = room > 0 ? read(fd, found->text + found->length, room) : -1;
        if (room == 0)
            return EFBIG;
        if (count < 0 && errno != EINTR)
            return errno;
        if (count == 0)
            return 0;
        found->length += count > 0 ? (uint32_t)count : 0;
    }
}

/* Without O_NONBLOCK a named pipe would be waited for. */
void probe_authorities_run(const char *path, void *answer)
{
    struct probe_authorities *found = answer;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0)
        found->error = errno;
    else
        found->error = S_ISREG(status.st_mode) ? read_all(fd, found) : EINVAL;
    if (fd >= 0)
        close(fd);
}

/* The parent's side. */

static bool take(const char *path, const struct probe_authorities *answer, struct strbuf *out,
                 struct err *err)
{
    if (answer->error) {
        err_system(err, answer->error, "cannot read the authorities in %s", path);
        if (err)
            err->code = ERR_CONFIG;
        return false;
    }
    if (answer->length > sizeof answer->text)
        return err_set(err, ERR_PROTOCOL, "the probe gave no authorities for %s", path);
    strbuf_add(out, answer->text, answer->length);
    return !out->failed || err_memory(err);
}

bool probe_authorities(struct proc_pool *pool, const char *path, const struct bound *bound,
                       struct strbuf *out, struct err *err)
{
    struct probe_authorities *answer = calloc(1, sizeof *answer);
    const struct probe_question question = {
        .operation = "authorities",
        .argument = path,
        .key = path,
        .answer = answer,
        .size = sizeof *answer,
    };
    if (!answer)
        return err_memory(err);
    bool read = probe_ask(pool, &question, bound, err);
    if (!read)
        err_prefix(err, "cannot read the authorities in %s", path);
    read = read && take(path, answer, out, err);
    free(answer);
    return read;
}
