#include "collectors/parse/repo_ls.h"

#include <criterion/criterion.h>
#include <string.h>

static struct repo_listing listing;
static struct err err;

static bool parse(const char *output)
{
    repo_listing_done(&listing);
    err = (struct err){0};
    return repo_ls_parse(output, strlen(output), &listing, &err);
}

static void end(void)
{
    repo_listing_done(&listing);
}

TestSuite(repo_ls, .fini = end);

/* As 2.45 prints backup/main. */
static const char backups[] =
    "{\".\":{\"type\":\"path\"},\"20261122-220046F\":{\"type\":\"path\"},"
    "\"backup.info\":{\"type\":\"file\",\"size\":1797,\"time\":1795384854},"
    "\"latest\":{\"type\":\"link\",\"destination\":\"20261122-220046F\"}}\n";

Test(repo_ls, entries_have_name_type_size_and_time)
{
    cr_assert(parse(backups), "%s", err.text);
    cr_assert_eq(listing.count, 3);
    cr_expect_str_eq(listing.files[0].name, "20261122-220046F");
    cr_expect_eq(listing.files[0].type, REPO_FOLDER);
    cr_expect_eq(listing.files[1].type, REPO_FILE);
    cr_expect_eq(listing.files[1].size, 1797);
    cr_expect_eq(listing.files[1].time, 1795384854);
    cr_expect_eq(listing.files[2].type, REPO_LINK);
}

Test(repo_ls, the_folder_itself_is_no_entry)
{
    cr_assert(parse("{\".\":{\"type\":\"path\"}}"), "%s", err.text);
    cr_expect_eq(listing.count, 0);
}

Test(repo_ls, an_entry_is_found_by_its_name)
{
    cr_assert(parse(backups), "%s", err.text);
    cr_expect_eq(repo_listing_find(&listing, "backup.info"), &listing.files[1]);
    cr_expect_null(repo_listing_find(&listing, "backup"));
}

Test(repo_ls, warnings_before_the_json_are_skipped)
{
    cr_assert(parse("P00   WARN: something {odd}\n{\"a\":{\"type\":\"path\"}}\n"), "%s", err.text);
    cr_expect_eq(listing.count, 1);
}

Test(repo_ls, a_type_of_another_kind_is_left_out)
{
    cr_assert(parse("{\"a\":{\"type\":\"special\"},\"b\":{\"type\":\"path\"}}"), "%s", err.text);
    cr_assert_eq(listing.count, 1);
    cr_expect_str_eq(listing.files[0].name, "b");
}

Test(repo_ls, a_file_without_size_is_an_error_that_names_it)
{
    cr_assert_not(parse("{\"x.lz4\":{\"type\":\"file\",\"time\":1}}"));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect(strstr(err.text, "x.lz4"), "%s", err.text);
}

Test(repo_ls, what_is_no_object_is_an_error)
{
    cr_expect_not(parse("{\"a\":1}"));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect_not(parse("nothing here\n"));
    cr_expect_eq(err.code, ERR_PROTOCOL);
}

Test(repo_ls, output_cut_at_any_byte_is_refused)
{
    for (size_t length = 0; length < sizeof backups - 2; length++) {
        repo_listing_done(&listing);
        cr_expect_not(repo_ls_parse(backups, length, &listing, &err), "cut at %zu", length);
        cr_expect_eq(err.code, ERR_PROTOCOL);
    }
}
