#include "collectors/pgbackrest.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

static struct stanza stanza = {.name = TEXT_OF("main")};
static const struct stanza_repository repository = {
    .stanza = &stanza, .key = 1, .name = TEXT_OF("nas"), .storage = "posix", .cipher = "none"};

/* A program that is a script, and one call of it. */
struct place {
    char program[32];
    struct proc_pool *pool;
    struct repository_env env;
    struct pgbackrest_call call;
    struct proc_result result;
    struct err err;
};

static void place_init(struct place *place, const char *commands)
{
    static const struct proc_limits limits = {.at_once = 1, .stuck = 1};
    static const char *const arguments[] = {"repo-ls", "--output=json", NULL};
    *place = (struct place){.program = "/tmp/test_pgbackrest_XXXXXX"};
    int fd = mkstemp(place->program);
    cr_assert_geq(fd, 0);
    cr_assert_gt(dprintf(fd, "#!/bin/sh\n%s\n", commands), 0);
    cr_assert_eq(fchmod(fd, 0700), 0);
    close(fd);
    place->pool = proc_pool_new(&limits);
    cr_assert(repository_env(&repository, &place->env, &place->err), "%s", place->err.text);
    place->call = (struct pgbackrest_call){
        .pool = place->pool,
        .program = place->program,
        .repository = &repository,
        .env = &place->env,
        .arguments = arguments,
    };
}

static void place_done(struct place *place)
{
    proc_result_done(&place->result);
    repository_env_done(&place->env);
    proc_pool_free(place->pool);
    unlink(place->program);
}

static bool run_for(struct place *place, int64_t timeout_ms, int stop_fd)
{
    struct bound bound = bound_after(timeout_ms, stop_fd);
    return pgbackrest_run(&place->call, &bound, &place->result, &place->err);
}

static bool has(const struct repository_env *env, const char *item)
{
    for (char **at = env->items; *at; at++) {
        if (strcmp(*at, item) == 0)
            return true;
    }
    return false;
}

Test(pgbackrest, the_command_comes_first_and_no_option_but_its_own_is_on_argv)
{
    struct place place;
    place_init(&place, "echo \"$@\"");
    cr_assert(run_for(&place, 10000, -1), "%s", place.err.text);
    cr_expect_str_eq(strbuf_text(&place.result.output),
                     "repo-ls --output=json --no-config --stanza=main --repo=1\n");
    place_done(&place);
}

Test(pgbackrest, a_command_that_knows_no_repo_gets_none)
{
    struct place place;
    place_init(&place, "echo \"$@\"");
    place.call.takes_no_repo = true;
    cr_assert(run_for(&place, 10000, -1), "%s", place.err.text);
    cr_expect_str_eq(strbuf_text(&place.result.output),
                     "repo-ls --output=json --no-config --stanza=main\n");
    place_done(&place);
}

Test(pgbackrest, a_reading_command_is_quiet_and_gives_a_dead_server_up_in_time)
{
    static const struct {
        int64_t time_ms;
        const char *item;
    } cases[] = {
        {60000, "PGBACKREST_IO_TIMEOUT=5"},
        {5000, "PGBACKREST_IO_TIMEOUT=1"},
        {3600000, "PGBACKREST_IO_TIMEOUT=60"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repository_env env;
        struct err err = {0};
        cr_assert(repository_env(&repository, &env, &err));
        cr_assert(pgbackrest_prepare(&env, cases[i].time_ms, &err));
        cr_expect(has(&env, cases[i].item), "%s", cases[i].item);
        cr_expect(has(&env, "PGBACKREST_LOG_LEVEL_CONSOLE=off"));
        cr_expect(has(&env, "PGBACKREST_LOG_LEVEL_FILE=off"));
        cr_expect(has(&env, "PGBACKREST_LOG_LEVEL_STDERR=error"));
        repository_env_done(&env);
    }
}

Test(pgbackrest, an_error_is_told_with_its_reason_the_repository_and_the_message)
{
    struct place place;
    place_init(&place, "echo \"P00  ERROR: [049]: unable to get address for 'x'\"; exit 49");
    cr_assert_not(run_for(&place, 10000, -1));
    cr_expect_eq(place.err.code, ERR_DNS);
    cr_expect_str_eq(place.err.text, "repository 1 (nas): pgbackrest repo-ls ended with status 49: "
                                     "ERROR: [049]: unable to get address for 'x'");
    cr_expect(pgbackrest_failure_is_repository(&place.result, 10000, &place.err));
    place_done(&place);
}

Test(pgbackrest, an_error_without_a_word_is_told_by_its_status)
{
    struct place place;
    place_init(&place, "exit 95");
    cr_assert_not(run_for(&place, 10000, -1));
    cr_expect_eq(place.err.code, ERR_CRYPTO);
    cr_expect_str_eq(place.err.text, "repository 1 (nas): pgbackrest repo-ls ended with status 95");
    place_done(&place);
}

Test(pgbackrest, it_is_killed_early_enough_to_return_within_its_time)
{
    struct place place;
    place_init(&place, "trap '' TERM; while :; do sleep 1; done");
    int64_t started = clock_monotonic_ms();
    cr_assert_not(run_for(&place, 4000, -1));
    cr_expect_lt(clock_monotonic_ms() - started, 4000);
    cr_expect_eq(place.err.code, ERR_TIMEOUT, "%s", place.err.text);
    cr_expect(pgbackrest_failure_is_repository(&place.result, 4000, &place.err));
    place_done(&place);
}

Test(pgbackrest, a_program_that_is_not_there_is_a_configuration_error_of_ours)
{
    struct place place;
    place_init(&place, "");
    place.call.program = "/nowhere/pgbackrest";
    cr_assert_not(run_for(&place, 10000, -1));
    cr_expect_eq(place.err.code, ERR_CONFIG);
    cr_expect_str_eq(place.err.text, "cannot run /nowhere/pgbackrest (pgbackrest.command): "
                                     "No such file or directory");
    cr_expect_not(pgbackrest_failure_is_repository(&place.result, 10000, &place.err));
    place_done(&place);
}

Test(pgbackrest, being_asked_to_stop_is_not_the_repositorys_fault)
{
    struct place place;
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    place_init(&place, "exec sleep 30");
    cr_assert_not(run_for(&place, 10000, ends[0]));
    cr_expect_eq(place.err.code, ERR_STOPPED);
    cr_expect_not(pgbackrest_failure_is_repository(&place.result, 10000, &place.err));
    close(ends[0]);
    close(ends[1]);
    place_done(&place);
}

Test(pgbackrest, a_stuck_child_is_the_repositorys_fault_and_no_place_to_start_is_not)
{
    struct proc_result never = {0};
    struct err stuck = {.code = ERR_STUCK}, late = {.code = ERR_TIMEOUT};
    cr_expect(pgbackrest_failure_is_repository(&never, 10000, &stuck));
    cr_expect_not(pgbackrest_failure_is_repository(&never, 10000, &late));
}

Test(pgbackrest, a_child_that_had_less_than_half_of_the_time_is_not_the_repositorys_fault)
{
    struct proc_result late = {.started = true, .interrupted = true, .duration_ms = 4999};
    struct proc_result slow = {.started = true, .interrupted = true, .duration_ms = 5000};
    struct err timeout = {.code = ERR_TIMEOUT};
    cr_expect_not(pgbackrest_failure_is_repository(&late, 10000, &timeout));
    cr_expect(pgbackrest_failure_is_repository(&slow, 10000, &timeout));
}

Test(pgbackrest, a_status_that_it_gives_when_it_is_ended_is_no_refusal)
{
    struct place place;
    place_init(&place,
               "trap 'exit 63' TERM; while :; do sleep 0.01; done"); /* as pgbackrest does */
    cr_assert_not(run_for(&place, 2000, -1));
    cr_expect_eq(place.err.code, ERR_TIMEOUT, "%s", place.err.text);
    cr_expect_eq(place.result.exit_status, 63);
    cr_expect_not(pgbackrest_failure_is_repository(&place.result, 60000, &place.err));
    place.err.code = ERR_STOPPED;
    cr_expect_not(pgbackrest_failure_is_repository(&place.result, 2000, &place.err));
    place_done(&place);
}

static void expect_version(const char *commands, const char *expected)
{
    struct place place;
    place_init(&place, commands);
    struct bound bound = bound_after(10000, -1);
    char *version = pgbackrest_version(place.pool, place.program, &bound);
    cr_expect_eq(version == NULL, expected == NULL);
    if (version && expected)
        cr_expect_str_eq(version, expected);
    free(version);
    place_done(&place);
}

Test(pgbackrest, its_version_is_read_past_any_warning)
{
    expect_version("echo 'pgBackRest 2.55.1'", "2.55.1");
    expect_version("echo \"P00   WARN: environment contains invalid option 'bogus'\"; "
                   "echo 'pgBackRest 2.60.0'",
                   "2.60.0");
    expect_version("echo 'pgBackRest 2.61.0dev'", "2.61.0dev");
    expect_version("echo 'something else'", NULL);
    expect_version("echo 'pgBackRest '", NULL);
    expect_version("exit 1", NULL);
}

static void *hold_place(void *context)
{
    cr_expect_not(run_for(context, 4000, -1));
    return NULL;
}

Test(pgbackrest, its_version_needs_no_place_in_the_queue)
{
    struct place place;
    pthread_t holder;
    struct strbuf held = {0};
    place_init(&place, "[ \"$1\" = version ] && exec echo 'pgBackRest 2.45'\n"
                       ": >\"$0.held\"; exec sleep 60");
    strbuf_printf(&held, "%s.held", place.program);
    cr_assert_eq(pthread_create(&holder, NULL, hold_place, &place), 0);
    for (int i = 0; i < 2000 && access(strbuf_text(&held), F_OK) < 0; i++)
        poll(NULL, 0, 1);
    cr_expect_eq(unlink(strbuf_text(&held)), 0);
    struct bound bound = bound_after(1600, -1); /* over before the place is given back */
    char *version = pgbackrest_version(place.pool, place.program, &bound);
    cr_expect_not_null(version);
    free(version);
    pthread_join(holder, NULL);
    strbuf_done(&held);
    place_done(&place);
}
