#include "collectors/backups_report.h"

#include <criterion/criterion.h>
#include <string.h>

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

static const struct info_database databases[] = {{.id = 1, .repo_key = 1}};
static struct stanza stanza = {.name = TEXT_OF("main")};
static const struct stanza_repository repository = {
    .stanza = &stanza, .key = 1, .name = TEXT_OF("nas"), .in_pgbackrest_conf = true};

static const struct report_item *find_item(const struct report_item *item, enum report_kind kind)
{
    if (item->kind == kind)
        return item;
    for (size_t i = 0; i < item->child_count; i++) {
        const struct report_item *found = find_item(item->children[i], kind);
        if (found)
            return found;
    }
    return NULL;
}

/* A repository whose backups ended so many seconds before now has this verdict. */
static void expect_verdict(const char *const *types, const int64_t *ages, size_t count,
                           const char *text)
{
    struct info_backup backups[4];
    for (size_t i = 0; i < count; i++)
        backups[i] = (struct info_backup){.label = "l",
                                          .type = types[i],
                                          .repo_key = 1,
                                          .database_id = 1,
                                          .start = 1000000 - ages[i],
                                          .stop = 1000000 - ages[i]};
    struct info_stanza catalogue = {.name = "main",
                                    .databases = databases,
                                    .database_count = 1,
                                    .backups = backups,
                                    .backup_count = count};
    struct report *report = report_new();
    backups_report_readable(report, &repository, &catalogue, "", 1000000);
    const struct report_item *verdict = find_item(report->root, REPORT_VERDICT);
    cr_assert_not_null(verdict);
    cr_expect_str_eq(verdict->text, text);
    report_free(report);
}

Test(backups_report, the_time_of_the_last_full_backup_is_said)
{
    static const char *const types[] = {"full"};
    static const int64_t ages[] = {3600 * 3 + 60};
    expect_verdict(types, ages, 1, "readable; last full backup 1970-01-12 10:45 UTC");
}

Test(backups_report, a_newer_backup_of_another_type_is_said_too)
{
    static const char *const types[] = {"full", "incr"};
    static const int64_t ages[] = {3600 * 3, 1200};
    expect_verdict(types, ages, 2,
                   "readable; last full backup 1970-01-12 10:46 UTC, last incr 1970-01-12 13:26 "
                   "UTC");
}

Test(backups_report, what_is_missing_is_said)
{
    static const char *const types[] = {"incr"};
    static const int64_t ages[] = {60};
    expect_verdict(types, ages, 1, "readable, but it holds no full backup");
    expect_verdict(types, ages, 0, "readable, but it holds no backup");
}

Test(backups_report, a_repository_that_is_down_says_why_what_to_do_and_everything)
{
    struct report *report = report_new();
    struct err err = {.code = ERR_AUTH, .text = "first line"};
    backups_report_down(report, &repository, &err, "first line\nsecond line");
    cr_expect_eq(report_worst(report->root), GRADE_UNKNOWN);
    cr_expect_str_eq(find_item(report->root, REPORT_VERDICT)->text,
                     "cannot be read: the credentials were refused");
    cr_expect(strstr(find_item(report->root, REPORT_STEP)->text, "credentials"));
    cr_expect_str_eq(find_item(report->root, REPORT_DETAIL)->text, "first line\nsecond line");
    report_free(report);

    report = report_new();
    backups_report_down(report, &repository, &err, NULL);
    cr_expect_str_eq(find_item(report->root, REPORT_DETAIL)->text, "first line");
    report_free(report);
}

Test(backups_report, credentials_that_all_may_read_are_a_warning_with_a_command)
{
    struct repository_settings settings = {.credentials_file = TEXT_OF("/etc/keys")};
    struct stanza_repository exposed = repository;
    struct report *report = report_new();
    exposed.settings = &settings;
    backups_report_exposed(report, NULL, &exposed);
    cr_expect_eq(report_worst(report->root), GRADE_WARNING);
    cr_expect_str_eq(find_item(report->root, REPORT_STEP)->command, "chmod o-rwx /etc/keys");
    report_free(report);
}
