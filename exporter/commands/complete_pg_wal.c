#include "exporter/commands/complete_pg_wal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/model/timeline.h"

#define LONG_HEADER 0x0002 /* XLP_LONG_HEADER: what each segment begins with */

#define NAME_DIGITS 24

/* XLogLongPageHeaderData, in the byte order of the host, which is the server's. */
struct first_page {
    uint16_t magic;
    uint16_t info;
    uint32_t timeline;
    uint64_t address;
    uint32_t remaining;
    uint32_t padding;
    uint64_t system_id;
    uint32_t segment_size;
    uint32_t block_size;
};

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* What the file says of itself; false when it is no WAL. */
static bool read_first_page(int fd, struct first_page *ret)
{
    struct stat file;
    return fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
           pread(fd, ret, sizeof *ret, 0) == (ssize_t)sizeof *ret && (ret->info & LONG_HEADER) &&
           wal_segment_size_is_valid(ret->segment_size) && file.st_size == (off_t)ret->segment_size;
}

/* The page before a promotion in its segment still bears the timeline that was left. */
static bool is_segment(const struct first_page *page, const struct wal_cluster *cluster,
                       const struct wal_segment *segment)
{
    return page->system_id == cluster->system_id && page->segment_size == cluster->segment_size &&
           page->address == segment->number * cluster->segment_size && page->timeline > 0 &&
           page->timeline <= segment->timeline;
}

static bool add_segment_path(const struct pg_wal *wal, const struct wal_segment *segment,
                             struct strbuf *out)
{
    strbuf_printf(out, "%s/", wal->path);
    wal_segment_name(segment, wal->cluster.segment_size, out);
    return !out->failed;
}

bool wal_file_check(const char *path, const struct wal_cluster *cluster,
                    const struct wal_segment *segment, struct err *err)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    struct first_page page = {0};
    int fd CLEANUP(close_fd) = open_file(path);
    if (fd < 0)
        return err_system(err, errno, "cannot open %s", path);
    if (!read_first_page(fd, &page))
        return err_set(err, ERR_PROTOCOL, "the file is no whole WAL segment");
    if (is_segment(&page, cluster, segment))
        return true;
    wal_segment_name(segment, cluster->segment_size, &name);
    return err_set(err, ERR_PROTOCOL,
                   "the file holds not %s but timeline %" PRIu32 ", LSN %" PRIX32 "/%" PRIX32
                   " of the cluster %" PRIu64,
                   strbuf_text(&name), page.timeline, (uint32_t)(page.address >> 32),
                   (uint32_t)page.address, page.system_id);
}

static bool cannot_read(const char *path, struct err *err)
{
    int error = errno;
    err_system(err, error, "cannot read %s", path);
    if (error == ENOENT || error == ENOTDIR)
        err->code = ERR_CONFIG;
    if (error == EACCES || error == EPERM)
        err->code = ERR_PERMISSION;
    return false;
}

/* pg_control begins with it in every version of PostgreSQL. */
static bool read_system_id(const char *data_directory, uint64_t *ret, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s/global/pg_control", data_directory);
    if (path.failed)
        return err_memory(err);
    uint64_t system_id = 0;
    errno = 0;
    int fd CLEANUP(close_fd) = open_file(strbuf_text(&path));
    if (fd < 0)
        return cannot_read(strbuf_text(&path), err);
    if (pread(fd, &system_id, sizeof system_id, 0) != (ssize_t)sizeof system_id || system_id == 0)
        return err_set(err, ERR_PROTOCOL, "%s holds no system identifier", strbuf_text(&path));
    *ret = system_id;
    return true;
}

/* The segment size by one file of pg_wal; 0 when it tells none. */
static uint64_t size_of_segment(int directory, const char *name, uint64_t system_id)
{
    struct first_page page;
    if (strlen(name) != NAME_DIGITS || strspn(name, "0123456789ABCDEF") != NAME_DIGITS)
        return 0;
    int fd CLEANUP(close_fd) =
        openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool ours = fd >= 0 && read_first_page(fd, &page) && page.system_id == system_id;
    return ours ? page.segment_size : 0;
}

static bool find_segment_size(const char *path, uint64_t system_id, uint64_t *ret, struct err *err)
{
    DIR *directory CLEANUP(close_directory) = opendir(path);
    if (!directory)
        return cannot_read(path, err);
    for (const struct dirent *entry; (entry = readdir(directory));) {
        uint64_t size = size_of_segment(dirfd(directory), entry->d_name, system_id);
        if (size == 0)
            continue;
        *ret = size;
        return true;
    }
    return err_set(err, ERR_PROTOCOL, "%s holds no WAL of the cluster %" PRIu64, path, system_id);
}

bool pg_wal_open(const char *data_directory, struct pg_wal *ret, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct wal_cluster cluster = {0};
    strbuf_printf(&path, "%s/pg_wal", data_directory);
    if (path.failed)
        return err_memory(err);
    if (!read_system_id(data_directory, &cluster.system_id, err) ||
        !find_segment_size(strbuf_text(&path), cluster.system_id, &cluster.segment_size, err))
        return false;
    *ret = (struct pg_wal){.path = strbuf_steal(&path), .cluster = cluster};
    return true;
}

void pg_wal_done(struct pg_wal *wal)
{
    free(wal->path);
    *wal = (struct pg_wal){0};
}

/* PostgreSQL marks a segment when it has ended it: .ready waits for archive_command. */
static bool has_status(const struct pg_wal *wal, const struct wal_segment *segment)
{
    static const char *const endings[] = {".ready", ".done"};
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        strbuf_printf(&path, "%s/archive_status/", wal->path);
        wal_segment_name(segment, wal->cluster.segment_size, &path);
        strbuf_puts(&path, endings[i]);
        found = found || (!path.failed && access(strbuf_text(&path), F_OK) == 0);
    }
    return found;
}

static bool is_behind_us(const struct pg_wal *wal, const struct wal_segment *segment)
{
    return wal->writing.timeline == segment->timeline && segment->number < wal->writing.number;
}

enum pg_wal_state pg_wal_state(const struct pg_wal *wal, const struct wal_segment *segment)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct first_page page;
    if (!add_segment_path(wal, segment, &path))
        return PG_WAL_NONE;
    int fd CLEANUP(close_fd) = open_file(strbuf_text(&path));
    if (fd < 0 || !read_first_page(fd, &page) || !is_segment(&page, &wal->cluster, segment))
        return PG_WAL_NONE;
    bool whole = is_behind_us(wal, segment) || has_status(wal, segment);
    return whole ? PG_WAL_WHOLE : PG_WAL_UNFINISHED;
}

static bool copy_bytes(int from, const char *to, uint64_t size, struct err *err)
{
    int fd CLEANUP(close_fd) = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    off_t at = 0;
    if (fd < 0)
        return err_system(err, errno, "cannot make %s", to);
    while ((uint64_t)at < size) {
        ssize_t count = sendfile(fd, from, &at, (size_t)(size - (uint64_t)at));
        if (count < 0 && errno != EINTR)
            return err_system(err, errno, "cannot write %s", to);
        if (count == 0)
            return err_set(err, ERR_OTHER, "the segment has become shorter");
    }
    return true;
}

/*
 * A segment that PostgreSQL needs no more gets a new name first and new content after that: while
 * the file still bears its name, all that was read of it was its own.
 */
static bool has_still_its_name(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

bool pg_wal_copy(const struct pg_wal *wal, const struct wal_segment *segment, const char *to,
                 struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    if (!add_segment_path(wal, segment, &path))
        return err_memory(err);
    int fd CLEANUP(close_fd) = open_file(strbuf_text(&path));
    if (fd < 0)
        return err_set(err, ERR_OTHER, "%s is gone", strbuf_text(&path));
    if (!copy_bytes(fd, to, wal->cluster.segment_size, err))
        return false;
    if (!has_still_its_name(fd, strbuf_text(&path)))
        return err_set(err, ERR_OTHER, "%s was removed while it was read", strbuf_text(&path));
    return wal_file_check(to, &wal->cluster, segment, err);
}

bool pg_wal_histories(const struct pg_wal *wal, struct text_list *ret, struct err *err)
{
    DIR *directory CLEANUP(close_directory) = opendir(wal->path);
    uint32_t timeline = 0;
    if (!directory)
        return cannot_read(wal->path, err);
    for (const struct dirent *entry; (entry = readdir(directory));) {
        if (timeline_history_name(entry->d_name, &timeline) &&
            !text_list_add(ret, entry->d_name, err))
            return false;
    }
    return true;
}

bool pg_wal_history(const struct pg_wal *wal, const char *name, struct strbuf *ret, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s/%s", wal->path, name);
    if (path.failed || !strbuf_reserve(ret, TIMELINE_HISTORY_LIMIT))
        return err_memory(err);
    int fd CLEANUP(close_fd) = open_file(strbuf_text(&path));
    ssize_t count = fd < 0 ? -1 : pread(fd, ret->data, TIMELINE_HISTORY_LIMIT, 0);
    if (count < 0)
        return cannot_read(strbuf_text(&path), err);
    ret->length = (size_t)count;
    ret->data[count] = '\0';
    return true;
}
