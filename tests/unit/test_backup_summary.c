#include "collectors/backup_summary.h"

#include <criterion/criterion.h>

static const struct info_database databases[] = {
    {.id = 1, .repo_key = 1}, {.id = 2, .repo_key = 1}, {.id = 1, .repo_key = 2}};

static struct info_stanza stanza_of(const struct info_backup *backups, size_t count)
{
    return (struct info_stanza){.name = "main",
                                .databases = databases,
                                .database_count = COUNT_OF(databases),
                                .backups = backups,
                                .backup_count = count};
}

static struct info_backup backup(const char *type, int64_t repo_key, int64_t database_id,
                                 int64_t stop)
{
    return (struct info_backup){.label = "l",
                                .type = type,
                                .repo_key = repo_key,
                                .database_id = database_id,
                                .stop = stop,
                                .repo_delta_bytes = 10,
                                .damage = INFO_DAMAGE_NONE};
}

Test(backup_summary, nothing_is_a_known_nothing)
{
    struct info_stanza stanza = stanza_of(NULL, 0);
    struct backup_summary summary = backup_summary(&stanza, 1);
    cr_expect_eq(summary.database->id, 2);
    for (size_t type = 0; type < BACKUP_TYPE_COUNT; type++) {
        cr_expect_eq(summary.count[type], 0);
        cr_expect_null(summary.newest[type]);
    }
    cr_expect_null(summary.latest);
    cr_expect_null(summary.oldest);
    cr_expect(summary.damage_known);
    cr_expect_eq(summary.damaged, 0);
    cr_expect_eq(summary.stored_bytes, 0);
}

Test(backup_summary, each_repository_counts_for_itself)
{
    struct info_backup backups[] = {backup("full", 1, 2, 100), backup("full", 2, 1, 900)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    cr_expect_eq(backup_summary(&stanza, 1).newest[BACKUP_FULL], &backups[0]);
    cr_expect_eq(backup_summary(&stanza, 2).newest[BACKUP_FULL], &backups[1]);
    cr_expect_eq(backup_summary(&stanza, 1).stored_bytes, 10);
}

Test(backup_summary, backups_of_an_earlier_database_are_stored_but_do_not_count)
{
    struct info_backup backups[] = {backup("full", 1, 1, 900), backup("full", 1, 2, 100)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    struct backup_summary summary = backup_summary(&stanza, 1);
    cr_expect_eq(summary.count[BACKUP_FULL], 1);
    cr_expect_eq(summary.latest, &backups[1]);
    cr_expect_eq(summary.stored_bytes, 20);
}

Test(backup_summary, without_any_database_nothing_is_current)
{
    struct info_backup backups[] = {backup("full", 3, 1, 100)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    struct backup_summary summary = backup_summary(&stanza, 3);
    cr_expect_null(summary.database);
    cr_expect_null(summary.latest);
    cr_expect_not(backup_is_current(&backups[0], 3, NULL));
}

Test(backup_summary, types_are_counted_apart_and_unknown_ones_stand_for_none)
{
    struct info_backup backups[] = {backup("full", 1, 2, 100), backup("incr", 1, 2, 200),
                                    backup("incr", 1, 2, 300), backup("new", 1, 2, 400)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    struct backup_summary summary = backup_summary(&stanza, 1);
    cr_expect_eq(summary.count[BACKUP_FULL], 1);
    cr_expect_eq(summary.count[BACKUP_DIFF], 0);
    cr_expect_eq(summary.count[BACKUP_INCR], 2);
    cr_expect_eq(summary.newest[BACKUP_INCR], &backups[2]);
    cr_expect_null(summary.newest[BACKUP_DIFF]);
    cr_expect_eq(summary.latest, &backups[3]);
    cr_expect_eq(summary.oldest, &backups[0]);
}

Test(backup_summary, newest_and_oldest_go_by_the_end_and_not_by_the_order)
{
    struct info_backup backups[] = {backup("full", 1, 2, 300), backup("full", 1, 2, 100),
                                    backup("full", 1, 2, 200)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    struct backup_summary summary = backup_summary(&stanza, 1);
    cr_expect_eq(summary.newest[BACKUP_FULL], &backups[0]);
    cr_expect_eq(summary.oldest, &backups[1]);
}

Test(backup_summary, damage_is_known_as_soon_as_one_backup_tells)
{
    struct info_backup backups[] = {backup("full", 1, 2, 100), backup("full", 1, 2, 200)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    backups[0].damage = INFO_DAMAGE_UNKNOWN;
    backups[1].damage = INFO_DAMAGE_FOUND;
    cr_expect(backup_summary(&stanza, 1).damage_known);
    cr_expect_eq(backup_summary(&stanza, 1).damaged, 1);
    backups[1].damage = INFO_DAMAGE_UNKNOWN;
    cr_expect_not(backup_summary(&stanza, 1).damage_known);
}

Test(backup_summary, sizes_that_nobody_tells_are_unknown)
{
    struct info_backup backups[] = {backup("full", 1, 2, 100), backup("full", 1, 2, 200)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    backups[0].repo_delta_bytes = INFO_SIZE_UNKNOWN;
    cr_expect_eq(backup_summary(&stanza, 1).stored_bytes, 10);
    backups[1].repo_delta_bytes = INFO_SIZE_UNKNOWN;
    cr_expect_eq(backup_summary(&stanza, 1).stored_bytes, INFO_SIZE_UNKNOWN);
}

Test(backup_summary, what_is_stored_does_not_overflow)
{
    struct info_backup backups[] = {backup("full", 1, 2, 100), backup("full", 1, 2, 200)};
    struct info_stanza stanza = stanza_of(backups, COUNT_OF(backups));
    backups[0].repo_delta_bytes = INT64_MAX;
    cr_expect_eq(backup_summary(&stanza, 1).stored_bytes, INT64_MAX);
}

Test(backup_summary, names_are_those_of_pgbackrest)
{
    cr_expect_str_eq(backup_type_name(BACKUP_FULL), "full");
    cr_expect_str_eq(backup_type_name(BACKUP_DIFF), "diff");
    cr_expect_str_eq(backup_type_name(BACKUP_INCR), "incr");
}
