#include "exporter/commands/run_backup.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT_OF(text) ((char *)(uintptr_t)(text))
#define WORDS_MAX     4

static struct err err;

/* A stanza of two repositories: 1 gets its WAL by archive_command, 2 does not. */
static struct stanza_repository repositories[2];
static struct stanza stanza;

static void make_stanza(void)
{
    static const struct repository_settings discontinuous = {.continuous_wal = NO};
    stanza = (struct stanza){.name = TEXT_OF("main"),
                             .config_file = "/etc/my exporter.yml",
                             .repositories = repositories,
                             .repository_count = COUNT_OF(repositories)};
    repositories[0] = (struct stanza_repository){
        .stanza = &stanza, .key = 2, .name = TEXT_OF("r2"), .settings = &discontinuous};
    repositories[1] = (struct stanza_repository){
        .stanza = &stanza, .key = 1, .name = TEXT_OF("nas"), .in_pgbackrest_conf = true};
    cr_assert(pair_list_add(&stanza.options, "pg1-path", "/data", &err));
}

static void free_stanza(void)
{
    pair_list_done(&stanza.options);
}

TestSuite(run_backup, .init = make_stanza, .fini = free_stanza);

struct words {
    const char *items[WORDS_MAX];
};

static struct run_line line_of(const struct words *words, int64_t repo_key)
{
    union {
        const char *const *given;
        char *const *wanted;
    } arguments = {.given = words->items};
    struct run_line line = {.repo_key = repo_key, .arguments = arguments.wanted};
    while (line.argument_count < WORDS_MAX && words->items[line.argument_count])
        line.argument_count++;
    return line;
}

static int64_t target_key(const struct words *words, int64_t repo_key)
{
    struct run_line line = line_of(words, repo_key);
    const struct stanza_repository *found = run_backup_target(&line, &stanza);
    return found ? found->key : 0;
}

Test(run_backup, a_backup_into_a_repository_without_continuous_wal_is_completed)
{
    cr_expect_eq(target_key(&(const struct words){{"backup"}}, 2), 2);
    cr_expect_eq(target_key(&(const struct words){{"backup", "--no-archive-check"}}, 2), 2);
    cr_expect_eq(target_key(&(const struct words){{"backup"}}, 1), 0);
    cr_expect_eq(target_key(&(const struct words){{"info"}}, 2), 0);
}

Test(run_backup, without_a_key_the_backup_goes_to_the_lowest_one)
{
    cr_expect_eq(target_key(&(const struct words){{"backup"}}, 0), 0);
    repositories[1].in_pgbackrest_conf = false;
    cr_expect_eq(target_key(&(const struct words){{"backup"}}, 0), 1);
}

Test(run_backup, who_asks_for_the_check_gets_pgbackrest_as_it_is)
{
    cr_expect_eq(target_key(&(const struct words){{"backup", "--archive-check"}}, 2), 0);
    cr_expect_eq(target_key(&(const struct words){{"backup", "--archive-check=y"}}, 2), 0);
}

Test(run_backup, on_a_repository_host_nothing_can_be_completed)
{
    cr_assert(pair_list_add(&stanza.options, "pg1-host", "db", &err));
    cr_expect_eq(target_key(&(const struct words){{"backup"}}, 2), 0);
}

Test(run_backup, pgbackrest_does_not_wait_for_wal)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    cr_assert(repository_env_begin(&stanza, &env, &err), "%s", err.text);
    cr_assert(run_backup_prepare(&env, &err), "%s", err.text);
    cr_expect_str_eq(repository_env_get(&env, "archive-check"), "n");
}

Test(run_backup, the_option_is_printed_unless_the_line_says_it)
{
    static const struct {
        struct words words;
        const char *expected;
    } cases[] = {
        {{{"backup"}}, " --no-archive-check"},
        {{{"backup", "--no-archive-check"}}, ""},
        {{{"backup", "--no-online"}}, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct strbuf out CLEANUP(strbuf_done) = {0};
        struct run_line line = line_of(&cases[i].words, 2);
        run_backup_print_option(&line, &out);
        cr_expect_str_eq(strbuf_text(&out), cases[i].expected);
    }
}

Test(run_backup, the_line_that_completes_can_be_pasted)
{
    struct strbuf out CLEANUP(strbuf_done) = {0};
    run_backup_print_completing(&repositories[0], &out);
    cr_expect_str_eq(strbuf_text(&out), "pgbackup_exporter --config.file='/etc/my exporter.yml' "
                                        "complete-wal --stanza=main --repo=2\n");
}
