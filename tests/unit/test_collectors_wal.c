#include "collectors/wal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collectors/settings.h"
#include "exporter/schedule/collector.h"

extern const struct collector collector_wal;

/* A text constant where the settings own theirs; nothing here frees it. */
#define TEXT_OF(text) ((char *)(uintptr_t)(text))

/*
 * pgbackrest's part is played by a script over a real folder, which notes what it was asked: the
 * tests count looks. That pgbackrest prints this is tested with the real one.
 */
static const char script[] =
    "#!/bin/sh\n"
    "cd '@'\n"
    "case $1 in\n"
    "repo-get) echo \"get $2\" >>calls; exec cat \"repo/$2\";;\n"
    "esac\n"
    "echo \"ls $3\" >>calls\n"
    "[ ! -e fail-at ] || [ \"$(cat fail-at)\" != \"$3\" ] || exit 49\n"
    "[ ! -e fail ] || { echo 'ERROR: [049]: unable to connect' >&2; exit 49; }\n"
    "printf '{\".\":{\"type\":\"path\"}'\n"
    "for file in \"repo/$3\"/*; do\n"
    "  [ -e \"$file\" ] || continue\n"
    "  [ ! -d \"$file\" ] || { printf ',\"%s\":{\"type\":\"path\"}' \"${file##*/}\"; continue; }\n"
    "  printf ',\"%s\":{\"type\":\"file\",\"size\":%s,\"time\":1000}' \"${file##*/}\" "
    "\"$(wc -c <\"$file\")\"\n"
    "done\n"
    "echo '}'\n";

static char directory[] = "/tmp/test_collectors_wal_XXXXXX";
static struct stanza stanza;
static struct stanza_repository repository;
static struct collector_settings own_settings[2]; /* and wal-verify */
static struct settings settings;
static struct environment environment;
static struct target_list targets;
static void *state;

/* What one look brought. */
static struct run run;
static struct sample_set *samples;
static bool succeeded;
static struct err err;

static char *path_in(const char *name)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", directory, name);
    return strbuf_steal(&path);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char *path = path_in(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    free(path);
}

static void make_folder(const char *name)
{
    char *path = path_in(name);
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
    free(path);
}

static void remove_path(const char *name)
{
    char *path = path_in(name);
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/rm", "rm", "-rf", path, (char *)NULL);
        _exit(1);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    free(path);
}

#define CHECKSUM "-a1eb0ce668d587215d549943beb2f4bbe19e96f8.gz"
#define ARCHIVE  "repo/archive/main/15-1/"
#define BACKUP   "repo/backup/main/"

static void store(const char *folder, const char *segment)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, ARCHIVE "%s", folder);
    make_folder(strbuf_text(&name));
    strbuf_printf(&name, "/%s%s" CHECKSUM, folder, segment);
    write_file(strbuf_text(&name), "x", 0600);
}

static void add_backup(const char *label)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, BACKUP "%s", label);
    make_folder(strbuf_text(&name));
    strbuf_puts(&name, "/backup.manifest");
    write_file(strbuf_text(&name), "x", 0600);
}

static void install(void)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    const char *mark = strchr(script, '@');
    strbuf_add(&text, script, (size_t)(mark - script));
    strbuf_printf(&text, "%s%s", directory, mark + 1);
    write_file("pgbackrest", strbuf_text(&text), 0700);
}

static void begin(void)
{
    static const struct proc_limits limits = {.at_once = 2, .stuck = 4};
    cr_assert(mkdtemp(directory));
    install();
    make_folder(BACKUP "backup.history");
    stanza = (struct stanza){
        .name = TEXT_OF("main"), .repositories = &repository, .repository_count = 1};
    repository = (struct stanza_repository){
        .stanza = &stanza, .key = 2, .name = TEXT_OF("r2"), .storage = "posix", .cipher = "none"};
    settings = (struct settings){
        .stanzas = &stanza, .stanza_count = 1, .collectors = own_settings, .collector_count = 1};
    own_settings[0] = (struct collector_settings){.name = "wal"};
    settings.pgbackrest.command = path_in("pgbackrest");
    environment = (struct environment){proc_pool_new(&limits), &settings};
    cr_assert(collector_wal.targets(&settings, &targets, &err));
    cr_assert_eq(targets.count, 1);
    cr_assert(collector_wal.open(&environment, &targets.items[0], &state, &err));
}

static void forget_run(void)
{
    if (run.observation)
        run.observation_free(run.observation);
    report_free(run.report);
    sample_set_free(samples);
    samples = NULL;
    run = (struct run){0};
}

static void end(void)
{
    forget_run();
    collector_wal.close(state);
    target_list_done(&targets);
    proc_pool_free(environment.pool);
    free(settings.pgbackrest.command);
    remove_path("");
}

TestSuite(collectors_wal, .init = begin, .fini = end);

static const struct wal_observation *look(void)
{
    struct err refused = {0};
    forget_run();
    remove_path("calls");
    run = (struct run){
        .sink =
            sink_new(collector_wal.metrics, collector_wal.metric_count, targets.items[0].labels),
        .report = report_new(),
        .bound = bound_after(20000, -1),
        .target = &targets.items[0],
    };
    err = (struct err){0};
    succeeded = collector_wal.collect(state, &run, &err);
    cr_assert(sink_finish(run.sink, &samples, &refused, &(struct err){0}));
    sink_free(run.sink);
    return run.observation;
}

/* The value of a series, or -1. */
static double value(const char *name)
{
    struct strbuf series CLEANUP(strbuf_done) = {0};
    strbuf_printf(&series, "%s{stanza=\"main\",repo_key=\"2\"}", name);
    for (size_t i = 0; i < samples->count; i++) {
        if (strcmp(samples->items[i].series, strbuf_text(&series)) == 0)
            return samples->items[i].value;
    }
    return -1;
}

/* How often the script was asked for this. */
static int calls(const char *what)
{
    char *path = path_in("calls");
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    int count = 0;
    while (file && getline(&line, &size, file) > 0)
        count += strncmp(line, what, strlen(what)) == 0 && line[strlen(what)] == '\n';
    free(line);
    if (file)
        fclose(file);
    free(path);
    return count;
}

Test(collectors_wal, what_lies_in_the_repository_is_observed)
{
    store("0000000100000000", "00000002");
    store("0000000100000000", "00000003");
    add_backup("20261122-220046F");
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_assert(seen && seen->readable);
    cr_expect_eq(seen->database_id, 1);
    cr_expect(seen->archive_listed);
    cr_assert_eq(seen->folder_count, 1);
    cr_expect_str_eq(seen->folders[0].label, "20261122-220046F");
    cr_expect_eq(seen->folders[0].state, FOLDER_COMPLETE);
    cr_expect_eq(seen->folders[0].changed_at, 1000);
    cr_expect_eq(value("pgbackrest_wal_segments"), 2);
    cr_expect_eq(value("pgbackrest_wal_listed"), 1);
}

/* mount.path is the test's own folder, where nothing is mounted. */
static void expect_mount(void)
{
    static struct repository_settings own;
    own.mount_path = directory;
    repository.settings = &own;
    collector_wal.close(state);
    cr_assert(collector_wal.open(&environment, &targets.items[0], &state, &err));
}

Test(collectors_wal, a_repository_that_has_files_is_listed_even_if_it_should_be_on_a_mount)
{
    expect_mount();
    store("0000000100000000", "00000002");
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_expect(seen->readable);
    cr_expect_eq(value("pgbackrest_wal_segments"), 1);
}

Test(collectors_wal, a_repository_that_goes_with_its_mount_keeps_what_was_known)
{
    expect_mount();
    store("0000000100000000", "00000002");
    add_backup("20261122-220046F");
    cr_assert(look()->readable);
    remove_path("repo");
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_expect_not(seen->readable);
    cr_expect_eq(seen->folder_count, 1);
    cr_expect_gt(seen->listed_at, 0);
    cr_expect_eq(wal_archive_count(&seen->archive), 1);
}

Test(collectors_wal, a_repository_whose_mount_is_missing_is_not_listed_as_one_that_lost_all)
{
    expect_mount();
    remove_path("repo");
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_assert(seen && !seen->readable);
    cr_expect_eq(seen->reason, ERR_NOT_MOUNTED);
    cr_expect_eq(seen->listed_at, 0);
    cr_expect_eq(calls("ls archive/main"), 0);
    cr_expect_eq(value("pgbackrest_wal_segments"), -1);
    cr_expect(strstr(run.down_error.text, directory), "%s", run.down_error.text);
}

Test(collectors_wal, a_repository_that_is_not_where_it_was_has_not_lost_everything)
{
    store("0000000100000000", "00000001");
    add_backup("20261122-220046F");
    cr_assert(look()->readable);
    remove_path("repo");
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_assert(seen && !seen->readable);
    cr_expect_eq(seen->reason, ERR_MISSING_STANZA_PATH);
    cr_expect_eq(seen->folder_count, 1);
    cr_expect_eq(wal_archive_count(&seen->archive), 1);
    cr_expect_eq(value("pgbackrest_wal_segments"), -1);
}

Test(collectors_wal, a_stanza_without_backups_and_wal_is_an_answer)
{
    remove_path("repo");
    make_folder("repo/backup/main");
    write_file(BACKUP "backup.info", "", 0600);
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_assert(seen && seen->readable);
    cr_expect_eq(seen->database_id, 0);
    cr_expect(seen->archive_listed);
    cr_expect_eq(seen->folder_count, 0);
    cr_expect_eq(value("pgbackrest_wal_segments"), 0);
}

Test(collectors_wal, a_closed_folder_without_holes_is_listed_once)
{
    store("0000000100000000", "00000003");
    store("0000000100000001", "00000000");
    store("0000000100000001", "00000001");
    store("0000000100000001", "00000002");
    store("0000000100000001", "00000003");
    store("0000000100000002", "00000000");
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 0);
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000000"), 1, "expire begins at the oldest");
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000002"), 1, "the newest grows");
    cr_expect_eq(value("pgbackrest_wal_segments"), 6);
}

Test(collectors_wal, a_folder_with_a_hole_is_listed_at_each_look)
{
    store("0000000100000000", "00000002");
    store("0000000100000000", "00000004");
    store("0000000100000001", "00000000");
    look();
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000000"), 1);
}

/* Segments first to last of timeline 1. */
static void store_range(uint32_t log, uint32_t first, uint32_t last)
{
    struct strbuf folder CLEANUP(strbuf_done) = {0};
    strbuf_printf(&folder, "00000001%08X", log);
    for (uint32_t i = first; i <= last; i++) {
        struct strbuf digits CLEANUP(strbuf_done) = {0};
        strbuf_printf(&digits, "%08X", i);
        store(strbuf_text(&folder), strbuf_text(&digits));
    }
}

static void remove_segment(const char *folder, const char *segment)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, ARCHIVE "%s/%s%s" CHECKSUM, folder, folder, segment);
    remove_path(strbuf_text(&name));
}

/* Three logs of four segments each, all closed and seen, and one that is written. */
static void settle(void)
{
    for (uint32_t log = 0; log < 3; log++)
        store_range(log, 0, 3);
    store_range(3, 0, 0);
    look();
    look();
    cr_assert_eq(calls("ls archive/main/15-1/0000000100000001"), 0);
}

Test(collectors_wal, a_folder_that_ended_is_listed_to_its_end)
{
    store_range(0, 0, 3);
    store_range(1, 0, 3); /* of eight, which nobody can know */
    look();
    store_range(1, 4, 7);
    store_range(2, 0, 0);
    const struct wal_observation *seen = look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
    cr_expect_eq(wal_archive_count(&seen->archive), 13);
}

Test(collectors_wal, what_a_closed_folder_lacks_at_its_end_is_looked_for_twice)
{
    store_range(0, 0, 3);
    store_range(1, 0, 2);
    store_range(2, 0, 0);
    look();
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
}

Test(collectors_wal, when_a_backup_goes_folders_are_listed_again_and_once_more)
{
    add_backup("20261122-220046F");
    settle();
    remove_path(BACKUP "20261122-220046F");
    const struct wal_observation *seen = look();
    cr_expect_eq(seen->folder_count, 0);
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1, "expire may take its time");
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 0);
}

Test(collectors_wal, a_backup_that_comes_takes_no_wal_away)
{
    settle();
    add_backup("20261122-220046F");
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 0);
}

Test(collectors_wal, when_the_archives_begin_goes_folders_are_listed_again)
{
    settle();
    remove_path(ARCHIVE "0000000100000000");
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000002"), 1);
}

Test(collectors_wal, when_the_first_segments_go_the_next_look_lists_all_again)
{
    settle();
    remove_segment("0000000100000000", "00000000");
    look();
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000002"), 1);
}

Test(collectors_wal, archive_retention_takes_wal_when_a_backup_was_made)
{
    static struct text_pair items[] = {{TEXT_OF("retention-archive"), TEXT_OF("1")}};
    repository.options = (struct pair_list){items, 1};
    settle();
    write_file(BACKUP "backup.info", "[backup:current]\n", 0600);
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
    repository.options = (struct pair_list){0};
}

Test(collectors_wal, each_folder_has_its_turn_within_wal_verify)
{
    own_settings[1].interval_s = 1e-9;
    collector_wal.close(state);
    cr_assert(collector_wal.open(&environment, &targets.items[0], &state, &err));
    for (uint32_t log = 0; log < 3; log++)
        store_range(log, 0, 3);
    look();
    look();
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1);
    own_settings[1].interval_s = 0;
}

Test(collectors_wal, another_pace_is_another_target)
{
    struct target_list other CLEANUP(target_list_done) = {0};
    own_settings[1].interval_s = 7200;
    cr_assert(collector_wal.targets(&settings, &other, &err));
    cr_expect_not(target_is_same(&targets.items[0], &other.items[0]));
    own_settings[1].interval_s = 0;
    target_list_done(&other);
    cr_assert(collector_wal.targets(&settings, &other, &err));
    cr_expect(target_is_same(&targets.items[0], &other.items[0]));
}

Test(collectors_wal, a_segment_that_goes_is_looked_for_once_more)
{
    settle();
    remove_segment("0000000100000000", "00000001");
    const struct wal_observation *seen = look();
    struct wal_archive archive = seen->archive;
    archive.segment_size = (uint64_t)1 << 30;
    cr_expect(wal_archive_is_first_sight(&archive, &(struct wal_segment){1, 1}));
    archive = look()->archive;
    archive.segment_size = (uint64_t)1 << 30;
    cr_expect_eq(wal_archive_state(&archive, &(struct wal_segment){1, 1}), WAL_MISSING);
    cr_expect_not(wal_archive_is_first_sight(&archive, &(struct wal_segment){1, 1}));
}

Test(collectors_wal, folders_with_holes_do_not_keep_others_from_their_turn)
{
    for (uint32_t log = 0; log < 70; log++) {
        store_range(log, 0, 0);
        store_range(log, 3, 3);
    }
    look();
    look();
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 0, "it has to wait");
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000001"), 1, "but not for ever");
}

Test(collectors_wal, a_history_that_cannot_be_understood_hides_nothing_else)
{
    store("0000000200000000", "00000002");
    write_file(ARCHIVE "00000002.history", "nonsense\n", 0600);
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_expect_null(wal_observation_history(seen, 2));
    cr_assert_eq(seen->history_count, 1);
    cr_expect(seen->histories[0].broken);
    cr_expect_eq(seen->histories[0].timeline.id, 2);
    cr_expect_eq(wal_archive_count(&seen->archive), 1);
}

Test(collectors_wal, a_look_that_fails_half_way_changes_nothing_that_is_known)
{
    store("0000000100000000", "00000002");
    add_backup("20261122-220046F");
    cr_assert(look()->readable);
    remove_path(BACKUP "20261122-220046F");
    write_file("fail-at", "archive/main", 0600);
    const struct wal_observation *seen = look();
    cr_assert(seen && !seen->readable);
    cr_expect_eq(seen->folder_count, 1);
}

Test(collectors_wal, a_mount_that_goes_while_it_is_listed_leaves_what_was_known)
{
    expect_mount();
    store("0000000100000000", "00000002");
    cr_assert(look()->readable);
    remove_path("repo/archive");
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_expect_not(seen->readable);
    cr_expect_eq(wal_archive_count(&seen->archive), 1);
}

Test(collectors_wal, labels_are_in_order_in_whatever_order_they_came)
{
    add_backup("20261123-220046F");
    look();
    add_backup("20261122-220046F");
    add_backup("20261123-220046F_20261124-000000I");
    const struct wal_observation *seen = look();
    cr_assert_eq(seen->folder_count, 3);
    cr_expect_str_eq(seen->folders[0].label, "20261122-220046F");
    cr_expect_str_eq(seen->folders[2].label, "20261123-220046F_20261124-000000I");
}

Test(collectors_wal, a_manifest_that_is_missing_is_looked_for_twice)
{
    make_folder(BACKUP "20261122-220046F");
    cr_expect_not(look()->folders[0].twice);
    cr_expect(look()->folders[0].twice);
}

Test(collectors_wal, the_newest_folder_of_each_timeline_is_listed)
{
    store("0000000100000000", "00000002");
    store("0000000200000000", "00000002");
    look();
    look();
    cr_expect_eq(calls("ls archive/main/15-1/0000000100000000"), 1);
    cr_expect_eq(calls("ls archive/main/15-1/0000000200000000"), 1);
}

Test(collectors_wal, a_folder_that_is_gone_is_forgotten)
{
    store("0000000100000000", "00000002");
    store("0000000100000001", "00000000");
    look();
    remove_path(ARCHIVE "0000000100000000");
    look();
    cr_expect_eq(value("pgbackrest_wal_segments"), 1);
}

Test(collectors_wal, a_history_file_is_read_once)
{
    store("0000000200000000", "00000002");
    write_file(ARCHIVE "00000002.history", "1\t0/3000148\tx\n", 0600);
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_assert(wal_observation_history(seen, 2));
    cr_expect_eq(wal_observation_history(seen, 2)->count, 1);
    cr_expect_null(wal_observation_history(seen, 1));
    seen = look();
    cr_expect_eq(calls("get archive/main/15-1/00000002.history"), 0);
    cr_expect(wal_observation_history(seen, 2));
    write_file(ARCHIVE "00000002.history", "1\t0/4000148\tother\n", 0600);
    seen = look();
    cr_expect_eq(wal_observation_history(seen, 2)->ancestors[0].lsn, 0x4000148);
    remove_path(ARCHIVE "00000002.history");
    cr_expect_null(wal_observation_history(look(), 2));
}

Test(collectors_wal, a_new_database_takes_the_place_of_the_old_one)
{
    store("0000000100000000", "00000002");
    look();
    make_folder("repo/archive/main/16-2/0000000100000000");
    const struct wal_observation *seen = look();
    cr_expect_eq(seen->database_id, 2);
    cr_expect_eq(value("pgbackrest_wal_segments"), 0);
}

Test(collectors_wal, a_folder_without_a_manifest_is_incomplete_until_it_has_one)
{
    make_folder(BACKUP "20261122-220046F");
    write_file(BACKUP "20261122-220046F/backup.manifest.copy", "x", 0600);
    cr_expect_eq(look()->folders[0].state, FOLDER_INCOMPLETE);
    add_backup("20261122-220046F");
    cr_expect_eq(look()->folders[0].state, FOLDER_COMPLETE);
    look();
    cr_expect_eq(calls("ls backup/main/20261122-220046F"), 0, "a whole one is looked into once");
}

Test(collectors_wal, backups_that_carry_their_wal_are_known)
{
    add_backup("20261122-220046F");
    write_file(BACKUP "backup.info",
               "[backup:current]\n20261122-220046F={\"option-archive-copy\":true}\n", 0600);
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_expect(seen->folders[0].archive_copy);
    look();
    cr_expect_eq(calls("get backup/main/backup.info"), 0);
}

Test(collectors_wal, a_repository_that_is_down_is_an_answer_and_keeps_what_was_seen)
{
    store("0000000100000000", "00000002");
    double listed_at = look()->listed_at;
    write_file("fail", "", 0600);
    const struct wal_observation *seen = look();
    cr_assert(succeeded, "%s", err.text);
    cr_expect(run.down);
    cr_assert(seen);
    cr_expect_not(seen->readable);
    cr_expect_eq(seen->listed_at, listed_at);
    cr_expect_eq(wal_archive_count(&seen->archive), 1);
    cr_expect_eq(value("pgbackrest_wal_listed"), 0);
}

Test(collectors_wal, every_metric_passes_the_lint)
{
    for (size_t i = 0; i < collector_wal.metric_count; i++)
        cr_expect(metric_desc_check(&collector_wal.metrics[i], &err), "%s", err.text);
}
