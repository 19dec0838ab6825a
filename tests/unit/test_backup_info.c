#include "collectors/parse/backup_info.h"

#include <criterion/criterion.h>
#include <string.h>

static struct text_list labels;
static struct err err;

static bool parse(const char *text)
{
    text_list_done(&labels);
    return backup_info_archive_copies(text, strlen(text), &labels, &err);
}

static void end(void)
{
    text_list_done(&labels);
}

TestSuite(backup_info, .fini = end);

Test(backup_info, a_backup_made_with_archive_copy_is_listed)
{
    cr_assert(parse("[backrest]\n"
                    "backrest-version=\"2.45\"\n"
                    "\n"
                    "[backup:current]\n"
                    "20261122-220046F={\"backup-type\":\"full\",\"option-archive-copy\":false}\n"
                    "20261122-220052F={\"backup-type\":\"full\",\"option-archive-copy\":true}\n"
                    "20261122-220059F={\"backup-type\":\"full\"}\n"
                    "\n"
                    "[db]\n"
                    "db-id=1\n"),
              "%s", err.text);
    cr_assert_eq(labels.count, 1);
    cr_expect_str_eq(labels.items[0], "20261122-220052F");
}

Test(backup_info, without_the_section_there_is_none)
{
    cr_assert(parse("[db]\ndb-id=1\n"));
    cr_expect_eq(labels.count, 0);
    cr_assert(parse(""));
}

Test(backup_info, a_broken_line_is_named)
{
    cr_expect_not(parse("[backup:current]\nA={\"option-archive-copy\":tr\n"));
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect(strstr(err.text, "line 2"), "%s", err.text);
    cr_expect_not(parse("[backup:current]\nA\n"));
    cr_expect(strstr(err.text, "no value"), "%s", err.text);
    cr_expect_not(parse("[backup:current]\nA={\"option-archive-copy\":1}\n"));
    cr_expect(strstr(err.text, "boolean"), "%s", err.text);
    cr_expect_not(parse("[backup:current]\nA=[]\n"));
}
