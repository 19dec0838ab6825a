#include "exporter/commands/run_wait.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/locks.h"

#define LOOK_EVERY_MS  500
#define FIRST_PAUSE_MS 1000
#define PAUSE_MAX_MS   60000
#define SHOWN_OF_ARGV  400

/* What a command locks, the first that its name begins with. */
static const struct {
    const char *command;
    const char *kinds[4];
} locked[] = {
    {"restore", {"restore", NULL}},
    {"stanza-", {"archive", "backup", "restore", NULL}},
    {"", {"backup", NULL}},
};

static const char *const *kinds_of(const char *command)
{
    size_t i = 0;
    while (strncmp(command, locked[i].command, strlen(locked[i].command)) != 0)
        i++;
    return locked[i].kinds;
}

/* ".lock", or "-2.lock" */
static bool is_end_of_name(const struct run_wait *wait, const char *text)
{
    char *end = NULL;
    if (strcmp(text, ".lock") == 0)
        return true;
    long key = text[0] == '-' && text[1] >= '1' && text[1] <= '9' ? strtol(text + 1, &end, 10) : 0;
    return key > 0 && strcmp(end, ".lock") == 0 && (wait->repo_key == 0 || wait->repo_key == key);
}

bool run_wait_is_in_the_way(const struct run_wait *wait, const char *file)
{
    size_t length = strlen(wait->stanza);
    if (strncmp(file, wait->stanza, length) != 0 || file[length] != '-')
        return false;
    for (const char *const *kind = kinds_of(wait->command); *kind; kind++) {
        const char *name = file + length + 1;
        if (strncmp(name, *kind, strlen(*kind)) == 0 && is_end_of_name(wait, name + strlen(*kind)))
            return true;
    }
    return false;
}

bool run_wait_find_lock(const struct run_wait *wait, struct strbuf *ret_path, pid_t *ret_pid)
{
    DIR *folder = opendir(wait->lock_path);
    const struct dirent *entry = NULL;
    size_t begin = ret_path->length;
    bool found = false;
    while (folder && !found && (entry = readdir(folder))) {
        if (!run_wait_is_in_the_way(wait, entry->d_name))
            continue;
        strbuf_truncate(ret_path, begin);
        strbuf_printf(ret_path, "%s/%s", wait->lock_path, entry->d_name);
        found = locks_find(strbuf_text(ret_path) + begin, ret_pid);
    }
    if (!found)
        strbuf_truncate(ret_path, begin);
    if (folder)
        closedir(folder);
    return found;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Append the command line of a process, as far as it can be shown. */
static void add_command_line(pid_t pid, struct strbuf *out)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    char words[SHOWN_OF_ARGV];
    strbuf_printf(&path, "/proc/%d/cmdline", (int)pid);
    int fd CLEANUP(close_fd) = open(strbuf_text(&path), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, words, sizeof words) : 0;
    while (length > 0 && words[length - 1] == '\0')
        length--;
    for (ssize_t i = 0; i < length; i++) {
        bool plain = words[i] >= ' ' && words[i] <= '~';
        char shown = words[i] == '\0' ? ' ' : '?';
        strbuf_putc(out, plain ? words[i] : shown);
    }
}

static void tell(struct run_wait *wait, const char *path, pid_t pid)
{
    struct strbuf words CLEANUP(strbuf_done) = {0};
    if (wait->has_told && pid == wait->told)
        return;
    wait->has_told = true;
    wait->told = pid;
    add_command_line(pid, &words);
    fprintf(stderr, "pgbackup_exporter: %s waits up to %d s more for %s, held by process %d (%s)\n",
            wait->command, bound_remaining_ms(&wait->bound) / 1000, path, (int)pid,
            words.length > 0 ? strbuf_text(&words) : "of which nothing is seen");
}

/* False: told to stop. */
static bool pause_for(const struct run_wait *wait, int64_t pause_ms)
{
    struct pollfd stop = {.fd = wait->bound.stop_fd, .events = POLLIN};
    int left_ms = bound_remaining_ms(&wait->bound);
    return poll(&stop, 1, pause_ms < left_ms ? (int)pause_ms : left_ms) <= 0;
}

/* Until no holder is seen or the time is over. False: told to stop. */
static bool wait_until_free(struct run_wait *wait)
{
    while (bound_remaining_ms(&wait->bound) > 0) {
        struct strbuf path CLEANUP(strbuf_done) = {0};
        pid_t pid = 0;
        if (!run_wait_find_lock(wait, &path, &pid))
            return true;
        tell(wait, strbuf_text(&path), pid);
        wait->pause_ms = 0;
        if (!pause_for(wait, LOOK_EVERY_MS))
            return false;
    }
    return true;
}

/* Of a holder that is not seen nothing but the next try tells: they become rarer. */
static bool pause_after_refusal(struct run_wait *wait)
{
    int64_t longer = wait->pause_ms > 0 ? 2 * wait->pause_ms : FIRST_PAUSE_MS;
    wait->pause_ms = longer < PAUSE_MAX_MS ? longer : PAUSE_MAX_MS;
    return pause_for(wait, wait->pause_ms);
}

enum run_wait_turn run_wait_turn(struct run_wait *wait, bool refused)
{
    if (refused && bound_remaining_ms(&wait->bound) == 0)
        return RUN_WAIT_OVER;
    if (refused && !pause_after_refusal(wait))
        return RUN_WAIT_STOPPED;
    return wait_until_free(wait) ? RUN_WAIT_GO : RUN_WAIT_STOPPED;
}
