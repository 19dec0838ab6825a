#include "tests/unit/config_files.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void text_free(char **text)
{
    free(*text);
}

char *config_folder_new(void)
{
    char *folder = strdup("/tmp/pgbackup-config-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    return folder;
}

static int remove_entry(const char *path, const struct stat *status UNUSED, int kind UNUSED,
                        struct FTW *at UNUSED)
{
    return remove(path);
}

void config_folder_remove(char **folder)
{
    nftw(*folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(*folder);
}

char *config_path(const char *folder, const char *name)
{
    char *path = NULL;
    cr_assert(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

char *config_file_write(const char *folder, const char *name, const char *text)
{
    char *path = config_path(folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert(fputs(text, file) >= 0);
    cr_assert_eq(fclose(file), 0);
    return path;
}

char *config_file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s is not there: run the tests from the repository's root", path);
    char *text = NULL;
    size_t size = 0;
    ssize_t length = getdelim(&text, &size, '\0', file);
    fclose(file);
    cr_assert(length >= 0);
    return text;
}
