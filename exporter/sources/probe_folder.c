#include "exporter/sources/probe_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The child's side. */

/* Whatever lies there is not waited for: a FIFO has no begin. */
static int open_regular(int folder, const char *name, struct stat *status)
{
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, status) == 0 && S_ISREG(status->st_mode))
        return fd;
    int error = fd < 0 ? errno : EINVAL;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static void add_text(struct probe_folder *seen, int folder, const char *name)
{
    struct stat status;
    struct probe_text *text = &seen->texts[seen->text_count];
    int fd = seen->text_count < PROBE_FOLDER_TEXTS ? open_regular(folder, name, &status) : -1;
    if (fd < 0)
        return;
    ssize_t length = read(fd, text->text, sizeof text->text - 1);
    close(fd);
    if (length <= 0)
        return;
    text->text[length] = '\0';
    text->name = seen->name_count - 1;
    seen->text_count++;
}

static void add_entry(struct probe_folder *seen, int folder, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    seen->count++;
    size_t length = strlen(name);
    if (seen->name_count >= PROBE_FOLDER_NAMES || length >= PROBE_NAME_SIZE)
        return;
    memcpy(seen->names[seen->name_count++], name, length);
    add_text(seen, folder, name);
}

void probe_folder_run(const char *path, void *answer)
{
    struct probe_folder *seen = answer;
    DIR *folder = opendir(path);
    if (!folder) {
        seen->error = errno;
        return;
    }
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(folder)); errno = 0)
        add_entry(seen, dirfd(folder), entry->d_name);
    seen->error = errno;
    closedir(folder);
}

void probe_tail_run(const char *path, void *answer)
{
    struct probe_tail *seen = answer;
    struct stat status;
    int fd = open_regular(AT_FDCWD, path, &status);
    if (fd < 0) {
        seen->error = errno;
        return;
    }
    off_t from = status.st_size > PROBE_TAIL_SIZE ? status.st_size - PROBE_TAIL_SIZE : 0;
    ssize_t length = pread(fd, seen->text, sizeof seen->text, from);
    seen->error = length < 0 ? errno : 0;
    seen->length = length > 0 ? (uint32_t)length : 0;
    close(fd);
}

/* The parent's side. */

/* Counts and texts of a child that may be of another mind stay within their arrays. */
static bool is_sound(const struct probe_folder *seen)
{
    if (seen->name_count > PROBE_FOLDER_NAMES || seen->text_count > PROBE_FOLDER_TEXTS)
        return false;
    for (uint32_t i = 0; i < seen->name_count; i++) {
        if (!memchr(seen->names[i], '\0', PROBE_NAME_SIZE))
            return false;
    }
    for (uint32_t i = 0; i < seen->text_count; i++) {
        if (seen->texts[i].name >= seen->name_count ||
            !memchr(seen->texts[i].text, '\0', PROBE_TEXT_SIZE))
            return false;
    }
    return true;
}

bool probe_folder(struct proc_pool *pool, const char *path, const char *key,
                  const struct bound *bound, struct probe_folder *ret, struct err *err)
{
    const struct probe_question question = {
        .operation = "folder", .argument = path, .key = key, .answer = ret, .size = sizeof *ret};
    return probe_ask(pool, &question, bound, err) &&
           (is_sound(ret) ||
            err_set(err, ERR_PROTOCOL, "the probe gave no sound answer for %s", path));
}

bool probe_tail(struct proc_pool *pool, const char *path, const char *key,
                const struct bound *bound, struct probe_tail *ret, struct err *err)
{
    const struct probe_question question = {
        .operation = "tail", .argument = path, .key = key, .answer = ret, .size = sizeof *ret};
    return probe_ask(pool, &question, bound, err) &&
           (ret->length <= PROBE_TAIL_SIZE ||
            err_set(err, ERR_PROTOCOL, "the probe gave no sound answer for %s", path));
}
