#include "exporter/commands/complete_scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char prefix[] = "pgbackup-complete-wal.";

/* Times that a folder of ours is taken for a left one before we hold its lock. */
#define TRIES 10

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

/* Files only: nothing else is ever made in it. */
static void remove_files(int folder)
{
    int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    DIR *directory CLEANUP(close_directory) = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        if (copy >= 0)
            close(copy);
        return;
    }
    rewinddir(directory);
    for (const struct dirent *entry; (entry = readdir(directory));)
        unlinkat(folder, entry->d_name, 0);
}

static int open_folder(int base, const char *name)
{
    return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Whether the folder belongs to us and nobody holds it. */
static bool is_left(int folder)
{
    struct stat status;
    return fstat(folder, &status) == 0 && status.st_uid == geteuid() &&
           flock(folder, LOCK_EX | LOCK_NB) == 0;
}

static void remove_left(int base, const char *name)
{
    int folder = open_folder(base, name);
    if (folder < 0)
        return;
    if (is_left(folder)) {
        remove_files(folder);
        unlinkat(base, name, AT_REMOVEDIR);
    }
    close(folder);
}

static void remove_all_left(const char *base)
{
    DIR *directory CLEANUP(close_directory) = opendir(base);
    if (!directory)
        return;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0)
            remove_left(dirfd(directory), entry->d_name);
    }
}

/* Another one may take it for a left one until we hold the lock: then it is gone. */
static bool hold(const char *path, int *ret)
{
    struct stat status;
    int lock = open_folder(AT_FDCWD, path);
    if (lock < 0)
        return false;
    if (flock(lock, LOCK_EX | LOCK_NB) == 0 && fstat(lock, &status) == 0 && status.st_nlink > 0) {
        *ret = lock;
        return true;
    }
    close(lock);
    return false;
}

static bool make(const char *base, struct scratch *ret, struct err *err)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%sXXXXXX", base, prefix);
    char *name = strbuf_steal(&path);
    if (!name)
        return err_memory(err);
    if (!mkdtemp(name)) {
        free(name);
        return err_system(err, errno, "cannot make a folder in %s", base);
    }
    if (hold(name, &ret->lock)) {
        ret->path = name;
        return true;
    }
    free(name);
    return err_set(err, ERR_SYSTEM, "cannot hold a folder in %s", base);
}

bool scratch_make(const char *base, struct scratch *ret, struct err *err)
{
    struct scratch scratch = {0};
    remove_all_left(base);
    for (int i = 0; i < TRIES; i++) {
        if (!make(base, &scratch, err))
            continue;
        *ret = scratch;
        return true;
    }
    return false;
}

void scratch_clear(const struct scratch *scratch)
{
    remove_files(scratch->lock);
}

void scratch_file(const struct scratch *scratch, const char *name, struct strbuf *out)
{
    unlinkat(scratch->lock, name, 0);
    strbuf_printf(out, "%s/%s", scratch->path, name);
}

void scratch_done(struct scratch *scratch)
{
    if (!scratch->path)
        return;
    remove_files(scratch->lock);
    rmdir(scratch->path);
    close(scratch->lock);
    free(scratch->path);
    *scratch = (struct scratch){0};
}
