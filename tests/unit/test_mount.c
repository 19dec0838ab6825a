/*
 * Real mounts, in a mount namespace of each test's own. What a tmpfs never does (hang, answer with
 * an error) the probe child does instead: this runner is that child, and looks beside the mount
 * for a file that tells it to.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/mount_report.h"
#include "collectors/settings.h"
#include "exporter/schedule/collector.h"
#include "exporter/sources/probe_file.h"

extern const struct collector collector_mount;

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

#define PROBE_MAGIC 0x70726f62U

/* The name of the file beside a mount point: what its first byte asks for. */
#define ORDER      "order"
#define ORDER_SIZE 64

static void answer_error(int error_number)
{
    const uint32_t magic = PROBE_MAGIC;
    const struct probe_filesystem answer = {.statfs_error = error_number};
    if (fwrite(&magic, sizeof magic, 1, stdout) == 1 &&
        fwrite(&answer, sizeof answer, 1, stdout) == 1 && fflush(stdout) == 0)
        _exit(0);
    _exit(1);
}

/* Before the constructor that hands every probe over. */
__attribute__((constructor(101))) static void obey_orders(int argc, char **argv)
{
    if (argc != 4 || strcmp(argv[1], "--probe") != 0 || strcmp(argv[2], "resolve") == 0)
        return;
    struct strbuf path = {0};
    strbuf_add(&path, argv[3], (size_t)(strrchr(argv[3], '/') - argv[3]));
    strbuf_puts(&path, "/" ORDER);
    int fd = open(strbuf_text(&path), O_RDONLY | O_CLOEXEC);
    char order = 0;
    if (fd < 0 || read(fd, &order, 1) != 1)
        return;
    while (order == 'h')
        pause();
    if (order == 's' && strcmp(argv[2], "filesystem") == 0)
        answer_error(ESTALE);
}

/* A folder with a mount point in it, and settings with a repository there. */
struct place {
    char directory[32];
    char *mount;
    char *path; /* of the repository */
    struct stanza stanza;
    struct repository_settings own;
    struct stanza_repository repository;
    struct settings settings;
    struct environment environment;
    struct target_list targets;
    void *state;
};

struct outcome {
    bool succeeded;
    struct err err;
    struct run run;
    struct sample_set *samples;
    struct report *report;
};

static char *join(const char *folder, const char *name)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", folder, name);
    return strbuf_steal(&path);
}

static void own_namespace(void)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        cr_skip_test("no mount namespace may be made here");
    cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

static void place_init(struct place *place)
{
    static const struct proc_limits limits = {.at_once = 2, .stuck = 4};
    *place = (struct place){.directory = "/tmp/test_mount_XXXXXX"};
    own_namespace();
    cr_assert(mkdtemp(place->directory));
    /* Everything below lives in memory of this namespace: nothing is left behind but the folder. */
    cr_assert_eq(mount("place", place->directory, "tmpfs", 0, NULL), 0);
    place->mount = join(place->directory, "nas");
    place->path = join(place->mount, "repo");
    cr_assert_eq(mkdir(place->mount, 0755), 0);
    place->stanza = (struct stanza){
        .name = TEXT_OF("main"), .repositories = &place->repository, .repository_count = 1};
    place->repository = (struct stanza_repository){
        .stanza = &place->stanza, .key = 1, .name = TEXT_OF("nas"), .storage = "posix"};
    place->settings = (struct settings){.stanzas = &place->stanza, .stanza_count = 1};
    place->environment = (struct environment){proc_pool_new(&limits), &place->settings};
}

static void option(struct place *place, const char *name, const char *value)
{
    struct err err;
    cr_assert(pair_list_add(&place->repository.options, name, value, &err));
}

static void configure(struct place *place, const char *path, const char *filesystem)
{
    place->own.mount_path = TEXT_OF(path);
    place->own.mount_filesystem = TEXT_OF(filesystem);
    place->repository.settings = &place->own;
}

static void mount_nas(const struct place *place, const char *options)
{
    cr_assert_eq(mount("nas", place->mount, "tmpfs", 0, options), 0);
}

/* A line of the administrator's, in this namespace only. */
static void say_in_fstab(const struct place *place, const char *path)
{
    char *file = join(place->directory, "fstab");
    FILE *list = fopen(file, "we");
    cr_assert(list && fprintf(list, "nas:/ %s nfs rw 0 0\n", path) > 0 && fclose(list) == 0);
    if (access("/etc/fstab", F_OK) < 0)
        cr_skip_test("this machine has no /etc/fstab to stand for another");
    cr_assert_eq(mount(file, "/etc/fstab", NULL, MS_BIND, NULL), 0);
    free(file);
}

static void find_targets(struct place *place)
{
    struct err err = {0};
    target_list_done(&place->targets);
    cr_assert(collector_mount.targets(&place->settings, &place->targets, &err), "%s", err.text);
}

static void open_only_target(struct place *place)
{
    struct err err = {0};
    find_targets(place);
    cr_assert_eq(place->targets.count, 1);
    cr_assert(
        collector_mount.open(&place->environment, &place->targets.items[0], &place->state, &err));
}

static void place_done(struct place *place)
{
    collector_mount.close(place->state);
    target_list_done(&place->targets);
    proc_pool_free(place->environment.pool);
    pair_list_done(&place->repository.options);
    cr_expect_eq(umount2(place->directory, MNT_DETACH), 0);
    cr_expect_eq(rmdir(place->directory), 0);
    free(place->mount);
    free(place->path);
}

static void order(const struct place *place, const char *what)
{
    char *path = join(place->directory, ORDER);
    unlink(path);
    int fd = *what ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (*what)
        cr_assert_eq(write(fd, what, 1), 1);
    if (fd >= 0)
        close(fd);
    free(path);
}

static struct outcome collect_within(struct place *place, int64_t timeout_ms)
{
    struct outcome outcome = {.report = report_new()};
    const struct target *target = &place->targets.items[0];
    outcome.run = (struct run){
        .sink = sink_new(collector_mount.metrics, collector_mount.metric_count, target->labels),
        .report = outcome.report,
        .bound = bound_after(timeout_ms, -1),
        .target = target,
    };
    outcome.succeeded = collector_mount.collect(place->state, &outcome.run, &outcome.err);
    struct err refused = {0}, err = {0};
    cr_assert(sink_finish(outcome.run.sink, &outcome.samples, &refused, &err));
    cr_expect_eq(refused.code, ERR_NONE, "%s", refused.text);
    sink_free(outcome.run.sink);
    return outcome;
}

static struct outcome collect(struct place *place)
{
    struct outcome outcome = collect_within(place, 20000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    return outcome;
}

static void outcome_done(struct outcome *outcome)
{
    sample_set_free(outcome->samples);
    report_free(outcome->report);
}

/* The sample of a metric with that path and further labels; NULL when it is not there. */
static const struct sample *find(const struct outcome *outcome, const char *metric,
                                 const char *path, const char *labels)
{
    struct strbuf series = {0};
    strbuf_printf(&series, "pgbackup_mount_%s{path=\"%s\"%s}", metric, path, labels);
    const struct sample *found = NULL;
    for (size_t i = 0; i < outcome->samples->count; i++) {
        if (strcmp(outcome->samples->items[i].series, strbuf_text(&series)) == 0)
            found = &outcome->samples->items[i];
    }
    strbuf_done(&series);
    return found;
}

static void expect(const struct outcome *outcome, const char *metric, const char *path,
                   double value)
{
    const struct sample *sample = find(outcome, metric, path, "");
    cr_assert(sample, "%s of %s is not there", metric, path);
    cr_expect_eq(sample->value, value, "%s is %f", metric, sample->value);
}

static void expect_reason(const struct outcome *outcome, const char *path, const char *reason)
{
    struct strbuf labels = {0};
    strbuf_printf(&labels, ",reason=\"%s\"", reason);
    cr_expect(find(outcome, "error", path, strbuf_text(&labels)), "no reason %s: %s", reason,
              outcome->run.down_error.text);
    strbuf_done(&labels);
}

static void expect_works(struct place *place, const char *path)
{
    struct outcome outcome = collect(place);
    cr_expect_not(outcome.run.down, "%s", outcome.run.down_error.text);
    expect(&outcome, "mounted", path, 1);
    expect(&outcome, "responding", path, 1);
    expect(&outcome, "stuck_seconds", path, 0);
    outcome_done(&outcome);
}

static void expect_missing(struct place *place, const char *path)
{
    struct outcome outcome = collect(place);
    cr_expect(outcome.run.down);
    cr_expect_eq(outcome.run.down_error.code, ERR_NOT_MOUNTED);
    expect(&outcome, "mounted", path, 0);
    expect_reason(&outcome, path, "not_mounted");
    cr_expect_null(find(&outcome, "responding", path, ""));
    cr_expect_null(find(&outcome, "size_bytes", path, ""));
    outcome_done(&outcome);
}

TestSuite(mount, .timeout = 60);

Test(mount, a_mount_that_works_tells_its_room_and_what_it_is)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, "size=1m,nr_inodes=50");
    option(&place, "path", place.path);
    open_only_target(&place);
    cr_expect_str_eq(place.targets.items[0].name, place.mount);
    struct outcome outcome = collect(&place);
    expect(&outcome, "mounted", place.mount, 1);
    expect(&outcome, "responding", place.mount, 1);
    expect(&outcome, "readonly", place.mount, 0);
    expect(&outcome, "stuck_seconds", place.mount, 0);
    expect(&outcome, "size_bytes", place.mount, 1 << 20);
    expect(&outcome, "avail_bytes", place.mount, 1 << 20);
    expect(&outcome, "files", place.mount, 50);
    expect(&outcome, "files_free", place.mount, 49);
    cr_expect(find(&outcome, "info", place.mount, ",filesystem=\"tmpfs\",source=\"nas\""));
    cr_expect(find(&outcome, "probe_duration_seconds", place.mount, ",operation=\"statfs\""));
    cr_expect(find(&outcome, "probe_duration_seconds", place.mount, ",operation=\"readdir\""));
    cr_expect_eq(report_worst(outcome.report->root), GRADE_OK);
    outcome_done(&outcome);
    place_done(&place);
}

Test(mount, a_configured_mount_that_is_not_there_is_missing_and_comes_back)
{
    struct place place;
    place_init(&place);
    configure(&place, place.mount, NULL);
    open_only_target(&place);
    expect_missing(&place, place.mount);
    mount_nas(&place, NULL);
    expect_works(&place, place.mount);
    cr_assert_eq(umount2(place.mount, MNT_DETACH), 0);
    expect_missing(&place, place.mount);
    place_done(&place);
}

Test(mount, a_mount_that_has_gone_is_missing_even_when_nobody_configured_it)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    option(&place, "path", place.path);
    open_only_target(&place);
    expect_works(&place, place.mount);
    cr_assert_eq(umount2(place.mount, MNT_DETACH), 0);
    expect_missing(&place, place.mount);
    mount_nas(&place, NULL);
    expect_works(&place, place.mount);
    place_done(&place);
}

Test(mount, a_mount_that_fstab_expects_is_missing_from_the_start)
{
    struct place place;
    place_init(&place);
    say_in_fstab(&place, place.mount);
    option(&place, "path", place.path);
    open_only_target(&place);
    cr_expect_str_eq(place.targets.items[0].name, place.mount);
    expect_missing(&place, place.mount);
    mount_nas(&place, NULL);
    expect_works(&place, place.mount);
    cr_assert_eq(umount2(place.mount, MNT_DETACH), 0);
    expect_missing(&place, place.mount);
    place_done(&place);
}

Test(mount, fstab_does_not_expect_a_repository_that_a_link_leads_elsewhere)
{
    struct place place;
    place_init(&place);
    say_in_fstab(&place, place.mount);
    option(&place, "path", place.path);
    cr_assert_eq(symlink(place.directory, place.path), 0);
    open_only_target(&place);
    expect_works(&place, place.directory);
    place_done(&place);
}

Test(mount, a_mount_that_comes_up_later_gives_its_name)
{
    struct place place;
    place_init(&place);
    option(&place, "path", place.path);
    open_only_target(&place);
    expect_works(&place, place.directory);
    mount_nas(&place, NULL);
    expect_works(&place, place.mount);
    place_done(&place);
}

Test(mount, a_symbolic_link_leads_to_the_mount_that_really_holds_the_repository)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    char *link = join(place.directory, "link");
    cr_assert_eq(symlink(place.path, link), 0);
    cr_assert_eq(mkdir(place.path, 0755), 0);
    option(&place, "path", link);
    open_only_target(&place);
    expect_works(&place, place.mount);
    cr_assert_eq(umount2(place.mount, MNT_DETACH), 0);
    expect_missing(&place, place.mount);
    free(link);
    place_done(&place);
}

Test(mount, a_configured_path_may_be_a_symbolic_link_to_the_mount_point)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    char *link = join(place.directory, "link");
    cr_assert_eq(symlink(place.mount, link), 0);
    configure(&place, link, NULL);
    open_only_target(&place);
    expect_works(&place, link);
    free(link);
    place_done(&place);
}

/* The folder is there and can be asked, but it is not what was to be mounted on it. */
Test(mount, a_configured_path_below_another_mount_is_not_mounted)
{
    struct place place;
    place_init(&place);
    configure(&place, place.path, NULL);
    open_only_target(&place);
    expect_missing(&place, place.path);
    mount_nas(&place, NULL);
    expect_missing(&place, place.path);
    cr_assert_eq(mkdir(place.path, 0755), 0);
    expect_missing(&place, place.path);
    place_done(&place);
}

Test(mount, another_type_than_the_configured_one_is_not_mounted)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    configure(&place, place.mount, "nfs");
    open_only_target(&place);
    expect_missing(&place, place.mount);
    place_done(&place);
}

Test(mount, a_mount_over_the_mount_counts)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, "size=1m");
    mount_nas(&place, "size=2m");
    configure(&place, place.mount, "tmpfs");
    open_only_target(&place);
    struct outcome outcome = collect(&place);
    expect(&outcome, "size_bytes", place.mount, 2 << 20);
    outcome_done(&outcome);
    place_done(&place);
}

Test(mount, a_read_only_mount_is_a_warning)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    cr_assert_eq(mount(NULL, place.mount, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    configure(&place, place.mount, NULL);
    open_only_target(&place);
    struct outcome outcome = collect(&place);
    expect(&outcome, "readonly", place.mount, 1);
    expect(&outcome, "responding", place.mount, 1);
    cr_expect_eq(report_worst(outcome.report->root), GRADE_WARNING);
    outcome_done(&outcome);
    place_done(&place);
}

Test(mount, a_mount_that_hangs_does_not_respond_until_it_answers_again)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    configure(&place, place.mount, NULL);
    open_only_target(&place);
    expect_works(&place, place.mount);
    order(&place, "hangs");
    double before = 0;
    for (int i = 0; i < 2; i++) {
        struct outcome outcome = collect_within(&place, 400);
        cr_assert(outcome.succeeded, "%s", outcome.err.text);
        cr_expect(outcome.run.down);
        expect(&outcome, "mounted", place.mount, 1);
        expect(&outcome, "responding", place.mount, 0);
        expect_reason(&outcome, place.mount, "stuck");
        cr_expect_null(find(&outcome, "size_bytes", place.mount, ""));
        const struct sample *stuck = find(&outcome, "stuck_seconds", place.mount, "");
        cr_expect_gt(stuck->value, before);
        before = stuck->value;
        outcome_done(&outcome);
    }
    order(&place, "");
    expect_works(&place, place.mount);
    cr_expect_eq(proc_pool_stuck(place.environment.pool), 0);
    place_done(&place);
}

Test(mount, a_second_outage_is_timed_from_its_own_begin)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    configure(&place, place.mount, NULL);
    open_only_target(&place);
    order(&place, "hangs");
    struct outcome first = collect_within(&place, 400);
    outcome_done(&first);
    order(&place, "");
    expect_works(&place, place.mount);
    order(&place, "hangs");
    int64_t begun_ms = clock_monotonic_ms();
    struct outcome second = collect_within(&place, 400);
    double most_s = (double)(clock_monotonic_ms() - begun_ms) / 1000;
    const struct sample *stuck = find(&second, "stuck_seconds", place.mount, "");
    cr_assert(stuck && stuck->value > 0);
    cr_expect_leq(stuck->value, most_s);
    outcome_done(&second);
    place_done(&place);
}

/* Who looks at it would wait for a daemon that is not there. */
Test(mount, what_is_mounted_on_access_is_not_touched)
{
    struct place place;
    struct strbuf options = {0};
    int ends[2];
    place_init(&place);
    cr_assert_eq(pipe(ends), 0);
    strbuf_printf(&options, "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", ends[1], getpgrp());
    if (mount("trigger", place.mount, "autofs", 0, strbuf_text(&options)) < 0)
        cr_skip_test("this kernel has no autofs");
    option(&place, "path", place.path);
    open_only_target(&place);
    struct outcome outcome = collect_within(&place, 2000);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    cr_expect_not(outcome.run.down);
    expect(&outcome, "mounted", place.mount, 0);
    cr_expect(find(&outcome, "info", place.mount, ",filesystem=\"autofs\",source=\"trigger\""));
    cr_expect_null(find(&outcome, "responding", place.mount, ""));
    cr_expect_eq(report_worst(outcome.report->root), GRADE_UNKNOWN);
    struct pollfd asked = {.fd = ends[0], .events = POLLIN};
    cr_expect_eq(poll(&asked, 1, 0), 0, "the kernel was asked to mount");
    outcome_done(&outcome);
    mount_nas(&place, NULL);
    expect_works(&place, place.mount);
    strbuf_done(&options);
    place_done(&place);
}

Test(mount, a_mount_that_hangs_from_the_start_does_not_respond)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    configure(&place, place.mount, NULL);
    order(&place, "hangs");
    open_only_target(&place);
    struct outcome outcome = collect_within(&place, 400);
    cr_assert(outcome.succeeded, "%s", outcome.err.text);
    expect(&outcome, "mounted", place.mount, 1);
    expect(&outcome, "responding", place.mount, 0);
    outcome_done(&outcome);
    order(&place, "");
    expect_works(&place, place.mount);
    place_done(&place);
}

Test(mount, a_stale_handle_is_told_at_once)
{
    struct place place;
    place_init(&place);
    mount_nas(&place, NULL);
    configure(&place, place.mount, NULL);
    order(&place, "stale");
    open_only_target(&place);
    struct outcome outcome = collect(&place);
    expect(&outcome, "mounted", place.mount, 1);
    expect(&outcome, "responding", place.mount, 0);
    expect(&outcome, "stuck_seconds", place.mount, 0);
    expect_reason(&outcome, place.mount, "stale");
    cr_expect_eq(outcome.run.down_error.code, ERR_STALE);
    outcome_done(&outcome);
    place_done(&place);
}

Test(mount, a_stop_is_no_outage)
{
    struct place place;
    int ends[2];
    place_init(&place);
    mount_nas(&place, NULL);
    configure(&place, place.mount, NULL);
    open_only_target(&place);
    expect_works(&place, place.mount);
    cr_assert_eq(pipe(ends), 0);
    close(ends[1]); /* readable: end of file */
    struct err err = {0};
    struct run run = {
        .sink = sink_new(collector_mount.metrics, collector_mount.metric_count, NULL),
        .report = report_new(),
        .bound = bound_after(20000, ends[0]),
        .target = &place.targets.items[0],
    };
    cr_expect_not(collector_mount.collect(place.state, &run, &err));
    cr_expect_eq(err.code, ERR_STOPPED);
    sink_free(run.sink);
    report_free(run.report);
    close(ends[0]);
    place_done(&place);
}

Test(mount, repositories_on_one_mount_are_one_target)
{
    struct place place;
    place_init(&place);
    struct stanza stanzas[2];
    struct stanza_repository other = place.repository;
    mount_nas(&place, NULL);
    option(&place, "path", place.path);
    struct err err;
    char *path = join(place.mount, "other");
    cr_assert(pair_list_add(&other.options, "path", path, &err));
    stanzas[0] = stanzas[1] = place.stanza;
    stanzas[1].repositories = &other;
    place.settings.stanzas = stanzas;
    place.settings.stanza_count = 2;
    find_targets(&place);
    cr_expect_eq(place.targets.count, 1);
    pair_list_done(&other.options);
    free(path);
    place_done(&place);
}

Test(mount, a_repository_elsewhere_is_no_target)
{
    struct place place;
    place_init(&place);
    place.repository.storage = "s3";
    find_targets(&place);
    cr_expect_eq(place.targets.count, 0);
    place.repository.storage = "posix";
    option(&place, "host", "backup.example");
    find_targets(&place);
    cr_expect_eq(place.targets.count, 0);
    place_done(&place);
}

Test(mount, another_type_in_the_configuration_is_another_target)
{
    struct place place;
    place_init(&place);
    configure(&place, place.mount, "nfs");
    find_targets(&place);
    struct target_list before = place.targets;
    place.targets = (struct target_list){0};
    find_targets(&place);
    cr_expect(target_is_same(&before.items[0], &place.targets.items[0]));
    configure(&place, place.mount, "tmpfs");
    find_targets(&place);
    cr_expect_not(target_is_same(&before.items[0], &place.targets.items[0]));
    target_list_done(&before);
    place_done(&place);
}

/* ---- the words ---- */

static const struct mount_entry nas = {
    .path = TEXT_OF("/mnt/nas"),
    .options = TEXT_OF("rw"),
    .filesystem = TEXT_OF("nfs4"),
    .source = TEXT_OF("nas:/volume1"),
    .super_options = TEXT_OF("rw,vers=4.2,hard"),
};

static const struct report_item *find_text(const struct report_item *item, const char *text)
{
    if ((item->text && strstr(item->text, text)) || (item->command && strstr(item->command, text)))
        return item;
    for (size_t i = 0; i < item->child_count; i++) {
        const struct report_item *found = find_text(item->children[i], text);
        if (found)
            return found;
    }
    return NULL;
}

static void expect_words(const struct mount_view *view, enum grade grade, const char *text)
{
    struct report *report = report_new();
    mount_report(report, view);
    cr_expect_not(report->failed);
    cr_expect_eq(report_worst(report->root), grade, "%s", text);
    cr_expect(find_text(report->root, text), "%s is not said", text);
    report_free(report);
}

Test(mount, each_situation_has_its_words_and_its_step)
{
    struct mount_view view = {.path = "/mnt/nas", .mount = &nas, .situation = MOUNT_SILENT};
    view.silent_since = 1700000000;
    err_set(&view.err, ERR_STUCK, "no answer");
    expect_words(&view, GRADE_FAILED, "does NOT respond since 2023-11-14 22:13 UTC: no answer");
    expect_words(&view, GRADE_FAILED, "dmesg");
    view.situation = MOUNT_BROKEN;
    err_set(&view.err, ERR_STALE, "statfs: stale");
    expect_words(&view, GRADE_FAILED, "sudo umount -l /mnt/nas && sudo mount /mnt/nas");
    view.situation = MOUNT_TRIGGER;
    expect_words(&view, GRADE_UNKNOWN, "on access (autofs)");
    view.situation = MOUNT_MISSING;
    expect_words(&view, GRADE_FAILED, "sudo mount /mnt/nas");
}

Test(mount, a_path_is_quoted_for_the_shell)
{
    struct mount_view view = {.path = "/mnt/a 'b';rm", .situation = MOUNT_MISSING};
    expect_words(&view, GRADE_FAILED, "sudo mount '/mnt/a '\\''b'\\'';rm'");
}

Test(mount, little_room_is_a_warning_and_none_a_failure)
{
    struct mount_view view = {.path = "/mnt/nas",
                              .mount = &nas,
                              .situation = MOUNT_WORKS,
                              .sizes_known = true,
                              .size_bytes = 100,
                              .avail_bytes = 5};
    expect_words(&view, GRADE_OK, "5 B of 100 B available");
    view.avail_bytes = 4;
    expect_words(&view, GRADE_WARNING, "it is nearly full");
    view.avail_bytes = 0;
    expect_words(&view, GRADE_FAILED, "it is full");
}

Test(mount, too_few_inodes_are_a_warning_and_none_a_failure)
{
    struct mount_view view = {.path = "/mnt/nas",
                              .mount = &nas,
                              .situation = MOUNT_WORKS,
                              .files_known = true,
                              .files = 100,
                              .files_free = 4};
    expect_words(&view, GRADE_WARNING, "it has few inodes left: no new file can be made soon");
    view.files_free = 0;
    expect_words(&view, GRADE_FAILED, "it has no inodes left: no new file can be made");
}

Test(mount, what_nfs_tells_is_shown)
{
    struct mount_view view = {.path = "/mnt/nas",
                              .mount = &nas,
                              .situation = MOUNT_WORKS,
                              .has_statistics = true,
                              .statistics = {.has_lease = true, .lease_expired_s = 84}};
    expect_words(&view, GRADE_OK, "over for 84 s");
    view.statistics.lease_expired_s = 0;
    expect_words(&view, GRADE_OK, "valid");
}
