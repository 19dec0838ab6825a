#include "exporter/commands/drill_scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "exporter/base/strbuf.h"

#define OPEN_FOLDERS   16
#define SERVER_END_MS  5000
#define LOOK_EVERY_MS  50
#define SOCKET_NAME    "/.s.PGSQL.5432.lock"
#define PID_LINE_LIMIT 32

char *drill_scratch_prefix(const char *stanza, int64_t repo_key)
{
    struct strbuf name = {0};
    strbuf_printf(&name, "drill-%s.repo%" PRId64 "-", stanza, repo_key);
    return strbuf_steal(&name);
}

static char *join(const char *folder, const char *name)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", folder, name);
    return strbuf_steal(&path);
}

/* ---- in use ---- */

/*
 * Lock the folder until the descriptor is closed: no drill deletes another's, and that of one which
 * was killed is free. -1 with *ret_in_use: somebody holds it. Where folders cannot be locked (NFS)
 * it is taken to be free.
 */
static int hold(const char *path, bool *ret_in_use)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *ret_in_use = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!*ret_in_use)
        return fd;
    close(fd);
    return -1;
}

static void let_go(int held)
{
    if (held >= 0)
        close(held);
}

/* ---- deleting ---- */

static int delete_entry(const char *path, const struct stat *status UNUSED, int type,
                        struct FTW *ftw UNUSED)
{
    return type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path);
}

/* Depth first; links are deleted, never followed; what is mounted in it stays. */
static bool delete_tree(const char *path, struct err *err)
{
    return nftw(path, delete_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ||
           err_system(err, errno, "cannot delete the folder %s of a drill", path);
}

/* The process whose id the server wrote into its folder; 0: none that works in that folder. */
static pid_t server_of(const char *data)
{
    char *file = join(data, "postmaster.pid");
    char line[PID_LINE_LIMIT] = "";
    char link[64];
    char works_in[PATH_MAX];
    FILE *stream = file ? fopen(file, "re") : NULL;
    free(file);
    if (!stream)
        return 0;
    const char *read = fgets(line, sizeof line, stream);
    fclose(stream);
    long pid = read ? strtol(line, NULL, 10) : 0;
    if (pid <= 1 || pid > INT_MAX)
        return 0;
    snprintf(link, sizeof link, "/proc/%ld/cwd", pid);
    ssize_t length = readlink(link, works_in, sizeof works_in - 1);
    if (length < 0)
        return 0;
    works_in[length] = '\0';
    return strcmp(works_in, data) == 0 ? (pid_t)pid : 0;
}

static bool is_gone(pid_t pid, int64_t wait_ms)
{
    for (int64_t waited_ms = 0; kill(pid, 0) == 0 && waited_ms < wait_ms;
         waited_ms += LOOK_EVERY_MS)
        poll(NULL, 0, LOOK_EVERY_MS);
    return kill(pid, 0) != 0;
}

/* It was told to end when its drill did; one that does not is killed. */
static void end_server(const char *path)
{
    char *data = join(path, "data");
    pid_t pid = data ? server_of(data) : 0;
    free(data);
    if (pid == 0)
        return;
    kill(pid, SIGQUIT);
    if (!is_gone(pid, SERVER_END_MS))
        kill(pid, SIGKILL);
    is_gone(pid, SERVER_END_MS);
}

static bool is_ours(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

static bool clear_entry(const char *base, const char *name, struct err *err)
{
    char *path = join(base, name);
    if (!path)
        return err_memory(err);
    bool in_use = true;
    bool cleared = true;
    int held = is_ours(path) ? hold(path, &in_use) : -1;
    if (!in_use) {
        end_server(path);
        cleared = delete_tree(path, err);
    }
    let_go(held);
    free(path);
    return cleared;
}

/* Who can rename our folder could have us restore into another one, or delete it. */
static bool check_base(const char *base, struct err *err)
{
    struct stat status;
    if (stat(base, &status) != 0)
        return err_system(err, errno, "cannot use the folder %s", base);
    bool trusted = status.st_uid == geteuid() || status.st_uid == 0;
    bool open_to_all = (status.st_mode & S_IWOTH) && !(status.st_mode & S_ISVTX);
    return (trusted && !open_to_all) ||
           err_set(err, ERR_CONFIG,
                   "%s belongs to another account, or anybody can rename folders in it: name a "
                   "folder of your own by --scratch",
                   base);
}

bool drill_scratch_clear(const char *base, const char *prefix, struct err *err)
{
    DIR *folder = opendir(base);
    if (!folder)
        return errno == ENOENT || err_system(err, errno, "cannot look into %s", base);
    bool cleared = check_base(base, err);
    for (struct dirent *entry; cleared && (entry = readdir(folder));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            cleared = clear_entry(base, entry->d_name, err);
    }
    closedir(folder);
    return cleared;
}

static void release(struct drill_scratch *scratch)
{
    if (scratch->path)
        let_go(scratch->held);
    free(scratch->path);
    free(scratch->data);
    free(scratch->tablespaces);
    free(scratch->lock);
    free(scratch->spool);
    free(scratch->socket);
    free(scratch->log);
    *scratch = (struct drill_scratch){0};
}

void drill_scratch_remove(struct drill_scratch *scratch)
{
    struct err err = {0};
    if (scratch->path && !delete_tree(scratch->path, &err))
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    release(scratch);
}

/* ---- making ---- */

static bool name_paths(struct drill_scratch *scratch)
{
    scratch->data = join(scratch->path, "data");
    scratch->tablespaces = join(scratch->path, "tablespaces");
    scratch->lock = join(scratch->path, "lock");
    scratch->spool = join(scratch->path, "spool");
    scratch->socket = join(scratch->path, "s");
    scratch->log = join(scratch->path, "log");
    return scratch->data && scratch->tablespaces && scratch->lock && scratch->spool &&
           scratch->socket && scratch->log;
}

static bool make_folders(const struct drill_scratch *scratch, struct err *err)
{
    const char *const folders[] = {scratch->data, scratch->tablespaces, scratch->lock,
                                   scratch->spool, scratch->socket};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (mkdir(folders[i], 0700) != 0)
            return err_system(err, errno, "cannot make the folder %s", folders[i]);
    }
    return true;
}

static bool check_length(const struct drill_scratch *scratch, struct err *err)
{
    const struct sockaddr_un *address = NULL;
    return strlen(scratch->socket) + strlen(SOCKET_NAME) < sizeof address->sun_path ||
           err_set(err, ERR_CONFIG,
                   "%s is too long a path for a unix socket in it: give a shorter one by --scratch",
                   scratch->path);
}

/* mkdtemp() below the base, whose links are followed once: servers name where they really are. */
static bool make_root(const char *base, const char *prefix, struct drill_scratch *scratch,
                      struct err *err)
{
    if (mkdir(base, 0700) != 0 && errno != EEXIST)
        return err_system(err, errno, "cannot make the folder %s", base);
    char *real = realpath(base, NULL);
    if (!real)
        return err_system(err, errno, "cannot use the folder %s", base);
    if (!check_base(real, err)) {
        free(real);
        return false;
    }
    struct strbuf template = {0};
    strbuf_printf(&template, "%s/%sXXXXXX", real, prefix);
    free(real);
    scratch->path = strbuf_steal(&template);
    if (!scratch->path)
        return err_memory(err);
    if (mkdtemp(scratch->path)) {
        bool in_use;
        scratch->held = hold(scratch->path, &in_use);
        return true;
    }
    err_system(err, errno, "cannot make a folder in %s", base);
    free(scratch->path);
    scratch->path = NULL;
    return false;
}

bool drill_scratch_make(const char *base, const char *prefix, struct drill_scratch *ret,
                        struct err *err)
{
    struct drill_scratch scratch = {0};
    if (!make_root(base, prefix, &scratch, err))
        return false;
    bool made = name_paths(&scratch) ? check_length(&scratch, err) && make_folders(&scratch, err)
                                     : err_memory(err);
    if (made)
        *ret = scratch;
    else
        drill_scratch_remove(&scratch);
    return made;
}

bool drill_scratch_room(const struct drill_scratch *scratch, uint64_t *ret_free, uint64_t *ret_size,
                        struct err *err)
{
    struct statvfs room;
    if (statvfs(scratch->path, &room) != 0)
        return err_system(err, errno, "cannot measure the room in %s", scratch->path);
    *ret_free = (uint64_t)room.f_bavail * room.f_frsize;
    *ret_size = (uint64_t)room.f_blocks * room.f_frsize;
    return true;
}
