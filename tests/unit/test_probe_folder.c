/* The runner is its own probe child: see test_probe.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/sources/probe_folder.h"

static struct proc_pool *pool;
static struct probe_folder *seen;
static struct probe_tail *tail;
static char folder[] = "/tmp/test_probe_folder_XXXXXX";

static void set_up(void)
{
    pool = proc_pool_new(&(struct proc_limits){.at_once = 1, .stuck = 1});
    seen = calloc(1, sizeof *seen);
    tail = calloc(1, sizeof *tail);
    cr_assert(pool && seen && tail && mkdtemp(folder));
}

static void tear_down(void)
{
    cr_expect_eq(rmdir(folder), 0);
    free(seen);
    free(tail);
    proc_pool_free(pool);
}

TestSuite(probe_folder, .init = set_up, .fini = tear_down, .timeout = 60);

static void path_of(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
    char path[128];
    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void drop(const char *name)
{
    char path[128];
    path_of(name, path);
    unlink(path);
}

static void look(void)
{
    struct err err = {0};
    struct bound bound = bound_after(20000, -1);
    cr_assert(probe_folder(pool, folder, "key", &bound, seen, &err), "%s", err.text);
}

Test(probe_folder, names_and_what_is_in_the_files_are_told)
{
    put("one", "text\n");
    put("empty", "");
    look();
    cr_expect_eq(seen->error, 0);
    cr_expect_eq(seen->count, 2);
    cr_expect_eq(seen->name_count, 2);
    cr_assert_eq(seen->text_count, 1);
    cr_expect_str_eq(seen->texts[0].text, "text\n");
    cr_expect_str_eq(seen->names[seen->texts[0].name], "one");
    drop("one");
    drop("empty");
}

Test(probe_folder, a_long_file_is_cut)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    put("long", text);
    look();
    cr_expect_eq(strlen(seen->texts[0].text), PROBE_TEXT_SIZE - 1);
    drop("long");
}

Test(probe_folder, what_is_no_regular_file_is_not_waited_for)
{
    char path[128];
    path_of("fifo", path);
    cr_assert(mkfifo(path, 0600) == 0);
    look();
    cr_expect_eq(seen->count, 1);
    cr_expect_eq(seen->text_count, 0);
    drop("fifo");
}

Test(probe_folder, more_names_than_there_is_room_for_are_counted)
{
    char name[16];
    for (int i = 0; i < PROBE_FOLDER_NAMES + 3; i++) {
        snprintf(name, sizeof name, "%d", i);
        put(name, "x");
    }
    look();
    cr_expect_eq(seen->count, PROBE_FOLDER_NAMES + 3);
    cr_expect_eq(seen->name_count, PROBE_FOLDER_NAMES);
    cr_expect_eq(seen->text_count, PROBE_FOLDER_TEXTS);
    for (int i = 0; i < PROBE_FOLDER_NAMES + 3; i++) {
        snprintf(name, sizeof name, "%d", i);
        drop(name);
    }
}

Test(probe_folder, a_folder_that_is_not_there_is_told_by_its_error)
{
    struct err err = {0};
    struct bound bound = bound_after(20000, -1);
    cr_assert(probe_folder(pool, "/no such folder", "key", &bound, seen, &err));
    cr_expect_eq(seen->error, ENOENT);
}

static void look_at_tail(const char *name)
{
    struct err err = {0};
    char path[128];
    struct bound bound = bound_after(20000, -1);
    path_of(name, path);
    cr_assert(probe_tail(pool, path, "key", &bound, tail, &err), "%s", err.text);
}

Test(probe_folder, the_end_of_a_file_is_told)
{
    static char text[PROBE_TAIL_SIZE + 10];
    memset(text, 'x', sizeof text - 5);
    snprintf(text + sizeof text - 5, 5, "end\n");
    put("log", text);
    look_at_tail("log");
    cr_expect_eq(tail->error, 0);
    cr_expect_eq(tail->length, PROBE_TAIL_SIZE);
    cr_expect_eq(memcmp(tail->text + PROBE_TAIL_SIZE - 4, "end\n", 4), 0);
    drop("log");
}

Test(probe_folder, a_file_that_is_not_there_has_no_end)
{
    look_at_tail("nothing");
    cr_expect_eq(tail->error, ENOENT);
    cr_expect_eq(tail->length, 0);
}
