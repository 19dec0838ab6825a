#include <criterion/criterion.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/config/file.h"
#include "tests/unit/config_files.h"

static char *folder;
static struct strbuf text;
static struct err err;

static void begin(void)
{
    mallopt(M_PERTURB, 'x'); /* new memory is not zero by luck: a text must be ended */
    folder = config_folder_new();
}

static void end(void)
{
    strbuf_done(&text);
    config_folder_remove(&folder);
}

/* None of them may take long: a pipe without a writer must not hold the program up. */
TestSuite(file, .init = begin, .fini = end, .timeout = 10);

static void expect_refused(const char *path, enum err_code code, const char *reason)
{
    cr_assert_not(config_file_read(path, &text, NULL, &err), "%s", path);
    cr_expect_eq(err.code, code, "%s: %s", err_name(err.code), err.text);
    cr_expect_not_null(strstr(err.text, path), "%s", err.text);
    cr_expect_not_null(strstr(err.text, reason), "%s", err.text);
    cr_expect_null(text.data, "written on failure");
}

/* A file of so many letters. */
static char *write_letters(size_t count)
{
    struct strbuf letters CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < count; i++)
        strbuf_putc(&letters, (char)('a' + i % 23));
    return config_file_write(folder, "letters", strbuf_text(&letters));
}

Test(file, is_read_whole)
{
    char *path CLEANUP(text_free) = config_file_write(folder, "c.yml", "web:\n  x: 1\n");
    cr_assert(config_file_read(path, &text, NULL, &err), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&text), "web:\n  x: 1\n");
    cr_expect_eq(text.length, strlen("web:\n  x: 1\n"));
}

Test(file, may_be_empty)
{
    char *path CLEANUP(text_free) = config_file_write(folder, "c.yml", "");
    cr_assert(config_file_read(path, &text, NULL, &err), "%s", err.text);
    cr_expect_str_eq(strbuf_text(&text), "");
}

Test(file, of_the_largest_size_is_read_whole)
{
    char *path CLEANUP(text_free) = write_letters(CONFIG_FILE_MAX);
    cr_assert(config_file_read(path, &text, NULL, &err), "%s", err.text);
    cr_assert_eq(text.length, CONFIG_FILE_MAX);
    for (size_t i = 0; i < text.length; i++)
        cr_assert_eq(text.data[i], (char)('a' + i % 23), "byte %zu", i);
}

Test(file, that_is_larger_is_refused_with_the_limit)
{
    char *path CLEANUP(text_free) = write_letters(CONFIG_FILE_MAX + 1);
    expect_refused(path, ERR_CONFIG, "is larger than 1048576 bytes");
}

Test(file, that_is_missing_is_an_error)
{
    char *path CLEANUP(text_free) = config_path(folder, "absent.yml");
    expect_refused(path, ERR_CONFIG, "No such file or directory");
}

Test(file, that_may_be_missing_is_none)
{
    char *path CLEANUP(text_free) = config_path(folder, "absent.yml");
    bool missing = false;
    cr_assert(config_file_read(path, &text, &missing, &err), "%s", err.text);
    cr_expect(missing);
    cr_expect_null(text.data);
}

Test(file, that_may_be_missing_and_is_there_is_read)
{
    char *path CLEANUP(text_free) = config_file_write(folder, "c.yml", "x");
    bool missing = false;
    cr_assert(config_file_read(path, &text, &missing, &err), "%s", err.text);
    cr_expect_not(missing);
    cr_expect_str_eq(strbuf_text(&text), "x");
}

Test(file, below_a_file_is_a_mistake_even_where_it_may_be_missing)
{
    free(config_file_write(folder, "c.yml", "x"));
    char *path CLEANUP(text_free) = config_path(folder, "c.yml/d.yml");
    bool missing = false;
    cr_assert_not(config_file_read(path, &text, &missing, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_not(missing);
}

Test(file, that_is_a_folder_a_device_or_a_pipe_is_refused_at_once)
{
    char *pipe CLEANUP(text_free) = config_path(folder, "pipe");
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    expect_refused(pipe, ERR_CONFIG, "is not a regular file");
    expect_refused(folder, ERR_CONFIG, "is not a regular file");
    expect_refused("/dev/zero", ERR_CONFIG, "is not a regular file");
}

/* root may read everything: as root, look as somebody else. */
static uid_t become_nobody(void)
{
    uid_t before = geteuid();
    if (before == 0)
        cr_assert_eq(seteuid(65534), 0);
    return before;
}

Test(file, that_we_may_not_read_is_a_matter_of_permission)
{
    char *path CLEANUP(text_free) = config_file_write(folder, "c.yml", "x");
    cr_assert_eq(chmod(path, 0), 0);
    bool missing = false;
    uid_t before = become_nobody();
    bool read = config_file_read(path, &text, &missing, &err);
    cr_assert_eq(seteuid(before), 0);
    cr_assert_not(read);
    cr_expect_eq(err.code, ERR_PERMISSION);
    cr_expect_not(missing);
    cr_expect_not_null(strstr(err.text, path));
}

static int next_descriptor(void)
{
    int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert(descriptor >= 0);
    close(descriptor);
    return descriptor;
}

Test(file, is_closed_whether_it_was_taken_or_refused)
{
    char *path CLEANUP(text_free) = config_file_write(folder, "c.yml", "x");
    char *large CLEANUP(text_free) = write_letters(CONFIG_FILE_MAX + 1);
    int before = next_descriptor();
    expect_refused(folder, ERR_CONFIG, "");
    expect_refused(large, ERR_CONFIG, "");
    cr_assert(config_file_read(path, &text, NULL, &err), "%s", err.text);
    cr_expect_eq(next_descriptor(), before);
}
