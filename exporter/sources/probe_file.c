#include "exporter/sources/probe_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The child's side. */

static double now(void)
{
    struct timespec time = {0};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fill_sizes(struct probe_filesystem *seen, const struct statvfs *status)
{
    uint64_t unit = status->f_frsize;
    seen->size_bytes = status->f_blocks * unit;
    seen->free_bytes = status->f_bfree * unit;
    seen->avail_bytes = status->f_bavail * unit;
    seen->files = status->f_files;
    seen->files_free = status->f_ffree;
    seen->read_only = status->f_flag & ST_RDONLY;
}

/* An entry, or the end of an empty folder: both are answers. Returns an errno value. */
static int list_one(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOCTTY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        return errno;
    errno = 0;
    const struct dirent *entry = readdir(folder);
    int error = entry ? 0 : errno;
    closedir(folder);
    return error;
}

void probe_filesystem_run(const char *path, void *answer)
{
    struct probe_filesystem *seen = answer;
    struct statvfs status = {0};
    double began = now();
    seen->statfs_error = statvfs(path, &status) < 0 ? errno : 0;
    double ended = now();
    seen->statfs_seconds = ended - began;
    if (seen->statfs_error)
        return;
    fill_sizes(seen, &status);
    seen->list_error = list_one(path);
    seen->list_seconds = now() - ended;
}

/* Cut the last component off; false when nothing is left to cut. */
static bool shorten(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || path[1] == '\0')
        return false;
    slash[slash == path] = '\0';
    return true;
}

/* The longest part of the path that is there; NULL when it cannot be followed. */
static char *resolve_part(char *part)
{
    char *real = realpath(part, NULL);
    while (!real && errno == ENOENT && shorten(part))
        real = realpath(part, NULL);
    return real;
}

void probe_real_path_run(const char *path, void *answer)
{
    struct probe_path *found = answer;
    char *part = strdup(path);
    char *real = part ? resolve_part(part) : NULL;
    const char *rest = real ? path + strlen(part) : path;
    const char *base = real && (*rest == '\0' || real[1] != '\0') ? real : "";
    int length = snprintf(found->text, sizeof found->text, "%s%s%s", base,
                          *rest && *rest != '/' ? "/" : "", rest);
    if (!part || length < 0 || (size_t)length >= sizeof found->text)
        found->error = part ? ENAMETOOLONG : ENOMEM;
    free(real);
    free(part);
}

/* The parent's side. */

bool probe_filesystem(struct proc_pool *pool, const char *path, const char *key,
                      const struct bound *bound, struct probe_filesystem *ret, struct err *err)
{
    struct probe_filesystem answer = {0};
    const struct probe_question question = {
        .operation = "filesystem",
        .argument = path,
        .key = key,
        .answer = &answer,
        .size = sizeof answer,
    };
    if (!probe_ask(pool, &question, bound, err))
        return false;
    *ret = answer;
    return true;
}

/* What a child wrote is a text only when it has an end. */
static bool is_path(const struct probe_path *answer)
{
    return answer->text[0] == '/' && memchr(answer->text, '\0', sizeof answer->text);
}

bool probe_real_path(struct proc_pool *pool, const char *path, const char *key,
                     const struct bound *bound, char **ret, struct err *err)
{
    struct probe_path answer = {0};
    const struct probe_question question = {
        .operation = "real-path",
        .argument = path,
        .key = key,
        .answer = &answer,
        .size = sizeof answer,
    };
    if (!probe_ask(pool, &question, bound, err))
        return false;
    if (answer.error)
        return err_system(err, answer.error, "cannot resolve the path %s", path);
    char *text = is_path(&answer) ? strdup(answer.text) : NULL;
    if (!text)
        return is_path(&answer) ? err_memory(err)
                                : err_set(err, ERR_PROTOCOL, "the probe gave no path for %s", path);
    *ret = text;
    return true;
}
