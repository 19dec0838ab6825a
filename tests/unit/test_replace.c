#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/base/replace.h"

static char folder[] = "/tmp/test_replace_XXXXXX";
static char path[sizeof folder + 10];

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/page", folder);
}

static int count_files(void)
{
    int count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void remove_folder(void)
{
    unlink(path);
    cr_expect_eq(count_files(), 0, "something is left beside the file");
    rmdir(folder);
}

TestSuite(replace, .init = make_folder, .fini = remove_folder);

static void expect_content(const char *expected)
{
    char text[64] = {0};
    FILE *file = fopen(path, "r");
    cr_assert(file);
    cr_expect_eq(fread(text, 1, sizeof text - 1, file), strlen(expected));
    cr_expect_str_eq(text, expected);
    fclose(file);
}

Test(replace, puts_a_file_where_there_was_none)
{
    struct err err = {0};
    cr_assert(replace_file(path, "first\n", 6, 0644, &err), "%s", err.text);
    expect_content("first\n");
}

Test(replace, the_file_has_the_mode_asked_for_whatever_the_umask_is)
{
    struct err err = {0};
    struct stat seen;
    umask(0077);
    cr_assert(replace_file(path, "x", 1, 0644, &err));
    cr_assert(stat(path, &seen) == 0);
    cr_expect_eq(seen.st_mode & 07777, 0644U);
}

Test(replace, who_has_the_old_file_open_reads_the_old_one)
{
    struct err err = {0};
    char text[8] = {0};
    cr_assert(replace_file(path, "old", 3, 0600, &err));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(replace_file(path, "newer", 5, 0600, &err));
    cr_expect_eq(read(fd, text, sizeof text), 3);
    cr_expect_str_eq(text, "old");
    close(fd);
    expect_content("newer");
}

Test(replace, a_disk_that_is_full_leaves_the_old_file_alone)
{
    struct err err = {0};
    cr_assert(replace_file(path, "old", 3, 0600, &err));
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){2, RLIM_INFINITY});
    cr_expect_not(replace_file(path, "newer", 5, 0600, &err));
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    cr_expect(strstr(err.text, path), "%s", err.text);
    expect_content("old");
}

Test(replace, a_folder_that_is_not_there_is_an_error_with_its_name)
{
    struct err err = {0};
    cr_expect_not(replace_file("/nowhere/page", "x", 1, 0600, &err));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect(strstr(err.text, "/nowhere/page"), "%s", err.text);
}
