#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/backups.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"

extern const struct collector collector_backups;

#define FIXTURES "tests/fixtures/info/"

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

/* A stanza with one repository, a pgbackrest that is a script, and one target that watches it. */
struct place {
    char directory[32];
    char *program;
    struct stanza stanza;
    struct repository_settings own;
    struct stanza_repository repository;
    struct settings settings;
    struct environment environment;
    struct target_list targets;
    void *state;
};

/* What one collection brought. */
struct outcome {
    bool succeeded;
    struct err err;
    struct run run;
    struct sample_set *samples;
    struct report *report;
    const struct backups_observation *seen;
};

static char *path_in(const struct place *place, const char *name)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", place->directory, name);
    return strbuf_steal(&path);
}

static void write_file(const struct place *place, const char *name, const char *text, mode_t mode)
{
    char *path = path_in(place, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    free(path);
}

static char *read_path(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return strdup("");
    struct strbuf text = {0};
    char chunk[4096];
    for (size_t count = 0; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        strbuf_add(&text, chunk, count);
    fclose(file);
    strbuf_puts(&text, "");
    char *whole = strdup(strbuf_text(&text));
    strbuf_done(&text);
    return whole;
}

static char *read_file(const struct place *place, const char *name)
{
    char *path = path_in(place, name);
    char *text = read_path(path);
    free(path);
    return text;
}

/* A pgbackrest that notes how it was called and then does what the commands say. */
static void install(const struct place *place, const char *commands)
{
    struct strbuf script = {0};
    strbuf_printf(&script,
                  "#!/bin/sh\ncd %s\n"
                  "if [ \"$1\" = version ]; then echo 'pgBackRest 2.45'; exit 0; fi\n"
                  "echo \"$@\" > argv\nenv > environment\n%s\n",
                  place->directory, commands);
    write_file(place, "pgbackrest", strbuf_text(&script), 0700);
    strbuf_done(&script);
}

/* A pgbackrest that prints what a real one did. */
static void replay(const struct place *place, const char *fixture)
{
    struct strbuf path = {0};
    strbuf_printf(&path, FIXTURES "%s", fixture);
    char *text = read_path(strbuf_text(&path));
    cr_assert(*text, "%s is not there: run the tests from the root", strbuf_text(&path));
    write_file(place, "answer", text, 0600);
    install(place, "cat answer");
    free(text);
    strbuf_done(&path);
}

static void option(struct pair_list *list, const char *name, const char *value)
{
    struct err err;
    cr_assert(pair_list_add(list, name, value, &err));
}

static void place_init(struct place *place, int64_t key, const char *storage)
{
    static const struct proc_limits limits = {.at_once = 2, .stuck = 4};
    *place = (struct place){.directory = "/tmp/test_backups_XXXXXX"};
    cr_assert(mkdtemp(place->directory));
    place->program = path_in(place, "pgbackrest");
    place->stanza = (struct stanza){
        .name = TEXT_OF("main"), .repositories = &place->repository, .repository_count = 1};
    place->repository = (struct stanza_repository){
        .stanza = &place->stanza,
        .key = key,
        .name = TEXT_OF("nas"),
        .storage = storage,
        .cipher = "none",
        .settings = &place->own,
        .in_pgbackrest_conf = true,
    };
    place->own.mount_path = TEXT_OF("/mnt/nas");
    place->settings = (struct settings){.stanzas = &place->stanza, .stanza_count = 1};
    place->settings.pgbackrest.command = place->program;
    place->environment = (struct environment){proc_pool_new(&limits), &place->settings};
}

static void place_open(struct place *place)
{
    struct err err = {0};
    cr_assert(collector_backups.targets(&place->settings, &place->targets, &err), "%s", err.text);
    cr_assert_eq(place->targets.count, 1);
    cr_assert(
        collector_backups.open(&place->environment, &place->targets.items[0], &place->state, &err),
        "%s", err.text);
}

static void place_done(struct place *place)
{
    static const char *const files[] = {"pgbackrest", "argv", "environment", "answer",
                                        "credentials"};
    collector_backups.close(place->state);
    target_list_done(&place->targets);
    proc_pool_free(place->environment.pool);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *path = path_in(place, files[i]);
        unlink(path);
        free(path);
    }
    cr_expect_eq(rmdir(place->directory), 0);
    pair_list_done(&place->stanza.options);
    pair_list_done(&place->repository.options);
    pair_list_done(&place->own.credentials_map);
    free(place->program);
}

static struct outcome collect(struct place *place, int64_t timeout_ms)
{
    struct outcome outcome = {.report = report_new()};
    const struct target *target = &place->targets.items[0];
    outcome.run = (struct run){
        .sink = sink_new(collector_backups.metrics, collector_backups.metric_count, target->labels),
        .report = outcome.report,
        .bound = bound_after(timeout_ms, -1),
        .target = target,
    };
    outcome.succeeded = collector_backups.collect(place->state, &outcome.run, &outcome.err);
    struct err refused = {0}, err = {0};
    if (!outcome.succeeded)
        sink_drop_measured(outcome.run.sink); /* as the poller does */
    cr_assert(sink_finish(outcome.run.sink, &outcome.samples, &refused, &err));
    cr_expect_eq(refused.code, ERR_NONE, "%s", refused.text);
    sink_free(outcome.run.sink);
    outcome.seen = outcome.run.observation;
    return outcome;
}

static void outcome_done(struct outcome *outcome)
{
    if (outcome->run.observation)
        outcome->run.observation_free(outcome->run.observation);
    sample_set_free(outcome->samples);
    report_free(outcome->report);
}

static const struct sample *find(const struct outcome *outcome, const char *series)
{
    for (size_t i = 0; i < outcome->samples->count; i++) {
        if (strcmp(outcome->samples->items[i].series, series) == 0)
            return &outcome->samples->items[i];
    }
    return NULL;
}

static void expect_sample(const struct outcome *outcome, const char *series, double value)
{
    const struct sample *sample = find(outcome, series);
    cr_assert(sample, "%s is not there", series);
    cr_expect_eq(sample->value, value, "%s is %f", series, sample->value);
}

static bool has_metric(const struct outcome *outcome, const char *name)
{
    for (size_t i = 0; i < outcome->samples->count; i++) {
        if (strcmp(outcome->samples->items[i].desc->name, name) == 0)
            return true;
    }
    return false;
}

static const struct report_item *find_item(const struct report_item *item, enum report_kind kind,
                                           const char *text)
{
    if (item->kind == kind && item->text && strstr(item->text, text))
        return item;
    for (size_t i = 0; i < item->child_count; i++) {
        const struct report_item *found = find_item(item->children[i], kind, text);
        if (found)
            return found;
    }
    return NULL;
}

static size_t count_items(const struct report_item *item, enum report_kind kind)
{
    size_t count = item->kind == kind;
    for (size_t i = 0; i < item->child_count; i++)
        count += count_items(item->children[i], kind);
    return count;
}

#define REPO1   "stanza=\"main\",repo_key=\"1\""
#define REPO2   "stanza=\"main\",repo_key=\"2\""
#define NOT_FED ",continuous_wal=\"false\""

#define BACKUP(label, type, db, stop, more)                                                        \
    "{\"label\":\"" label "\",\"type\":\"" type "\",\"database\":{\"id\":" db ",\"repo-key\":1},"  \
    "\"timestamp\":{\"start\":100,\"stop\":" stop "}" more "}"

/* A catalogue of repository 1 with two databases and these backups. */
static void answer(const struct place *place, const char *code, const char *backups)
{
    struct strbuf text = {0};
    strbuf_printf(&text,
                  "[{\"name\":\"main\",\"status\":{\"code\":%s},\"db\":["
                  "{\"id\":1,\"repo-key\":1,\"system-id\":5},"
                  "{\"id\":2,\"repo-key\":1,\"system-id\":6}],"
                  "\"repo\":[{\"key\":1,\"status\":{\"code\":%s,\"message\":\"m\"}}],"
                  "\"backup\":[%s]}]",
                  code, code, backups);
    write_file(place, "answer", strbuf_text(&text), 0600);
    install(place, "cat answer");
    strbuf_done(&text);
}

/* ---- targets ---- */

Test(backups, a_repository_without_mount_path_names_the_mount_that_holds_it)
{
    struct place place;
    place_init(&place, 1, "posix");
    place.own.mount_path = NULL;
    option(&place.repository.options, "path", "/proc/self/no-such-folder");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    expect_sample(&outcome,
                  "pgbackrest_repo_info{" REPO1
                  ",name=\"nas\",storage=\"posix\",cipher=\"none\",mount=\"/proc\"" NOT_FED "}",
                  1);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, each_repository_of_each_stanza_is_a_target)
{
    struct place place;
    place_init(&place, 1, "posix");
    place_open(&place);
    const struct target *target = &place.targets.items[0];
    cr_expect_str_eq(target->name, "main/repo1");
    cr_expect_str_eq(label_get(target->labels, "stanza"), "main");
    cr_expect_str_eq(label_get(target->labels, "repo_key"), "1");
    cr_expect_eq(target->interval_s, 0);
    place_done(&place);
}

Test(backups, object_stores_are_asked_less_often)
{
    static const char *const stores[] = {"s3", "gcs", "azure"};
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        struct place place;
        place_init(&place, 1, stores[i]);
        place_open(&place);
        cr_expect_eq(place.targets.items[0].interval_s, 300);
        place_done(&place);
    }
}

Test(backups, a_changed_option_or_secret_makes_another_target_without_showing_it)
{
    struct place place;
    struct target_list later = {0};
    struct err err;
    place_init(&place, 1, "s3");
    option(&place.repository.options, "s3-key", "one");
    place_open(&place);
    cr_assert(collector_backups.targets(&place.settings, &later, &err));
    cr_expect(target_is_same(&place.targets.items[0], &later.items[0]));
    target_list_done(&later);

    pair_list_done(&place.repository.options);
    option(&place.repository.options, "s3-key", "two");
    cr_assert(collector_backups.targets(&place.settings, &later, &err));
    cr_expect_not(target_is_same(&place.targets.items[0], &later.items[0]));
    cr_expect_not(strstr(later.items[0].fingerprint, "two"));
    target_list_done(&later);
    place_done(&place);
}

Test(backups, another_word_on_continuous_wal_makes_another_target)
{
    struct place place;
    struct target_list later = {0};
    struct err err;
    place_init(&place, 1, "posix");
    place.own.continuous_wal = YES;
    place_open(&place);
    place.own.continuous_wal = NO;
    cr_assert(collector_backups.targets(&place.settings, &later, &err));
    cr_expect_not(target_is_same(&place.targets.items[0], &later.items[0]));
    target_list_done(&later);
    place_done(&place);
}

Test(backups, a_changed_objective_makes_another_target)
{
    struct place place;
    struct target_list later = {0};
    struct err err;
    double *const objectives[] = {&place.own.objectives.full,  &place.own.objectives.diff,
                                  &place.own.objectives.incr,  &place.own.objectives.recovery_point,
                                  &place.own.objectives.drill, &place.own.objectives.restore_time};
    place_init(&place, 1, "posix");
    place_open(&place);
    for (size_t i = 0; i < COUNT_OF(objectives); i++) {
        *objectives[i] = 60;
        cr_assert(collector_backups.targets(&place.settings, &later, &err));
        cr_expect_not(target_is_same(&place.targets.items[0], &later.items[0]), "objective %zu", i);
        target_list_done(&later);
        *objectives[i] = 0;
    }
    place_done(&place);
}

Test(backups, every_metric_passes_the_lint)
{
    for (size_t i = 0; i < collector_backups.metric_count; i++) {
        struct err err = {0};
        cr_expect(metric_desc_check(&collector_backups.metrics[i], &err), "%s", err.text);
    }
}

/* ---- the child ---- */

Test(backups, argv_holds_only_the_command_the_stanza_and_the_repository)
{
    struct place place;
    place_init(&place, 2, "s3");
    option(&place.repository.options, "s3-key", "KEYKEYKEY");
    option(&place.stanza.options, "lock-path", "/run/lock");
    replay(&place, "2.45/both-repo2only.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 60000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);

    char *argv = read_file(&place, "argv");
    cr_expect_str_eq(argv, "info --output=json --no-config --stanza=main --repo=2\n");
    char *environment = read_file(&place, "environment");
    cr_expect(strstr(environment, "PGBACKREST_REPO2_S3_KEY=KEYKEYKEY\n"));
    cr_expect(strstr(environment, "PGBACKREST_LOCK_PATH=/run/lock\n"));
    cr_expect(strstr(environment, "PGBACKREST_LOG_LEVEL_CONSOLE=off\n"));
    cr_expect(strstr(environment, "PGBACKREST_LOG_LEVEL_FILE=off\n"));
    cr_expect(strstr(environment, "PGBACKREST_IO_TIMEOUT=4\n") ||
              strstr(environment, "PGBACKREST_IO_TIMEOUT=5\n"));
    free(argv);
    free(environment);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_configured_io_timeout_is_left_alone)
{
    struct place place;
    place_init(&place, 1, "posix");
    option(&place.stanza.options, "io-timeout", "33");
    replay(&place, "2.45/repo1-only.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 60000);
    char *environment = read_file(&place, "environment");
    cr_expect(strstr(environment, "PGBACKREST_IO_TIMEOUT=33\n"));
    free(environment);
    outcome_done(&outcome);
    place_done(&place);
}

/* ---- a repository that can be read ---- */

Test(backups, a_sound_repository_gives_all_its_facts)
{
    struct place place;
    place_init(&place, 1, "posix");
    option(&place.repository.options, "retention-full", "3");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    cr_expect_not(outcome.run.down);
    expect_sample(&outcome, "pgbackrest_repo_up{" REPO1 "}", 1);
    expect_sample(&outcome, "pgbackrest_repo_status{" REPO1 "}", 0);
    expect_sample(&outcome,
                  "pgbackrest_repo_info{" REPO1
                  ",name=\"nas\",storage=\"posix\",cipher=\"none\",mount=\"/mnt/nas\"" NOT_FED "}",
                  1);
    expect_sample(&outcome, "pgbackrest_repo_retention_full{" REPO1 "}", 3);
    expect_sample(&outcome, "pgbackrest_backups{" REPO1 ",backup_type=\"full\"}", 2);
    expect_sample(&outcome, "pgbackrest_backups{" REPO1 ",backup_type=\"diff\"}", 0);
    expect_sample(&outcome, "pgbackrest_backups{" REPO1 ",backup_type=\"incr\"}", 1);
    expect_sample(&outcome, "pgbackrest_backups_with_errors{" REPO1 "}", 0);
    expect_sample(&outcome,
                  "pgbackrest_backup_last_completion_timestamp_seconds{" REPO1
                  ",backup_type=\"incr\"}",
                  1795362876);
    expect_sample(&outcome, "pgbackrest_backup_age_seconds{" REPO1 ",backup_type=\"incr\"}",
                  1795362876);
    expect_sample(&outcome,
                  "pgbackrest_backup_last_duration_seconds{" REPO1 ",backup_type=\"incr\"}", 17);
    expect_sample(&outcome, "pgbackrest_backup_last_size_bytes{" REPO1 ",backup_type=\"incr\"}",
                  122776895);
    expect_sample(&outcome, "pgbackrest_backup_last_delta_bytes{" REPO1 ",backup_type=\"incr\"}",
                  92078340);
    expect_sample(&outcome,
                  "pgbackrest_backup_last_repo_size_bytes{" REPO1 ",backup_type=\"incr\"}",
                  48181974);
    expect_sample(&outcome,
                  "pgbackrest_backup_last_repo_delta_bytes{" REPO1 ",backup_type=\"incr\"}",
                  44178783);
    expect_sample(&outcome, "pgbackrest_backup_oldest_completion_timestamp_seconds{" REPO1 "}",
                  1795362841);
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_error"));
    outcome_done(&outcome);
    place_done(&place);
}

/* The series of every objective that can be configured, each with a value of its own. */
static const struct objectives all_objectives = {1, 2, 3, 4, 5, 6};

static void expect_all_objectives(const struct outcome *outcome)
{
    expect_sample(outcome, "pgbackrest_backup_objective_seconds{" REPO1 ",backup_type=\"full\"}",
                  1);
    expect_sample(outcome, "pgbackrest_backup_objective_seconds{" REPO1 ",backup_type=\"diff\"}",
                  2);
    expect_sample(outcome, "pgbackrest_backup_objective_seconds{" REPO1 ",backup_type=\"incr\"}",
                  3);
    expect_sample(outcome, "pgbackrest_recovery_point_objective_seconds{" REPO1 "}", 4);
    expect_sample(outcome, "pgbackrest_restore_drill_objective_seconds{" REPO1 "}", 5);
    expect_sample(outcome, "pgbackrest_restore_time_objective_seconds{" REPO1 "}", 6);
}

Test(backups, what_is_promised_is_there_with_a_sound_repository)
{
    struct place place;
    place_init(&place, 1, "posix");
    place.own.objectives = all_objectives;
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    expect_all_objectives(&outcome);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, what_is_not_promised_has_no_series)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    for (size_t i = 0; i < outcome.samples->count; i++)
        cr_expect_null(strstr(outcome.samples->items[i].series, "objective"), "%s",
                       outcome.samples->items[i].series);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_retention_in_days_is_no_number_of_backups)
{
    struct place place;
    place_init(&place, 1, "posix");
    option(&place.repository.options, "retention-full", "30");
    option(&place.repository.options, "retention-full-type", "time");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_retention_full"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, what_is_configured_stays_when_we_fail_ourselves_from_the_beginning)
{
    static const char *const kept[] = {"pgbackrest_repo_info",
                                       "pgbackrest_repo_retention_full",
                                       "pgbackrest_backup_objective_seconds",
                                       "pgbackrest_recovery_point_objective_seconds",
                                       "pgbackrest_restore_drill_objective_seconds",
                                       "pgbackrest_restore_time_objective_seconds"};
    struct place place;
    place_init(&place, 1, "posix");
    option(&place.repository.options, "retention-full", "3");
    place.own.objectives = all_objectives;
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert_not(outcome.succeeded, "there is no pgbackrest");
    expect_all_objectives(&outcome);
    for (size_t i = 0; i < outcome.samples->count; i++)
        cr_expect_eq(outcome.samples->items[i].desc->keeps, CONFIGURED, "%s",
                     outcome.samples->items[i].series);
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        cr_expect(has_metric(&outcome, kept[i]), "%s", kept[i]);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_repository_that_can_be_read_tells_since_when_that_is_known)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    double before = clock_wall_seconds();
    struct outcome outcome = collect(&place, 10000);
    const struct sample *last_up =
        find(&outcome, "pgbackrest_repo_last_up_timestamp_seconds{" REPO1 "}");
    cr_assert_not_null(last_up);
    cr_expect_eq(last_up->desc->keeps, FACT);
    cr_expect(last_up->value >= before && last_up->value <= clock_wall_seconds());
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_backup_older_than_promised_is_said_with_its_moment)
{
    struct place place;
    place_init(&place, 1, "posix");
    place.own.objectives.full = 97200;
    answer(&place, "0", BACKUP("a", "full", "2", "1700000000", ""));
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect(find_item(outcome.report->root, REPORT_VERDICT,
                        "too old: last full backup 2023-11-14 22:13 UTC, promised every 27h"));
    cr_expect(find_item(outcome.report->root, REPORT_FACT, "full 27h"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, series_for_each_backup_are_there_only_when_asked_for)
{
    for (int asked = 0; asked <= 1; asked++) {
        struct place place;
        place_init(&place, 1, "posix");
        place.settings.per_backup = asked;
        replay(&place, "2.60.0/both.json");
        place_open(&place);
        struct outcome outcome = collect(&place, 10000);
        cr_expect_eq(has_metric(&outcome, "pgbackrest_backup_info"), asked);
        cr_expect_eq(has_metric(&outcome, "pgbackrest_backup_size_bytes"), asked);
        cr_expect(has_metric(&outcome, "pgbackrest_backup_last_size_bytes"));
        outcome_done(&outcome);
        place_done(&place);
    }
}

Test(backups, a_type_never_stands_for_another_type)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect_null(find(&outcome, "pgbackrest_backup_last_completion_timestamp_seconds{" REPO1
                                  ",backup_type=\"diff\"}"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, every_version_recorded_gives_the_same_set_of_series)
{
    static const char *const versions[] = {"2.45", "2.55.1", "2.60.0"};
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct place place;
        struct strbuf fixture = {0};
        strbuf_printf(&fixture, "%s/repo1-only.json", versions[i]);
        place_init(&place, 1, "posix");
        replay(&place, strbuf_text(&fixture));
        place_open(&place);
        struct outcome outcome = collect(&place, 10000);
        cr_assert(outcome.succeeded, "%s", outcome.err.text);
        cr_expect(has_metric(&outcome, "pgbackrest_backup_last_repo_size_bytes"));
        cr_expect(has_metric(&outcome, "pgbackrest_repo_stored_bytes"));
        outcome_done(&outcome);
        place_done(&place);
        strbuf_done(&fixture);
    }
}

Test(backups, only_the_current_database_counts_but_all_that_is_stored)
{
    struct place place;
    place_init(&place, 1, "posix");
    answer(&place, "0",
           BACKUP("a", "full", "1", "900", ",\"info\":{\"repository\":{\"delta\":10}}") "," BACKUP(
               "b", "full", "2", "300", ",\"info\":{\"repository\":{\"delta\":5}}"));
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    expect_sample(&outcome, "pgbackrest_backups{" REPO1 ",backup_type=\"full\"}", 1);
    expect_sample(
        &outcome,
        "pgbackrest_backup_last_completion_timestamp_seconds{" REPO1 ",backup_type=\"full\"}", 300);
    expect_sample(&outcome, "pgbackrest_repo_stored_bytes{" REPO1 "}", 15);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, the_newest_is_the_one_that_ended_last)
{
    struct place place;
    place_init(&place, 1, "posix");
    answer(&place, "0",
           BACKUP("a", "full", "2", "500", "") "," BACKUP("b", "full", "2", "400", "") "," BACKUP(
               "c", "strange", "2", "900", ""));
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    expect_sample(
        &outcome,
        "pgbackrest_backup_last_completion_timestamp_seconds{" REPO1 ",backup_type=\"full\"}", 500);
    expect_sample(&outcome, "pgbackrest_backup_oldest_completion_timestamp_seconds{" REPO1 "}",
                  400);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, sizes_that_are_not_said_are_absent_not_zero)
{
    struct place place;
    place_init(&place, 1, "posix");
    answer(&place, "0", BACKUP("a", "full", "2", "500", ""));
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect_not(has_metric(&outcome, "pgbackrest_backup_last_repo_size_bytes"));
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_stored_bytes"));
    cr_expect_not(has_metric(&outcome, "pgbackrest_backups_with_errors"));
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_retention_full"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, page_checksum_errors_are_counted_and_warned_of)
{
    struct place place;
    place_init(&place, 1, "posix");
    answer(&place, "0",
           BACKUP("a", "full", "2", "500", ",\"error\":true") "," BACKUP("b", "full", "2", "600",
                                                                         ",\"error\":false"));
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    expect_sample(&outcome, "pgbackrest_backups_with_errors{" REPO1 "}", 1);
    cr_expect_eq(report_worst(outcome.report->root), GRADE_WARNING);
    cr_expect(find_item(outcome.report->root, REPORT_VERDICT, "1 of its backups have page"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_repository_without_backups_is_up_with_a_reason_and_failed_for_people)
{
    struct place place;
    place_init(&place, 2, "s3");
    replay(&place, "2.55.1/repo2-no-backups.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    cr_expect_not(outcome.run.down);
    expect_sample(&outcome, "pgbackrest_repo_up{" REPO2 "}", 1);
    expect_sample(&outcome, "pgbackrest_repo_status{" REPO2 "}", 2);
    expect_sample(&outcome, "pgbackrest_repo_error{" REPO2 ",reason=\"no_backup\"}", 1);
    expect_sample(&outcome, "pgbackrest_backups{" REPO2 ",backup_type=\"full\"}", 0);
    cr_expect_eq(report_worst(outcome.report->root), GRADE_FAILED);
    cr_expect(find_item(outcome.report->root, REPORT_VERDICT, "it holds no backup"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, backups_of_an_earlier_database_only_are_failed)
{
    struct place place;
    place_init(&place, 1, "posix");
    answer(&place, "0", BACKUP("a", "full", "1", "500", ""));
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect(find_item(outcome.report->root, REPORT_VERDICT,
                        "none of its 1 backups is of the current database"));
    cr_expect_eq(report_worst(outcome.report->root), GRADE_FAILED);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, the_report_says_what_the_repository_holds)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    const struct report_item *root = outcome.report->root;
    cr_assert_eq(root->child_count, 1);
    cr_expect_str_eq(root->children[0]->title, "Repository 1 (nas)");
    cr_expect_eq(report_worst(root), GRADE_OK);
    cr_expect(find_item(root, REPORT_VERDICT, "readable; last full backup"));
    cr_expect_eq(count_items(root, REPORT_EVENT), 3);
    const struct report_item *step = find_item(root, REPORT_STEP, "See what it holds");
    cr_assert(step);
    cr_expect_str_eq(step->command, "sudo -u postgres pgbackrest --stanza=main --repo=1 info");
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, the_command_for_a_repository_of_our_own_goes_through_run)
{
    struct place place;
    place_init(&place, 1, "posix");
    place.repository.in_pgbackrest_conf = false;
    replay(&place, "2.60.0/no-backups.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    const struct report_item *step = find_item(outcome.report->root, REPORT_STEP, "");
    cr_assert(step);
    cr_expect_str_eq(step->command,
                     "sudo -u postgres pgbackup_exporter run --stanza=main --repo=1 -- info");
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, warnings_on_either_stream_go_to_the_page)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.60.0/warn-bogus-env.json");
    install(&place, "cat answer; echo 'WARN: on stderr' >&2");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    cr_expect(find_item(outcome.report->root, REPORT_DETAIL, "invalid option 'bogus'"));
    cr_expect(find_item(outcome.report->root, REPORT_DETAIL, "WARN: on stderr"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, what_was_seen_is_published_for_others)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.60.0/running-both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert_not_null(outcome.seen);
    cr_expect_str_eq(outcome.seen->stanza, "main");
    cr_expect_eq(outcome.seen->repo_key, 1);
    cr_expect(outcome.seen->readable);
    cr_expect_eq(outcome.seen->code, 0);
    cr_expect(outcome.seen->lock_known && outcome.seen->lock.held);
    cr_expect_str_eq(outcome.seen->version, "2.45");
    cr_expect_gt(backups_observation_stanza(outcome.seen)->backup_count, 0);
    outcome_done(&outcome);
    place_done(&place);
}

/* ---- a repository that is down ---- */

static void expect_down(const char *fixture, const char *series, double status)
{
    struct place place;
    place_init(&place, 2, "s3");
    replay(&place, fixture);
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect(outcome.succeeded, "%s: %s", fixture, outcome.err.text);
    cr_expect(outcome.run.down, "%s", fixture);
    expect_sample(&outcome, "pgbackrest_repo_up{" REPO2 "}", 0);
    expect_sample(&outcome, series, 1);
    expect_sample(&outcome, "pgbackrest_repo_status{" REPO2 "}", status);
    cr_expect(has_metric(&outcome, "pgbackrest_repo_info"));
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_last_up_timestamp_seconds"));
    cr_expect_not(has_metric(&outcome, "pgbackrest_backups"));
    cr_expect_eq(report_worst(outcome.report->root), GRADE_UNKNOWN);
    cr_expect_not(outcome.seen->readable);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, each_recorded_fault_is_down_with_its_reason)
{
    static const struct {
        const char *name, *series;
    } faults[] = {
        {"repo2-503", "pgbackrest_repo_error{" REPO2 ",reason=\"other\"}"},
        {"repo2-bad-ca", "pgbackrest_repo_error{" REPO2 ",reason=\"tls\"}"},
        {"repo2-conn-refused", "pgbackrest_repo_error{" REPO2 ",reason=\"connect\"}"},
        {"repo2-hang", "pgbackrest_repo_error{" REPO2 ",reason=\"timeout\"}"},
        {"repo2-no-bucket", "pgbackrest_repo_error{" REPO2 ",reason=\"bucket\"}"},
        {"repo2-wrong-key", "pgbackrest_repo_error{" REPO2 ",reason=\"auth\"}"},
        {"repo2-wrong-secret", "pgbackrest_repo_error{" REPO2 ",reason=\"auth\"}"},
    };
    static const char *const versions[] = {"2.45", "2.55.1", "2.60.0"};
    for (size_t i = 0; i < COUNT_OF(faults) * COUNT_OF(versions); i++) {
        struct strbuf fixture = {0};
        strbuf_printf(&fixture, "%s/%s.json", versions[i / COUNT_OF(faults)],
                      faults[i % COUNT_OF(faults)].name);
        expect_down(strbuf_text(&fixture), faults[i % COUNT_OF(faults)].series, 99);
        strbuf_done(&fixture);
    }
}

Test(backups, a_missing_stanza_path_is_down_with_its_own_status)
{
    expect_down("2.45/empty-main.json",
                "pgbackrest_repo_error{" REPO2 ",reason=\"missing_stanza_path\"}", 1);
}

Test(backups, a_stanza_that_is_missing_with_its_mount_is_not_mounted)
{
    struct place place;
    place_init(&place, 2, "posix"); /* its mount.path is /mnt/nas, where nothing is mounted */
    replay(&place, "2.45/empty-main.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    expect_sample(&outcome, "pgbackrest_repo_error{" REPO2 ",reason=\"not_mounted\"}", 1);
    expect_sample(&outcome, "pgbackrest_repo_status{" REPO2 "}", 1);
    cr_expect(strstr(outcome.run.down_error.text, "/mnt/nas"), "%s", outcome.run.down_error.text);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_stanza_that_is_missing_below_a_mount_of_another_type_is_not_mounted)
{
    struct place place;
    place_init(&place, 2, "posix");
    place.own.mount_path = TEXT_OF("/proc");
    place.own.mount_filesystem = TEXT_OF("nfs");
    replay(&place, "2.45/empty-main.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    expect_sample(&outcome, "pgbackrest_repo_error{" REPO2 ",reason=\"not_mounted\"}", 1);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, a_stanza_that_is_missing_below_its_mount_was_never_made)
{
    struct place place;
    place_init(&place, 2, "posix");
    place.own.mount_path = TEXT_OF("/proc");
    replay(&place, "2.45/empty-main.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    expect_sample(&outcome, "pgbackrest_repo_error{" REPO2 ",reason=\"missing_stanza_path\"}", 1);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, the_catalogue_last_read_stays_in_what_others_see)
{
    struct place place;
    place_init(&place, 2, "s3");
    replay(&place, "2.60.0/both.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    outcome_done(&outcome);
    replay(&place, "2.60.0/repo2-conn-refused.json");
    outcome = collect(&place, 10000);
    cr_assert(outcome.run.down);
    cr_expect_not(outcome.seen->readable);
    cr_expect_eq(outcome.seen->reason, ERR_CONNECT);
    cr_expect_eq(outcome.seen->code, 99);
    const struct info_stanza *stanza = backups_observation_stanza(outcome.seen);
    cr_assert_not_null(stanza);
    cr_expect_eq(info_find_repository(stanza, 2)->status.code, 0);
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, the_first_line_is_the_error_and_all_of_it_the_detail_without_secrets)
{
    struct place place;
    place_init(&place, 2, "s3");
    option(&place.repository.options, "s3-key", "bedkey");
    replay(&place, "2.60.0/repo2-wrong-secret.json");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect_str_eq(outcome.run.down_error.text,
                     "repository 2 (nas): [ProtocolError] HTTP request failed with 403 "
                     "(Forbidden):");
    cr_expect_eq(outcome.run.down_error.code, ERR_AUTH);
    const struct report_item *detail =
        find_item(outcome.report->root, REPORT_DETAIL, "SignatureDoesNotMatch");
    cr_assert_not_null(detail);
    cr_expect_not(strstr(detail->text, "bedkey"));
    cr_expect(strstr(detail->text, "<AWSAccessKeyId>***</AWSAccessKeyId>"));
    outcome_done(&outcome);
    place_done(&place);
}

Test(backups, raw_and_control_bytes_of_a_message_reach_neither_log_nor_page)
{
    struct place place;
    place_init(&place, 2, "s3");
    write_file(&place, "answer",
               "[{\"name\":\"main\",\"status\":{\"code\":99},\"repo\":[{\"key\":2,\"status\":"
               "{\"code\":99,\"message\":\"[HostConnectError] \xFF\x1B[31m\x07 gone\"}}]}]",
               0600);
    install(&place, "cat answer");
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_assert(outcome.run.down, "%s", outcome.err.text);
    const struct report_item *detail = find_item(outcome.report->root, REPORT_DETAIL, "gone");
    cr_assert_not_null(detail);
    cr_expect_null(strpbrk(detail->text, "\x1B\x07\xFF"), "%s", detail->text);
    outcome_done(&outcome);
    place_done(&place);
}

/* A collection that ends as down without an answer from pgbackrest. */
static void expect_refused(struct place *place, int64_t timeout_ms, enum err_code code,
                           const char *text)
{
    place_open(place);
    struct outcome outcome = collect(place, timeout_ms);
    cr_expect(outcome.succeeded, "%s", outcome.err.text);
    cr_expect(outcome.run.down);
    cr_expect_eq(outcome.run.down_error.code, code);
    cr_expect(strstr(outcome.run.down_error.text, text), "%s", outcome.run.down_error.text);
    expect_sample(&outcome, "pgbackrest_repo_up{" REPO2 "}", 0);
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_status"));
    cr_expect(has_metric(&outcome, "pgbackrest_repo_info"));
    cr_expect_eq(outcome.seen->code, BACKUPS_NO_CODE);
    outcome_done(&outcome);
}

Test(backups, a_pgbackrest_that_hangs_is_a_repository_that_times_out)
{
    struct place place;
    place_init(&place, 2, "s3");
    install(&place, "exec sleep 30");
    int64_t started = clock_monotonic_ms();
    expect_refused(&place, 2000, ERR_TIMEOUT, "repository 2 (nas): ");
    cr_expect_lt(clock_monotonic_ms() - started, 5000);
    place_done(&place);
}

Test(backups, a_missing_option_is_a_configuration_error_on_stderr_and_on_stdout)
{
    static const char *const commands[] = {
        "echo 'ERROR: [037]: info command requires option: repo2-s3-key' >&2; exit 37",
        "echo 'P00  ERROR: [037]: info command requires option: repo2-s3-key'; exit 37",
    };
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct place place;
        place_init(&place, 2, "s3");
        install(&place, commands[i]);
        expect_refused(&place, 10000, ERR_CONFIG,
                       "repository 2 (nas): pgbackrest info ended with status 37: ERROR: [037]: "
                       "info command requires option: repo2-s3-key");
        place_done(&place);
    }
}

Test(backups, an_option_that_it_refuses_is_a_configuration_error)
{
    struct place place;
    place_init(&place, 2, "s3");
    install(&place, "echo 'P00  ERROR: [031]: option io-timeout is out of range'; exit 31");
    expect_refused(&place, 10000, ERR_CONFIG, "ended with status 31: ERROR: [031]: option");
    place_done(&place);
}

Test(backups, a_secret_in_an_error_of_pgbackrest_is_redacted)
{
    struct place place;
    place_init(&place, 2, "s3");
    option(&place.repository.options, "s3-key-secret", "topsecret");
    install(&place, "echo \"ERROR: [032]: '$PGBACKREST_REPO2_S3_KEY_SECRET' is bad\"; exit 32");
    expect_refused(&place, 10000, ERR_CONFIG, "'***' is bad");
    place_done(&place);
}

Test(backups, a_missing_credentials_file_is_a_repository_that_cannot_be_used)
{
    struct place place;
    place_init(&place, 2, "s3");
    replay(&place, "2.45/both.json");
    place.own.credentials_file = TEXT_OF("/nowhere/at/all");
    expect_refused(&place, 10000, ERR_CONFIG, "credentials file /nowhere/at/all");
    char *argv = read_file(&place, "argv");
    cr_expect_str_eq(argv, "", "pgbackrest was started without its credentials");
    free(argv);
    place_done(&place);
}

Test(backups, a_credentials_file_that_all_may_read_is_warned_of)
{
    struct place place;
    place_init(&place, 1, "posix");
    replay(&place, "2.45/both.json");
    write_file(&place, "credentials", "A=b\n", 0600);
    place.own.credentials_file = path_in(&place, "credentials");
    cr_assert_eq(chmod(place.own.credentials_file, 0644), 0);
    place_open(&place);
    struct outcome outcome = collect(&place, 10000);
    cr_expect_eq(report_worst(outcome.report->root), GRADE_WARNING);
    cr_expect(find_item(outcome.report->root, REPORT_VERDICT, "every user of this host can read"));
    outcome_done(&outcome);
    free(place.own.credentials_file);
    place_done(&place);
}

/* ---- we fail ourselves ---- */

static struct err expect_failure(struct place *place)
{
    place_open(place);
    struct outcome outcome = collect(place, 10000);
    struct err err = outcome.err;
    cr_expect_not(outcome.succeeded);
    cr_expect_not(has_metric(&outcome, "pgbackrest_repo_up"));
    cr_expect_null(outcome.seen);
    cr_expect_gt(outcome.report->root->child_count, 0, "the page says nothing of it");
    outcome_done(&outcome);
    return err;
}

Test(backups, a_missing_program_is_our_failure_and_names_its_key)
{
    struct place place;
    place_init(&place, 1, "posix");
    struct err err = expect_failure(&place);
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, place.program));
    cr_expect(strstr(err.text, "(pgbackrest.command): No such file or directory"));
    place_done(&place);
}

Test(backups, having_no_descriptor_left_for_the_credentials_is_our_failure)
{
    struct place place;
    struct rlimit before;
    place_init(&place, 2, "s3");
    write_file(&place, "credentials", "A=b\n", 0600);
    place.own.credentials_file = path_in(&place, "credentials");
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_max = before.rlim_max}), 0);
    struct err err = expect_failure(&place);
    setrlimit(RLIMIT_NOFILE, &before);
    cr_expect_eq(err.code, ERR_SYSTEM, "%s", err.text);
    free(place.own.credentials_file);
    place_done(&place);
}

Test(backups, an_answer_that_is_no_catalogue_is_our_failure)
{
    static const char *const commands[] = {"echo nonsense", "echo '[{]'", "echo '[]'",
                                           "echo '[{\"name\":\"other\",\"status\":{\"code\":0}}]'",
                                           "echo '[{\"name\":\"main\",\"status\":{\"code\":0}}]'"};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct place place;
        place_init(&place, 1, "posix");
        install(&place, commands[i]);
        cr_expect_eq(expect_failure(&place).code, ERR_PROTOCOL, "%s", commands[i]);
        place_done(&place);
    }
}

Test(backups, a_program_ended_by_a_signal_is_our_failure)
{
    struct place place;
    place_init(&place, 1, "posix");
    install(&place, "kill -SEGV $$");
    cr_expect_eq(expect_failure(&place).code, ERR_EXIT);
    place_done(&place);
}
