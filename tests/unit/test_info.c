#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/info.h"
#include "exporter/base/strbuf.h"

#define FIXTURES "tests/fixtures/info/"

static char *load(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s is not there: run the tests from the root", path);
    struct strbuf text = {0};
    char chunk[4096];
    for (size_t count = 0; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        strbuf_add(&text, chunk, count);
    fclose(file);
    *ret_length = text.length;
    strbuf_putc(&text, '\0');
    return strbuf_steal(&text);
}

static struct info *parse_fixture(const char *name)
{
    struct strbuf path = {0};
    strbuf_printf(&path, FIXTURES "%s", name);
    size_t length = 0;
    char *text = load(strbuf_text(&path), &length);
    struct info *info = NULL;
    struct err err = {0};
    cr_assert(info_parse(text, length, &info, &err), "%s: %s", name, err.text);
    free(text);
    strbuf_done(&path);
    return info;
}

static struct info *parse(const char *text)
{
    struct info *info = NULL;
    struct err err = {0};
    cr_assert(info_parse(text, strlen(text), &info, &err), "%s", err.text);
    return info;
}

static struct err refuse(const char *text)
{
    struct info *info = NULL;
    struct err err = {0};
    cr_assert_not(info_parse(text, strlen(text), &info, &err), "accepted %s", text);
    cr_assert_null(info);
    return err;
}

/* A stanza with one backup whose members are `backup`. */
static char *with_backup(const char *backup)
{
    struct strbuf text = {0};
    strbuf_printf(&text,
                  "[{\"name\":\"main\",\"status\":{\"code\":0,\"message\":\"ok\"},"
                  "\"backup\":[{%s}]}]",
                  backup);
    return strbuf_steal(&text);
}

#define ORIGIN "\"database\":{\"id\":1,\"repo-key\":1}"
#define TIMES  "\"timestamp\":{\"start\":100,\"stop\":160}"
#define LABEL  "\"label\":\"20261122-155344F\",\"type\":\"full\""

static const char *const versions[] = {"2.45", "2.55.1", "2.60.0"};

Test(info, every_recorded_catalogue_of_every_version_is_read)
{
    glob_t found;
    cr_assert_eq(glob(FIXTURES "*/*.json", 0, NULL, &found), 0);
    size_t catalogues = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (strstr(found.gl_pathv[i], "repo2-no-credentials"))
            continue;
        info_unref(parse_fixture(found.gl_pathv[i] + strlen(FIXTURES)));
        catalogues++;
    }
    globfree(&found);
    cr_expect_geq(catalogues, 70);
}

Test(info, all_that_a_sound_catalogue_says_is_there)
{
    struct info *info = parse_fixture("2.60.0/both.json");
    const struct info_stanza *stanza = info_find_stanza(info, "main");
    cr_assert_not_null(stanza);
    cr_expect_eq(stanza->status.code, INFO_OK);
    cr_expect_not(stanza->lock.held);
    cr_assert_eq(stanza->repository_count, 2);
    cr_expect_str_eq(info_find_repository(stanza, 2)->cipher, "none");
    cr_expect_null(info_find_repository(stanza, 3));
    cr_assert_eq(stanza->archive_count, 2);
    cr_expect_str_eq(stanza->archives[0].id, "18-1");
    cr_expect_str_eq(stanza->archives[0].max, "000000010000000000000013");
    cr_expect_null(stanza->archives[1].max);
    const struct info_database *database = info_current_database(stanza, 1);
    cr_assert_not_null(database);
    cr_expect_eq(database->system_id, UINT64_C(7711023956927461126));
    cr_expect_str_eq(database->version, "18");
    info_unref(info);
}

Test(info, all_that_is_said_of_a_backup_is_there)
{
    struct info *info = parse_fixture("2.60.0/both.json");
    const struct info_stanza *stanza = &info->stanzas[0];
    cr_assert_eq(stanza->backup_count, 5);
    const struct info_backup *backup = &stanza->backups[2];
    cr_expect_str_eq(backup->label, "20261122-155344F_20261122-155419I");
    cr_expect_str_eq(backup->type, "incr");
    cr_expect_eq(backup->repo_key, 1);
    cr_expect_eq(backup->database_id, 1);
    cr_expect_eq(backup->start, 1795362859);
    cr_expect_eq(backup->stop, 1795362876);
    cr_expect_str_eq(backup->archive_start, "000000010000000000000010");
    cr_expect_str_eq(backup->archive_stop, "000000010000000000000010");
    cr_expect_eq(backup->size_bytes, 122776895);
    cr_expect_eq(backup->delta_bytes, 92078340);
    cr_expect_eq(backup->repo_size_bytes, 48181974);
    cr_expect_eq(backup->repo_delta_bytes, 44178783);
    cr_expect_eq(backup->damage, INFO_DAMAGE_NONE);
    cr_expect_str_eq(backup->prior, "20261122-155344F");
    cr_assert_eq(backup->reference_count, 1);
    cr_expect_str_eq(backup->references[0], "20261122-155344F");
    cr_expect_null(stanza->backups[0].prior);
    cr_expect_eq(stanza->backups[0].reference_count, 0);
    info_unref(info);
}

Test(info, a_running_backup_holds_the_lock_and_says_how_far_it_is_since_2_48)
{
    struct info *older = parse_fixture("2.45/running-repo1.json");
    cr_expect(older->stanzas[0].lock.held);
    cr_expect_eq(older->stanzas[0].lock.total_bytes, INFO_SIZE_UNKNOWN);
    info_unref(older);

    struct info *newer = parse_fixture("2.60.0/running-repo1.json");
    cr_expect(newer->stanzas[0].lock.held);
    cr_expect_eq(newer->stanzas[0].lock.total_bytes, 122776635);
    cr_expect_eq(newer->stanzas[0].lock.complete_bytes, 0);
    info_unref(newer);
}

Test(info, a_broken_repository_keeps_its_code_and_its_whole_message)
{
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct strbuf name = {0};
        strbuf_printf(&name, "%s/repo2-wrong-secret.json", versions[i]);
        struct info *info = parse_fixture(strbuf_text(&name));
        const struct info_repository *repository = info_find_repository(&info->stanzas[0], 2);
        cr_expect_eq(repository->status.code, INFO_OTHER);
        cr_expect(strstr(repository->status.message, "<Code>SignatureDoesNotMatch</Code>"));
        info_unref(info);
        strbuf_done(&name);
    }
}

Test(info, warnings_before_the_json_are_told_apart_from_it)
{
    static const char output[] = "P00   WARN: environment contains invalid option 'bogus'\n[]";
    cr_expect_eq(info_message_length(output, strlen(output)), strlen(output) - 2);
    struct info *info = parse(output);
    cr_expect_eq(info->stanza_count, 0);
    info_unref(info);
}

Test(info, output_without_json_is_all_message)
{
    static const char output[] = "P00  ERROR: [037]: info command requires option: repo2-s3-key\n";
    cr_expect_eq(info_message_length(output, strlen(output)), strlen(output));
    cr_expect_eq(info_message_length("", 0), 0);
    struct err err = refuse(output);
    cr_expect_eq(err.code, ERR_PROTOCOL);
    cr_expect_str_eq(err.text, "pgbackrest info printed no JSON");
    cr_expect_str_eq(refuse("").text, "pgbackrest info printed no JSON");
}

Test(info, a_bracket_inside_a_message_line_does_not_begin_the_json)
{
    static const char output[] = "P00  ERROR: [037]: no [\n[]";
    cr_expect_eq(info_message_length(output, strlen(output)), strlen(output) - 2);
}

Test(info, cut_at_every_byte_it_is_refused_and_never_crashes)
{
    size_t length = 0;
    char *text = load(FIXTURES "2.60.0/running-both.json", &length);
    for (size_t cut = 0; cut < length; cut++) {
        char *part = malloc(cut ? cut : 1);
        memcpy(part, text, cut);
        struct info *info = NULL;
        struct err err = {0};
        cr_expect_not(info_parse(part, cut, &info, &err), "cut at %zu is accepted", cut);
        cr_expect_eq(err.code, ERR_PROTOCOL);
        free(part);
    }
    free(text);
}

Test(info, any_byte_changed_never_crashes)
{
    static const char replacements[] = {'\0', '\xff', '\x1b', '"', '[', '}', '9', '\\'};
    size_t length = 0;
    char *text = load(FIXTURES "2.60.0/repo1-only.json", &length);
    for (size_t at = 0; at < length; at++) {
        char original = text[at];
        for (size_t i = 0; i < sizeof replacements; i++) {
            struct info *info = NULL;
            struct err err = {0};
            text[at] = replacements[i];
            if (info_parse(text, length, &info, &err))
                info_unref(info);
            else
                cr_expect_eq(err.code, ERR_PROTOCOL);
        }
        text[at] = original;
    }
    free(text);
}

Test(info, raw_bytes_in_a_message_are_repaired)
{
    struct info *info = parse("[{\"name\":\"m\",\"status\":{\"code\":99,\"message\":\"a\xff\x1b"
                              "b\"}}]");
    cr_expect_str_eq(info->stanzas[0].status.message, "a\xef\xbf\xbd\x1b"
                                                      "b");
    info_unref(info);
}

Test(info, an_error_names_the_path_of_the_field)
{
    static const struct {
        const char *backup, *text;
    } cases[] = {
        {LABEL "," ORIGIN ",\"timestamp\":{\"start\":1,\"stop\":\"x\"}",
         "[0].backup[0].timestamp.stop"},
        {LABEL "," TIMES, "[0].backup[0].database"},
        {ORIGIN "," TIMES, "[0].backup[0].label"},
        {LABEL "," ORIGIN "," TIMES ",\"error\":1", "[0].backup[0].error"},
        {LABEL "," ORIGIN "," TIMES ",\"reference\":[1]", "[0].backup[0].reference[0]"},
        {LABEL "," ORIGIN "," TIMES ",\"info\":{\"repository\":{\"delta\":[]}}",
         "[0].backup[0].info.repository.delta"},
        {LABEL "," ORIGIN "," TIMES ",\"archive\":{\"start\":1}", "[0].backup[0].archive.start"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = with_backup(cases[i].backup);
        struct err err = refuse(text);
        cr_expect_eq(err.code, ERR_PROTOCOL);
        cr_expect(strstr(err.text, cases[i].text), "%s does not name %s", err.text, cases[i].text);
        free(text);
    }
}

Test(info, values_of_a_wrong_kind_are_refused)
{
    static const char *const cases[] = {
        "[1]",
        "[{\"name\":1,\"status\":{\"code\":0}}]",
        "[{\"name\":\"m\",\"status\":0}]",
        "[{\"name\":\"m\",\"status\":{\"code\":\"0\"}}]",
        "[{\"name\":\"m\",\"status\":{\"code\":0},\"repo\":{}}]",
        "[{\"name\":\"m\",\"status\":{\"code\":0},\"repo\":[{\"key\":1}]}]",
        "[{\"name\":\"m\",\"status\":{\"code\":0},\"db\":[{\"id\":1}]}]",
        "[{\"name\":\"m\",\"status\":{\"code\":0},\"archive\":[{\"id\":\"1-1\"}]}]",
        "[{\"name\":\"m\",\"status\":{\"code\":0,\"lock\":{\"backup\":{\"held\":1}}}}]",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cr_expect_eq(refuse(cases[i]).code, ERR_PROTOCOL);
}

Test(info, numbers_that_no_backup_has_are_refused)
{
    static const struct {
        const char *backup, *text;
    } cases[] = {
        {"\"timestamp\":{\"start\":-1,\"stop\":1}", "start of a backup is out of range: -1"},
        {"\"timestamp\":{\"start\":1,\"stop\":253402300800}", "stop of a backup is out of range"},
        {"\"timestamp\":{\"start\":1,\"stop\":9223372036854775807}", "stop of a backup"},
        {TIMES ",\"info\":{\"size\":-2}", "size of a backup is out of range: -2"},
        {TIMES ",\"info\":{\"repository\":{\"delta\":9223372036854775807}}", "delta of a backup"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct strbuf backup CLEANUP(strbuf_done) = {0};
        strbuf_printf(&backup, "%s,%s,%s", LABEL, ORIGIN, cases[i].backup);
        char *text = with_backup(strbuf_text(&backup));
        struct err err = refuse(text);
        cr_expect_eq(err.code, ERR_PROTOCOL);
        cr_expect(strstr(err.text, cases[i].text), "%s does not say %s", err.text, cases[i].text);
        free(text);
    }
}

Test(info, fields_and_codes_it_does_not_know_are_passed_over_or_on)
{
    struct info *info = parse("[{\"name\":\"m\",\"news\":[{}],\"status\":{\"code\":4711}}]");
    cr_expect_eq(info->stanzas[0].status.code, 4711);
    cr_expect_str_eq(info->stanzas[0].status.message, "");
    cr_expect_eq(info->stanzas[0].backup_count, 0);
    info_unref(info);
}

Test(info, a_block_incremental_backup_has_no_stored_size)
{
    char *text = with_backup(
        LABEL "," ORIGIN "," TIMES
              ",\"info\":{\"size\":9,\"delta\":8,\"repository\":{\"delta\":7,\"delta-map\":1}}");
    struct info *info = parse(text);
    const struct info_backup *backup = &info->stanzas[0].backups[0];
    cr_expect_eq(backup->size_bytes, 9);
    cr_expect_eq(backup->repo_size_bytes, INFO_SIZE_UNKNOWN);
    cr_expect_eq(backup->repo_delta_bytes, 7);
    info_unref(info);
    free(text);
}

Test(info, the_maps_of_block_incremental_have_sizes_of_their_own)
{
    char *text = with_backup(LABEL "," ORIGIN "," TIMES
                                   ",\"info\":{\"repository\":{\"size-map\":3,\"delta-map\":1}}");
    struct info *info = parse(text);
    cr_expect_eq(info->stanzas[0].backups[0].repo_size_map_bytes, 3);
    cr_expect_eq(info->stanzas[0].backups[0].repo_delta_map_bytes, 1);
    info_unref(info);
    free(text);
}

Test(info, annotations_are_counted)
{
    char *text =
        with_backup(LABEL "," ORIGIN "," TIMES ",\"annotation\":{\"a\":\"1\",\"b\":\"2\"}");
    struct info *info = parse(text);
    cr_expect_eq(info->stanzas[0].backups[0].annotation_count, 2);
    info_unref(info);
    free(text);
}

Test(info, what_made_a_backup_and_between_which_positions_is_told)
{
    struct info *info = parse_fixture("2.60.0/both.json");
    const struct info_backup *backup = &info->stanzas[0].backups[1];
    cr_expect_str_eq(backup->pgbackrest_version, "2.60.0");
    cr_expect_str_eq(backup->lsn_start, "0/9000028");
    cr_expect_str_eq(backup->lsn_stop, "0/E86AFB8");
    cr_expect_eq(backup->annotation_count, 0);
    cr_expect_eq(backup->repo_size_map_bytes, INFO_SIZE_UNKNOWN);
    info_unref(info);
}

Test(info, an_offline_backup_names_no_wal)
{
    char *text =
        with_backup(LABEL "," ORIGIN "," TIMES ",\"archive\":{\"start\":null,\"stop\":null}");
    struct info *info = parse(text);
    cr_expect_null(info->stanzas[0].backups[0].archive_start);
    cr_expect_null(info->stanzas[0].backups[0].archive_stop);
    info_unref(info);
    free(text);
}

Test(info, page_checksum_errors_are_known_unknown_or_none)
{
    static const struct {
        const char *backup;
        enum info_damage damage;
    } cases[] = {
        {LABEL "," ORIGIN "," TIMES, INFO_DAMAGE_UNKNOWN},
        {LABEL "," ORIGIN "," TIMES ",\"error\":null", INFO_DAMAGE_UNKNOWN},
        {LABEL "," ORIGIN "," TIMES ",\"error\":false", INFO_DAMAGE_NONE},
        {LABEL "," ORIGIN "," TIMES ",\"error\":true", INFO_DAMAGE_FOUND},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = with_backup(cases[i].backup);
        struct info *info = parse(text);
        cr_expect_eq(info->stanzas[0].backups[0].damage, cases[i].damage);
        info_unref(info);
        free(text);
    }
}

Test(info, a_system_id_of_64_bits_is_exact)
{
    struct info *info = parse("[{\"name\":\"m\",\"status\":{\"code\":0},\"db\":[{\"id\":1,"
                              "\"repo-key\":1,\"system-id\":18446744073709551615}]}]");
    cr_expect_eq(info->stanzas[0].databases[0].system_id, UINT64_MAX);
    info_unref(info);
}

Test(info, the_current_database_is_the_highest_of_its_repository)
{
    struct info *info =
        parse("[{\"name\":\"m\",\"status\":{\"code\":0},\"db\":["
              "{\"id\":3,\"repo-key\":1},{\"id\":1,\"repo-key\":2},{\"id\":2,\"repo-key\":2}]}]");
    cr_expect_eq(info_current_database(&info->stanzas[0], 1)->id, 3);
    cr_expect_eq(info_current_database(&info->stanzas[0], 2)->id, 2);
    cr_expect_null(info_current_database(&info->stanzas[0], 9));
    info_unref(info);
}

Test(info, a_huge_catalogue_is_read_whole)
{
    struct strbuf text = {0};
    strbuf_puts(&text, "[{\"name\":\"m\",\"status\":{\"code\":0},\"backup\":[");
    for (int i = 0; i < 5000; i++)
        strbuf_printf(&text,
                      "%s{\"label\":\"%d\",\"type\":\"incr\"," ORIGIN "," TIMES
                      ",\"reference\":[\"a\",\"b\"]}",
                      i ? "," : "", i);
    strbuf_puts(&text, "]}]");
    struct info *info = parse(strbuf_text(&text));
    cr_assert_eq(info->stanzas[0].backup_count, 5000);
    cr_expect_str_eq(info->stanzas[0].backups[4999].label, "4999");
    cr_expect_str_eq(info->stanzas[0].backups[4999].references[1], "b");
    info_unref(info);
    strbuf_done(&text);
}

Test(info, it_lives_until_its_last_reference_goes)
{
    struct info *info = parse("[{\"name\":\"m\",\"status\":{\"code\":0}}]");
    struct info *shared = info_ref(info);
    info_unref(info);
    cr_expect_str_eq(shared->stanzas[0].name, "m");
    info_unref(shared);
    info_unref(NULL);
    cr_expect_null(info_ref(NULL));
}
