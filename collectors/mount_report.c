#include "collectors/mount_report.h"

#include <inttypes.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/report/when.h"

/* Less than this part left is a warning. */
#define LITTLE_LEFT 0.05

static const enum grade grades[] = {
    [MOUNT_MISSING] = GRADE_FAILED, [MOUNT_TRIGGER] = GRADE_UNKNOWN, [MOUNT_SILENT] = GRADE_FAILED,
    [MOUNT_BROKEN] = GRADE_FAILED,  [MOUNT_WORKS] = GRADE_OK,
};

/* What to do; PATH stands for the mount point, in quotes where a shell would need them. */
static const struct {
    enum mount_situation situation;
    enum err_code code; /* ERR_NONE: any */
    const char *sentence;
    const char *command;
} steps[] = {
    {MOUNT_MISSING, ERR_NONE, "mount it again, by its line in /etc/fstab or its mount unit",
     "sudo mount PATH"},
    {MOUNT_SILENT, ERR_NONE, "see what the kernel says of its server",
     "sudo dmesg | grep -iE 'nfs|fuse|I/O error' | tail"},
    {MOUNT_SILENT, ERR_NONE,
     "bring its server or the network to it back: what waits goes on by itself; do not remount",
     "findmnt -o SOURCE,FSTYPE,OPTIONS PATH"},
    {MOUNT_BROKEN, ERR_STALE,
     "the server replaced what was exported: detach the mount, then mount it again",
     "sudo umount -l PATH && sudo mount PATH"},
    {MOUNT_BROKEN, ERR_PERMISSION, "see whether the server still exports it to this host",
     "findmnt -o SOURCE,FSTYPE,OPTIONS PATH"},
    {MOUNT_BROKEN, ERR_TIMEOUT, "see what the kernel says of its server",
     "sudo dmesg | grep -iE 'nfs|I/O error' | tail"},
    {MOUNT_BROKEN, ERR_NOT_MOUNTED, "its daemon has ended: detach the mount, then mount it again",
     "sudo umount -l PATH && sudo mount PATH"},
};

/* A path as a shell takes it, whatever it holds. */
static void add_shell_word(struct strbuf *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+:@%,";
    if (path[strspn(path, plain)] == '\0') {
        strbuf_puts(out, path);
        return;
    }
    strbuf_putc(out, '\'');
    for (; *path; path++) {
        if (*path == '\'')
            strbuf_puts(out, "'\\''");
        else
            strbuf_putc(out, *path);
    }
    strbuf_putc(out, '\'');
}

static void add_command(struct strbuf *out, const char *pattern, const char *path)
{
    static const char place[] = "PATH";
    for (const char *found; (found = strstr(pattern, place)) != NULL;
         pattern = found + sizeof place - 1) {
        strbuf_add(out, pattern, (size_t)(found - pattern));
        add_shell_word(out, path);
    }
    strbuf_puts(out, pattern);
}

static void report_steps(struct report *report, struct report_item *group,
                         const struct mount_view *view)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (steps[i].situation != view->situation ||
            (steps[i].code != ERR_NONE && steps[i].code != view->err.code))
            continue;
        struct strbuf command CLEANUP(strbuf_done) = {0};
        add_command(&command, steps[i].command, view->path);
        report_step(report, group, steps[i].sentence, strbuf_text(&command));
    }
}

static void add_size(struct strbuf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)bytes;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < COUNT_OF(units)) {
        size /= 1024;
        unit++;
    }
    strbuf_printf(out, unit > 0 && size < 10 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void add_works(struct strbuf *out, const struct mount_view *view)
{
    strbuf_puts(out, "mounted and responding");
    if (!view->sizes_known)
        return;
    strbuf_puts(out, ": ");
    add_size(out, view->avail_bytes);
    strbuf_puts(out, " of ");
    add_size(out, view->size_bytes);
    strbuf_puts(out, " available");
}

static void add_verdict(struct strbuf *out, const struct mount_view *view)
{
    switch (view->situation) {
    case MOUNT_MISSING:
        strbuf_printf(out, "NOT mounted: %s", view->err.text);
        return;
    case MOUNT_TRIGGER:
        strbuf_puts(out, "not mounted now; it will be on access (autofs), which we do not cause");
        return;
    case MOUNT_SILENT:
        strbuf_puts(out, "does NOT respond since ");
        when_add_utc(out, view->silent_since);
        strbuf_printf(out, ": %s", view->err.text);
        return;
    case MOUNT_BROKEN:
        strbuf_printf(out, "mounted, but it does not work: %s", view->err.text);
        return;
    case MOUNT_WORKS:
        add_works(out, view);
        return;
    }
}

static enum grade grade_left(uint64_t left, uint64_t all)
{
    if (left == 0)
        return GRADE_FAILED;
    return (double)left < LITTLE_LEFT * (double)all ? GRADE_WARNING : GRADE_NONE;
}

static void report_room(struct report *report, struct report_item *group,
                        const struct mount_view *view)
{
    enum grade space =
        view->sizes_known ? grade_left(view->avail_bytes, view->size_bytes) : GRADE_NONE;
    enum grade files = view->files_known ? grade_left(view->files_free, view->files) : GRADE_NONE;
    if (space != GRADE_NONE)
        report_verdict(report, group, space,
                       space == GRADE_FAILED ? "it is full" : "it is nearly full");
    if (files != GRADE_NONE)
        report_verdict(report, group, files, "it has %s inodes left: no new file can be made%s",
                       files == GRADE_FAILED ? "no" : "few", files == GRADE_FAILED ? "" : " soon");
    if (space != GRADE_NONE || files != GRADE_NONE)
        report_step(report, group,
                    "make room: lower repo-retention-full, then expire; delete nothing by hand",
                    NULL);
}

static void report_flaws(struct report *report, struct report_item *group,
                         const struct mount_view *view)
{
    if (view->situation != MOUNT_WORKS)
        return;
    if (view->err.code != ERR_NONE)
        report_verdict(report, group, GRADE_WARNING, "%s", view->err.text);
    if (view->read_only) {
        struct strbuf command CLEANUP(strbuf_done) = {0};
        add_command(&command, "sudo mount -o remount,rw PATH", view->path);
        report_verdict(report, group, GRADE_WARNING,
                       "it is read-only: nothing can be archived or backed up to it");
        report_step(report, group, "make it writable, once it is known why it is not",
                    strbuf_text(&command));
    }
    report_room(report, group, view);
}

static void report_nfs(struct report *report, struct report_item *group,
                       const struct mountstats *seen)
{
    if (seen->has_lease && seen->lease_expired_s > 0)
        report_fact(report, group, "NFS lease", "over for %" PRIu64 " s: the server is silent",
                    seen->lease_expired_s);
    else if (seen->has_lease)
        report_fact(report, group, "NFS lease", "valid");
    if (seen->has_operations)
        report_fact(report, group, "NFS requests",
                    "%" PRIu64 ", %" PRIu64 " sent again, %" PRIu64 " timed out", seen->requests,
                    seen->retransmissions, seen->major_timeouts);
    if (seen->has_connects)
        report_fact(report, group, "NFS connections", "%" PRIu64 " since it was mounted",
                    seen->connects);
}

static void report_facts(struct report *report, struct report_item *group,
                         const struct mount_view *view)
{
    if (view->repository_path)
        report_fact(report, group, "holds", "%s", view->repository_path);
    if (view->mount) {
        report_fact(report, group, "file system", "%s", view->mount->filesystem);
        report_fact(report, group, "source", "%s", view->mount->source);
    }
    if (view->files_known)
        report_fact(report, group, "inodes", "%" PRIu64 " of %" PRIu64 " free", view->files_free,
                    view->files);
    if (view->has_statistics)
        report_nfs(report, group, &view->statistics);
}

void mount_report(struct report *report, const struct mount_view *view)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    struct strbuf verdict CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "mount %s", view->path);
    add_verdict(&verdict, view);
    struct report_item *group = report_group(report, NULL, strbuf_text(&title));
    report_verdict(report, group, grades[view->situation], "%s", strbuf_text(&verdict));
    report_flaws(report, group, view);
    report_steps(report, group, view);
    report_facts(report, group, view);
}
