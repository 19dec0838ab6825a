#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/archive_config_report.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"
#include "tests/unit/private_postgres.h"

extern const struct collector collector_archive_config;

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

#define SECRET "AKIATESTTESTTEST"

/* A server whose archive_command may name a script of ours that is called pgbackrest. */
static struct place {
    char directory[40];
    char *program;
    struct private_postgres server;
    struct postgres_settings postgres;
    struct stanza stanza;
    struct settings settings;
    struct environment environment;
} place;

static char *path_in(const char *name)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", place.directory, name);
    return strbuf_steal(&path);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char *path CLEANUP(secret_freep) = path_in(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void read_file(const char *name, struct strbuf *ret)
{
    char *path CLEANUP(secret_freep) = path_in(name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert(strbuf_reserve(ret, 65536));
    ssize_t count = read(fd, ret->data, 65536);
    cr_assert_geq(count, 0);
    ret->length = (size_t)count;
    ret->data[ret->length] = '\0';
    close(fd);
}

/* What pgbackrest is from now on. */
static void install(const char *commands)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&text, "#!/bin/sh\n%s\n", commands);
    write_file("pgbackrest", strbuf_text(&text), 0755);
}

static const uid_t nobody = 65534;

/* Dumpable again, as LeakSanitizer wants it, and at the end who we were. */
static void become(uid_t user)
{
    cr_assert_eq(seteuid(user), 0);
    cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* What the server has in its environment besides: it keeps that of this process. */
static void place_init(void)
{
    static const struct proc_limits limits = {.at_once = 2, .stuck = 4};
    place = (struct place){.directory = "/tmp/test_archive_config_XXXXXX"};
    cr_assert(mkdtemp(place.directory));
    place.program = path_in("pgbackrest");
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "relative::%s:/usr/bin:/bin", place.directory);
    setenv("PGBACKREST_REPO2_S3_KEY", SECRET, 1);
    setenv("PGBACKREST_LOG_LEVEL_FILE", "detail", 1);
    setenv("PATH", strbuf_text(&path), 1);
    place.stanza = (struct stanza){.name = TEXT_OF("main"), .postgres = &place.postgres};
    place.settings = (struct settings){.stanzas = &place.stanza, .stanza_count = 1};
    place.environment = (struct environment){proc_pool_new(&limits), &place.settings};
}

static void place_done(void)
{
    static const char *const files[] = {"pgbackrest", "seen", "environment"};
    private_postgres_done(&place.server);
    proc_pool_free(place.environment.pool);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *path CLEANUP(secret_freep) = path_in(files[i]);
        unlink(path);
    }
    cr_expect_eq(rmdir(place.directory), 0);
    free(place.program);
}

/* Settings of the server, NULL-ended; %s in one stands for the folder of the script. */
static void start(const char *archive_command, const char *more)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    strbuf_puts(&command, "archive_command=");
    strbuf_puts(&command, archive_command);
    const char *const settings[] = {"archive_mode=on", strbuf_text(&command), more, NULL};
    private_postgres_start(&place.server, settings);
    place.stanza.conninfo = place.server.conninfo;
}

/* A server whose archive_command is a sound call of the script. */
static void start_plain(void)
{
    struct strbuf command CLEANUP(strbuf_done) = {0};
    strbuf_printf(&command, "%s --stanza=main --config=/etc/own.conf archive-push \"%%p\"",
                  place.program);
    start(strbuf_text(&command), NULL);
}

struct outcome {
    double valid; /* NaN: no sample */
    char *reason; /* the series of the error, or NULL */
    struct strbuf page;
    enum grade grade;
    bool succeeded, down;
    struct err err;
};

static void outcome_done(struct outcome *outcome)
{
    free(outcome->reason);
    strbuf_done(&outcome->page);
}

static void take_samples(struct sink *sink, struct outcome *ret)
{
    struct sample_set *samples = NULL;
    struct err refused = {0}, err = {0};
    ret->valid = NAN;
    cr_assert(sink_finish(sink, &samples, &refused, &err), "%s", err.text);
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        if (strcmp(sample->series, "pgbackrest_archive_config_valid{stanza=\"main\"}") == 0) {
            ret->valid = sample->value;
        } else {
            cr_assert_null(ret->reason);
            cr_assert_eq(sample->value, 1);
            ret->reason = strdup(sample->series);
        }
    }
    sample_set_free(samples);
}

/* Every text, a line each. */
static void take_page(const struct report_item *item, struct strbuf *out)
{
    const char *const texts[] = {item->title, item->text, item->command};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        strbuf_printf(out, "%s\n", texts[i] ? texts[i] : "");
    for (size_t i = 0; i < item->child_count; i++)
        take_page(item->children[i], out);
}

static void collect_for(int64_t timeout_ms, struct outcome *ret)
{
    const struct collector *collector = &collector_archive_config;
    struct target_list targets CLEANUP(target_list_done) = {0};
    void *state = NULL;
    *ret = (struct outcome){0};
    cr_assert(collector->targets(&place.settings, &targets, &ret->err), "%s", ret->err.text);
    cr_assert_eq(targets.count, 1);
    struct target *target = &targets.items[0];
    cr_assert(collector->open(&place.environment, target, &state, &ret->err), "%s", ret->err.text);
    struct run run = {
        .sink = sink_new(collector->metrics, collector->metric_count, target->labels),
        .report = report_new(),
        .bound = bound_after(timeout_ms, -1),
        .target = target,
    };
    ret->succeeded = collector->collect(state, &run, &ret->err);
    ret->down = run.down;
    take_samples(run.sink, ret);
    take_page(run.report->root, &ret->page);
    ret->grade = report_worst(run.report->root);
    sink_free(run.sink);
    report_free(run.report);
    collector->close(state);
}

static void collect(struct outcome *ret)
{
    collect_for(20000, ret);
    cr_assert(ret->succeeded, "%s", ret->err.text);
}

static void assert_page(const struct outcome *outcome, const char *words)
{
    cr_assert(strstr(strbuf_text(&outcome->page), words), "no \"%s\" in:\n%s", words,
              strbuf_text(&outcome->page));
}

static void assert_not_on_page(const struct outcome *outcome, const char *words)
{
    cr_assert(!strstr(strbuf_text(&outcome->page), words), "\"%s\" is in:\n%s", words,
              strbuf_text(&outcome->page));
}

static void assert_no_sample(const struct outcome *outcome, const char *why)
{
    cr_assert(isnan(outcome->valid), "%g", outcome->valid);
    cr_assert_null(outcome->reason);
    cr_assert(!outcome->down);
    cr_assert_eq(outcome->grade, GRADE_NONE, "%s", strbuf_text(&outcome->page));
    assert_page(outcome, why);
}

static void assert_invalid(const struct outcome *outcome, const char *reason)
{
    struct strbuf series CLEANUP(strbuf_done) = {0};
    strbuf_printf(&series, "pgbackrest_archive_config_error{stanza=\"main\",reason=\"%s\"}",
                  reason);
    cr_assert_eq(outcome->valid, 0);
    cr_assert(outcome->reason);
    cr_assert_str_eq(outcome->reason, strbuf_text(&series));
    cr_assert_eq(outcome->grade, GRADE_FAILED);
}

TestSuite(archive_config, .init = place_init, .fini = place_done);

Test(archive_config, is_valid_when_only_the_segment_is_missing)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("echo 'ERROR: [043]: WAL segment to push required' >&2; exit 43");
    start_plain();
    collect(&outcome);
    cr_assert_eq(outcome.valid, 1);
    cr_assert_null(outcome.reason);
    cr_assert_eq(outcome.grade, GRADE_OK);
    assert_not_on_page(&outcome, "[043]");
}

Test(archive_config, runs_archive_command_without_its_segment_from_the_root)
{
    struct outcome outcome CLEANUP(outcome_done);
    struct strbuf seen CLEANUP(strbuf_done) = {0};
    install("(pwd; printf '%s\\n' \"$@\") >\"${0%/*}/seen\"; exit 43");
    start_plain();
    collect(&outcome);
    read_file("seen", &seen);
    cr_assert_str_eq(strbuf_text(&seen),
                     "/\n--stanza=main\n--config=/etc/own.conf\narchive-push\n");
}

Test(archive_config, gives_the_servers_variables_of_pgbackrest_and_no_others)
{
    struct outcome outcome CLEANUP(outcome_done);
    struct strbuf seen CLEANUP(strbuf_done) = {0};
    struct strbuf wanted CLEANUP(strbuf_done) = {0};
    install("tr '\\0' '\\n' </proc/$$/environ | sort >\"${0%/*}/seen\"; exit 43");
    start_plain();
    unsetenv("PGBACKREST_REPO2_S3_KEY"); /* ours is not the server's */
    collect(&outcome);
    read_file("seen", &seen);
    strbuf_printf(&wanted,
                  "LC_ALL=C.UTF-8\nPATH=relative::%s:/usr/bin:/bin\n"
                  "PGBACKREST_LOG_LEVEL_CONSOLE=off\nPGBACKREST_LOG_LEVEL_FILE=off\n"
                  "PGBACKREST_LOG_LEVEL_STDERR=error\nPGBACKREST_REPO2_S3_KEY=" SECRET "\n",
                  place.directory);
    cr_assert_str_eq(strbuf_text(&seen), strbuf_text(&wanted));
}

Test(archive_config, finds_a_program_without_a_path_in_that_of_the_server)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("exit 43");
    start("pgbackrest --stanza=main archive-push %p", NULL);
    setenv("PATH", "/nowhere", 1);
    collect(&outcome);
    cr_assert_eq(outcome.valid, 1);
    assert_page(&outcome, place.program);
}

Test(archive_config, tells_what_is_missing_and_how_to_mend_it)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("echo 'ERROR: [037]: archive-push command requires option: repo2-s3-key-secret' >&2\n"
            "exit 37");
    start_plain();
    collect(&outcome);
    assert_invalid(&outcome, "config");
    assert_page(&outcome, "CANNOT archive");
    assert_page(&outcome, "[037]: archive-push command requires option: repo2-s3-key-secret");
    assert_page(&outcome, "give the server repo2-s3-key-secret: as a line of /etc/own.conf, or as "
                          "PGBACKREST_REPO2_S3_KEY_SECRET in the environment");
    assert_page(&outcome, "remove the lines that begin with repo2- from [global]");
}

Test(archive_config, advises_no_removal_for_an_option_of_no_repository)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("echo 'ERROR: [037]: archive-push command requires option: pg1-path' >&2; exit 37");
    start_plain();
    collect(&outcome);
    assert_page(&outcome, "give the server pg1-path: as a line of /etc/own.conf, or as "
                          "PGBACKREST_PG1_PATH in");
    assert_not_on_page(&outcome, "remove the lines");
}

Test(archive_config, gives_each_refusal_its_reason)
{
    static const struct {
        const char *commands, *reason, *words;
    } cases[] = {
        {"echo 'ERROR: [031]: invalid option x' >&2; exit 31", "config", "[031]: invalid option"},
        {"echo 'ERROR: [032]: x is not valid' >&2; exit 32", "config", "[032]"},
        {"echo 'ERROR: [055]: unable to open missing file' >&2; exit 55", "config", "[055]"},
        {"echo 'ERROR: [072]: must be run on the PostgreSQL host' >&2; exit 72", "config", "[072]"},
        {"echo \"ERROR: [041]: unable to open file: [13] Permission denied\" >&2; exit 41",
         "permission", "[041]"},
        {"echo 'P00  ERROR: [029]: bad'; exit 29", "config", "fail: [029]: bad"},
        {"echo 'WARN: odd' >&2; echo 'ERROR: [037]: no' >&2; exit 37", "config", "fail: [037]: no"},
        {"echo 'ERROR: [099]: what' >&2; exit 99", "other", "fail: [099]: what"},
    };
    start_plain();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome outcome CLEANUP(outcome_done);
        install(cases[i].commands);
        collect(&outcome);
        assert_invalid(&outcome, cases[i].reason);
        assert_page(&outcome, cases[i].words);
    }
}

Test(archive_config, shows_no_secret_of_the_servers_environment)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("echo \"ERROR: [032]: key $PGBACKREST_REPO2_S3_KEY is bad\" >&2; exit 32");
    start_plain();
    collect(&outcome);
    assert_page(&outcome, "key *** is bad");
    assert_not_on_page(&outcome, SECRET);
}

Test(archive_config, shows_no_line_of_a_malformed_file)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("echo \"ERROR: [029]: missing '=' in key/value at line 12: repo2-s3-key-secret Hidden\n"
            "HINT: look\" >&2; exit 29");
    start_plain();
    collect(&outcome);
    assert_page(&outcome, "missing '=' in key/value at line 12\nHINT: look");
    assert_not_on_page(&outcome, "Hidden");
}

Test(archive_config, puts_no_secret_on_a_command_line)
{
    struct outcome outcome CLEANUP(outcome_done);
    struct strbuf command CLEANUP(strbuf_done) = {0};
    install("touch \"${0%/*}/seen\"; exit 31");
    strbuf_printf(&command, "%s --repo2-s3-key=Hidden archive-push %%p", place.program);
    start(strbuf_text(&command), NULL);
    collect(&outcome);
    assert_no_sample(&outcome, "archive_command has a secret among its arguments");
    assert_not_on_page(&outcome, "Hidden");
    char *seen CLEANUP(secret_freep) = path_in("seen");
    cr_assert_neq(access(seen, F_OK), 0, "it was run");
}

Test(archive_config, says_nothing_of_a_wrapper)
{
    struct outcome outcome CLEANUP(outcome_done);
    start("/opt/archive.sh %p", NULL);
    collect(&outcome);
    assert_no_sample(&outcome, "not checked: archive_command is a call of archive.sh");
}

Test(archive_config, says_nothing_of_a_program_that_is_not_here)
{
    struct outcome outcome CLEANUP(outcome_done);
    start("/nowhere/pgbackrest archive-push %p", NULL);
    collect(&outcome);
    assert_no_sample(&outcome, "/nowhere/pgbackrest cannot be run from here");
}

Test(archive_config, says_nothing_of_a_program_outside_the_servers_path)
{
    struct outcome outcome CLEANUP(outcome_done);
    setenv("PATH", "/nowhere", 1);
    start("pgbackrest archive-push %p", NULL);
    collect(&outcome);
    assert_no_sample(&outcome, "pgbackrest is not found in the PATH of the server");
}

Test(archive_config, finds_no_program_in_a_folder_relative_to_the_server)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("exit 43");
    setenv("PATH", ".:/nowhere", 1);
    start("pgbackrest archive-push %p", NULL);
    cr_assert_eq(chdir(place.directory), 0);
    collect(&outcome);
    assert_no_sample(&outcome, "pgbackrest is not found in the PATH of the server");
}

Test(archive_config, says_nothing_of_a_program_that_does_not_miss_the_segment)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("exit 0");
    start_plain();
    collect(&outcome);
    assert_no_sample(&outcome, "asked for no WAL segment");
}

Test(archive_config, says_nothing_of_a_script_that_fails_before_pgbackrest)
{
    static const char *const scripts[] = {
        "exit 99",
        ". /nowhere/credentials",
        "echo 'ERROR: no HOME' >&2; exit 1",
        "echo 'ERROR: [037]: archive-push command requires option: pg1-path' >&2; exit 1",
    };
    start_plain();
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct outcome outcome CLEANUP(outcome_done);
        install(scripts[i]);
        collect(&outcome);
        assert_no_sample(&outcome, "and not with words of pgbackrest");
    }
}

Test(archive_config, writes_no_log_that_archive_command_asks_for)
{
    struct outcome outcome CLEANUP(outcome_done);
    struct strbuf seen CLEANUP(strbuf_done) = {0};
    struct strbuf command CLEANUP(strbuf_done) = {0};
    install("printf '%s\\n' \"$@\" >\"${0%/*}/seen\"; exit 43");
    strbuf_printf(&command,
                  "%s --log-level-file=info --stanza main --log-level-stderr off archive-push %%p "
                  "--log-level-console=detail",
                  place.program);
    start(strbuf_text(&command), NULL);
    collect(&outcome);
    read_file("seen", &seen);
    cr_assert_str_eq(strbuf_text(&seen), "--stanza\nmain\narchive-push\n");
}

Test(archive_config, says_nothing_of_an_archive_library)
{
    struct outcome outcome CLEANUP(outcome_done);
    start("", "archive_library=none_such");
    collect(&outcome);
    assert_no_sample(&outcome, "an archive_library archives");
}

Test(archive_config, says_nothing_without_an_archive_command)
{
    struct outcome outcome CLEANUP(outcome_done);
    start("", NULL);
    collect(&outcome);
    assert_no_sample(&outcome, "there is no archive_command");
}

Test(archive_config, says_nothing_when_archive_mode_is_off)
{
    struct outcome outcome CLEANUP(outcome_done);
    start("pgbackrest archive-push %p", "archive_mode=off");
    collect(&outcome);
    assert_no_sample(&outcome, "archive_mode is off");
}

static void make_standby(const char *mode)
{
    const char *const settings[] = {mode, "archive_command=pgbackrest archive-push %p", NULL};
    private_postgres_start(&place.server, settings);
    private_postgres_stop_in_order(&place.server);
    private_postgres_make_standby(&place.server);
    private_postgres_restart(&place.server, settings);
    place.stanza.conninfo = place.server.conninfo;
}

Test(archive_config, says_nothing_of_a_standby_that_does_not_archive)
{
    struct outcome outcome CLEANUP(outcome_done);
    make_standby("archive_mode=on");
    collect(&outcome);
    assert_no_sample(&outcome, "a standby");
}

Test(archive_config, tries_a_standby_that_archives)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("exit 43");
    make_standby("archive_mode=always");
    collect(&outcome);
    cr_assert_eq(outcome.valid, 1);
}

Test(archive_config, a_file_gives_the_environment_in_place_of_the_servers)
{
    struct outcome outcome CLEANUP(outcome_done);
    char *file CLEANUP(secret_freep) = path_in("environment");
    install("test \"$PGBACKREST_REPO2_S3_KEY\" = 'of the file' || exit 37\n"
            "test -z \"$AWS_SECRET\" && exit 43");
    write_file("environment",
               "PGBACKREST_REPO2_S3_KEY=x\nAWS_SECRET=1\nPGBACKREST_REPO2_S3_KEY=\"of the file\"\n",
               0600);
    start_plain();
    place.postgres.archive_environment = file;
    collect(&outcome);
    cr_assert_eq(outcome.valid, 1);
    assert_page(&outcome, "1 PGBACKREST variables of /tmp/");
}

/* As root this test becomes another user than the server; else the server is ours, and cannot read
 * it either. */
Test(archive_config, says_nothing_of_a_configuration_that_only_we_may_not_read)
{
    struct outcome outcome CLEANUP(outcome_done);
    char *file CLEANUP(secret_freep) = path_in("environment");
    uid_t us = geteuid();
    bool other = us == 0;
    install("echo 'ERROR: [041]: unable to open file: [13] Permission denied' >&2; exit 41");
    write_file("environment", "", 0644);
    cr_assert_eq(chmod(place.directory, 0755), 0);
    start_plain();
    place.postgres.archive_environment = file;
    become(other ? nobody : us);
    collect(&outcome);
    become(us);
    if (other)
        assert_no_sample(&outcome, "we may not read what the server may: [041]");
    else
        assert_invalid(&outcome, "permission");
}

Test(archive_config, says_nothing_when_the_file_of_the_environment_is_not_there)
{
    struct outcome outcome CLEANUP(outcome_done);
    start_plain();
    place.postgres.archive_environment = TEXT_OF("/nowhere/environment");
    collect(&outcome);
    assert_no_sample(&outcome, "the environment of the server is not known: /nowhere/environment");
    assert_page(&outcome, "postgres[].archive-environment");
}

Test(archive_config, does_not_read_a_configuration_by_a_path_relative_to_the_server)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("exit 43");
    setenv("PGBACKREST_CONFIG", "own.conf", 1);
    start_plain();
    collect(&outcome);
    assert_no_sample(&outcome, "PGBACKREST_CONFIG is a path from the data directory");
}

Test(archive_config, is_unknown_while_postgresql_is_down)
{
    struct outcome outcome CLEANUP(outcome_done);
    start_plain();
    private_postgres_stop(&place.server);
    collect(&outcome);
    cr_assert(outcome.down);
    cr_assert(isnan(outcome.valid));
    cr_assert_eq(outcome.grade, GRADE_UNKNOWN);
}

Test(archive_config, a_program_that_hangs_is_no_refusal)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("exec sleep 600");
    start_plain();
    collect_for(2000, &outcome);
    cr_assert(!outcome.succeeded);
    cr_assert_eq(outcome.err.code, ERR_TIMEOUT, "%s", outcome.err.text);
    cr_assert(isnan(outcome.valid));
}

Test(archive_config, a_program_that_we_end_is_no_refusal_whatever_its_status)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("trap 'exit 37' TERM; sleep 600 & wait");
    start_plain();
    collect_for(2000, &outcome);
    cr_assert(!outcome.succeeded);
    cr_assert_eq(outcome.err.code, ERR_TIMEOUT, "%s", outcome.err.text);
    cr_assert(isnan(outcome.valid));
}

Test(archive_config, a_program_that_a_signal_ends_is_no_refusal)
{
    struct outcome outcome CLEANUP(outcome_done);
    install("kill -9 $$");
    start_plain();
    collect_for(20000, &outcome);
    cr_assert(!outcome.succeeded);
    cr_assert_eq(outcome.err.code, ERR_EXIT, "%s", outcome.err.text);
    cr_assert(isnan(outcome.valid));
}

Test(archive_config_targets, there_is_one_for_each_stanza_with_a_server)
{
    struct stanza stanzas[] = {{.name = TEXT_OF("far")},
                               {.name = TEXT_OF("main"), .conninfo = TEXT_OF("host=/run")}};
    struct settings settings = {.stanzas = stanzas, .stanza_count = 2};
    struct target_list targets CLEANUP(target_list_done) = {0};
    struct err err = {0};
    cr_assert(collector_archive_config.targets(&settings, &targets, &err));
    cr_assert_eq(targets.count, 1);
    cr_assert_str_eq(targets.items[0].name, "main");
}

Test(archive_config_targets, another_file_makes_another_target)
{
    struct postgres_settings postgres = {.archive_environment = TEXT_OF("/etc/one")};
    struct stanza stanza = {
        .name = TEXT_OF("main"), .conninfo = TEXT_OF("host=/run"), .postgres = &postgres};
    struct settings settings = {.stanzas = &stanza, .stanza_count = 1};
    struct target_list one CLEANUP(target_list_done) = {0};
    struct target_list other CLEANUP(target_list_done) = {0};
    struct err err = {0};
    cr_assert(collector_archive_config.targets(&settings, &one, &err));
    postgres.archive_environment = TEXT_OF("/etc/other");
    cr_assert(collector_archive_config.targets(&settings, &other, &err));
    cr_assert(!target_is_same(&one.items[0], &other.items[0]));
}
