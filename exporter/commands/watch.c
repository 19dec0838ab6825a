#include "exporter/commands/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct mark {
    char *path;
    bool exists;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct watch {
    struct mark *marks;
    size_t count;
};

static bool is_equal(const struct mark *one, const struct mark *other)
{
    return one->exists == other->exists && one->inode == other->inode && one->size == other->size &&
           one->changed.tv_sec == other->changed.tv_sec &&
           one->changed.tv_nsec == other->changed.tv_nsec;
}

static struct mark look_at(char *path)
{
    struct mark mark = {.path = path};
    struct stat info;
    if (stat(path, &info) != 0)
        return mark;
    mark.exists = true;
    mark.inode = info.st_ino;
    mark.size = info.st_size;
    mark.changed = info.st_mtim;
    return mark;
}

struct watch *watch_new(const char *const *paths, size_t count)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->marks = calloc(count + 1, sizeof *watch->marks);
    for (size_t i = 0; watch->marks && i < count; i++) {
        char *path = strdup(paths[i]);
        if (!path) {
            watch_free(watch);
            return NULL;
        }
        watch->marks[watch->count++] = look_at(path);
    }
    return watch;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < watch->count; i++)
        free(watch->marks[i].path);
    free(watch->marks);
    free(watch);
}

static bool has_paths(const struct watch *watch, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < watch->count && i < count; i++) {
        if (strcmp(watch->marks[i].path, paths[i]) != 0)
            return false;
    }
    return watch->count == count;
}

struct watch *watch_again(struct watch *before, const char *const *paths, size_t count)
{
    if (before && has_paths(before, paths, count))
        return before;
    watch_free(before);
    return watch_new(paths, count);
}

bool watch_changed(struct watch *watch)
{
    bool changed = false;
    for (size_t i = 0; i < watch->count; i++) {
        struct mark now = look_at(watch->marks[i].path);
        changed = changed || !is_equal(&now, &watch->marks[i]);
        watch->marks[i] = now;
    }
    return changed;
}
