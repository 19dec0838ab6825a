#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#include "exporter/metrics/exposition.h"

#define ALL (WRITE_STATES | WRITE_FACTS | WRITE_OUTCOMES)
#define NOW 1700000000.5

enum { UP, BACKUPS, AGE, ARCHIVED, REQUESTS };

static const struct metric_desc descs[] = {
    [UP] = {.name = "pgbackrest_repo_up",
            .help = "Whether the repository answered.",
            .keeps = OUTCOME},
    [BACKUPS] = {.name = "pgbackrest_backups",
                 .help = "Backups of the current database.",
                 .keeps = FACT,
                 .labels = LABELS("backup_type")},
    [AGE] = {.name = "pgbackrest_backup_age_seconds",
             .help = "Seconds since the last backup of a type ended.",
             .keeps = FACT,
             .age = true,
             .labels = LABELS("backup_type")},
    [ARCHIVED] = {.name = "pg_stat_archiver_archived_count",
                  .help = "WAL files archived since the statistics reset.",
                  .type = METRIC_COUNTER,
                  .keeps = STATE},
    [REQUESTS] = {.name = "pgbackup_nfs_requests_total",
                  .help = "Requests that the \"NFS\" client sent to C:\\server.",
                  .type = METRIC_COUNTER,
                  .keeps = STATE,
                  .labels = LABELS("path")},
};

static const struct label repo1[] = {{"stanza", "main"}, {"repo_key", "1"}, {0}};
static const struct label repo2[] = {{"stanza", "main"}, {"repo_key", "2"}, {0}};

static struct sample_set *finish(struct sink *sink)
{
    struct sample_set *set = NULL;
    cr_assert(sink_finish(sink, &set, NULL, NULL));
    sink_free(sink);
    return set;
}

/* One sample of a metric without labels. */
static struct sample_set *one(const struct metric_desc *desc, double value)
{
    struct sink *sink = sink_new(desc, 1, NULL);
    sink_add(sink, 0, value, NULL);
    return finish(sink);
}

static struct sample_set *repository(const struct label *labels, double full, double ended)
{
    struct sink *sink = sink_new(descs, COUNT_OF(descs), labels);
    sink_add(sink, UP, 1, NULL);
    sink_add(sink, BACKUPS, full, LABELS("full"));
    sink_add(sink, BACKUPS, 0, LABELS("diff"));
    sink_add(sink, AGE, ended, LABELS("full"));
    return finish(sink);
}

static struct sample_set *host(void)
{
    struct sink *sink = sink_new(descs, COUNT_OF(descs), NULL);
    sink_add(sink, REQUESTS, 12345678901234, LABELS("/mnt/\"a\\b\"\nc \xE2\x82\xAC \xFF"));
    sink_add(sink, ARCHIVED, 42, NULL);
    return finish(sink);
}

/* Write the sets and free them; the caller frees the text. */
static char *page(struct sample_set **sets, size_t count, enum exposition_format format,
                  size_t expected_refused)
{
    struct exposition *exposition = exposition_new(NOW);
    cr_assert(exposition);
    for (size_t i = 0; i < count; i++)
        exposition_add(exposition, sets[i], ALL);
    struct strbuf out = {0};
    cr_expect_eq(exposition_write(exposition, format, &out), expected_refused);
    exposition_free(exposition);
    for (size_t i = 0; i < count; i++)
        sample_set_free(sets[i]);
    char *text = strbuf_steal(&out);
    cr_assert(text);
    return text;
}

#define PAGE(format, refused, ...)                                                                 \
    page((struct sample_set *[]){__VA_ARGS__}, COUNT_OF(((struct sample_set *[]){__VA_ARGS__})),   \
         format, refused)

static void equals_golden(const char *path, char *text)
{
    FILE *file = fopen(path, "re");
    cr_assert(file, "%s: run the tests in the project's root", path);
    struct strbuf golden = {0};
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;)
        strbuf_add(&golden, block, got);
    fclose(file);
    cr_expect_str_eq(text, strbuf_text(&golden));
    strbuf_done(&golden);
    free(text);
}

Test(exposition, writes_the_golden_text)
{
    equals_golden("tests/golden/exposition.txt",
                  PAGE(EXPOSITION_TEXT, 0, repository(repo1, 3, NOW - 90000.25),
                       repository(repo2, 7, NOW - 3600), host()));
}

Test(exposition, writes_the_golden_openmetrics)
{
    equals_golden("tests/golden/exposition_openmetrics.txt",
                  PAGE(EXPOSITION_OPENMETRICS, 0, repository(repo1, 3, NOW - 90000.25),
                       repository(repo2, 7, NOW - 3600), host()));
}

Test(exposition, writes_nothing_for_nothing)
{
    struct exposition *exposition = exposition_new(NOW);
    struct strbuf text = {0}, open = {0};
    cr_expect_eq(exposition_write(exposition, EXPOSITION_TEXT, &text), 0);
    cr_expect_eq(exposition_write(exposition, EXPOSITION_OPENMETRICS, &open), 0);
    cr_expect_str_eq(strbuf_text(&text), "");
    cr_expect_str_eq(strbuf_text(&open), "# EOF\n");
    strbuf_done(&text);
    strbuf_done(&open);
    exposition_free(exposition);
}

Test(exposition, writes_the_first_of_equal_series_in_different_sets_and_counts_the_others)
{
    char *text =
        PAGE(EXPOSITION_TEXT, 2, one(&descs[UP], 1), one(&descs[UP], 0), one(&descs[UP], 0.5));
    cr_expect_str_eq(text, "# HELP pgbackrest_repo_up Whether the repository answered.\n"
                           "# TYPE pgbackrest_repo_up gauge\n"
                           "pgbackrest_repo_up 1\n");
    free(text);
}

Test(exposition, writes_one_head_for_two_descriptors_of_one_name)
{
    const struct metric_desc first = {.name = "x_up", .help = "First."};
    const struct metric_desc second = {
        .name = "x_up", .help = "Second.", .type = METRIC_COUNTER, .labels = LABELS("path")};
    struct sink *sink = sink_new(&second, 1, NULL);
    sink_add(sink, 0, 2, LABELS("/"));
    char *text = PAGE(EXPOSITION_TEXT, 0, one(&first, 1), finish(sink));
    cr_expect_str_eq(text, "# HELP x_up First.\n# TYPE x_up gauge\nx_up 1\nx_up{path=\"/\"} 2\n");
    free(text);
}

Test(exposition, keeps_families_together_whose_names_begin_alike)
{
    const struct metric_desc names[] = {{.name = "a_b", .help = "X."}, {.name = "a", .help = "X."}};
    const struct metric_desc other = {.name = "a", .help = "X.", .labels = LABELS("path")};
    struct sink *sink = sink_new(&other, 1, NULL);
    sink_add(sink, 0, 2, LABELS("/"));
    char *text = PAGE(EXPOSITION_TEXT, 0, one(&names[1], 1), one(&names[0], 1), finish(sink));
    cr_expect_str_eq(text, "# HELP a X.\n# TYPE a gauge\na 1\na{path=\"/\"} 2\n"
                           "# HELP a_b X.\n# TYPE a_b gauge\na_b 1\n");
    free(text);
}

Test(exposition, writes_only_the_kinds_that_are_asked_for)
{
    static const struct {
        unsigned which;
        const char *written;
    } cases[] = {
        {WRITE_STATES, "s_up 1\n"}, {WRITE_FACTS, "f_up 1\n"}, {WRITE_OUTCOMES, "o_up 1\n"}};
    static const struct metric_desc kinds[] = {{.name = "s_up", .help = "S.", .keeps = STATE},
                                               {.name = "f_up", .help = "F.", .keeps = FACT},
                                               {.name = "o_up", .help = "O.", .keeps = OUTCOME}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sink *sink = sink_new(kinds, COUNT_OF(kinds), NULL);
        for (size_t metric = 0; metric < COUNT_OF(kinds); metric++)
            sink_add(sink, metric, 1, NULL);
        struct sample_set *set = finish(sink);
        struct exposition *exposition = exposition_new(NOW);
        exposition_add(exposition, set, cases[i].which);
        struct strbuf out = {0};
        cr_expect_eq(exposition_write(exposition, EXPOSITION_TEXT, &out), 0);
        for (size_t other = 0; other < COUNT_OF(cases); other++)
            cr_expect_eq(!!strstr(strbuf_text(&out), cases[other].written), other == i);
        strbuf_done(&out);
        exposition_free(exposition);
        sample_set_free(set);
    }
}

Test(exposition, reckons_ages_at_the_time_of_writing_and_lets_the_future_be_negative)
{
    const struct metric_desc age = {.name = "x_age_seconds", .help = "X.", .age = true};
    char *text = PAGE(EXPOSITION_TEXT, 0, one(&age, NOW - 60));
    cr_expect(strstr(text, "x_age_seconds 60\n"), "%s", text);
    free(text);
    text = PAGE(EXPOSITION_TEXT, 0, one(&age, NOW + 2.5));
    cr_expect(strstr(text, "x_age_seconds -2.5\n"), "%s", text);
    free(text);
}

Test(exposition, tells_ages_in_whole_milliseconds)
{
    const struct metric_desc age = {.name = "x_age_seconds", .help = "X.", .age = true};
    static const struct {
        double moment;
        const char *line;
    } cases[] = {
        {NOW - 60.123456, "x_age_seconds 60.123\n"},
        {NOW - 60.1236, "x_age_seconds 60.124\n"},
        {NOW + 0.0001, "x_age_seconds 0\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = PAGE(EXPOSITION_TEXT, 0, one(&age, cases[i].moment));
        cr_expect(strstr(text, cases[i].line), "%s", text);
        free(text);
    }
}

Test(exposition, escapes_help)
{
    const struct metric_desc desc = {.name = "x_up", .help = "A \"b\" \\ c\nd."};
    char *text = PAGE(EXPOSITION_TEXT, 0, one(&desc, 1));
    cr_expect(strstr(text, "# HELP x_up A \"b\" \\\\ c\\nd.\n"), "%s", text);
    free(text);
    text = PAGE(EXPOSITION_OPENMETRICS, 0, one(&desc, 1));
    cr_expect(strstr(text, "# HELP x_up A \\\"b\\\" \\\\ c\\nd.\n"), "%s", text);
    free(text);
}

Test(exposition, can_be_written_twice)
{
    struct sample_set *set = repository(repo1, 1, NOW);
    struct exposition *exposition = exposition_new(NOW);
    exposition_add(exposition, set, ALL);
    struct strbuf first = {0}, second = {0};
    cr_expect_eq(exposition_write(exposition, EXPOSITION_TEXT, &first), 0);
    cr_expect_eq(exposition_write(exposition, EXPOSITION_TEXT, &second), 0);
    cr_expect_str_eq(strbuf_text(&first), strbuf_text(&second));
    strbuf_done(&first);
    strbuf_done(&second);
    exposition_free(exposition);
    sample_set_free(set);
}

Test(exposition, shows_in_the_buffer_that_it_could_not_be_written)
{
    struct sample_set *set = repository(repo1, 1, NOW);
    struct exposition *exposition = exposition_new(NOW);
    exposition_add(exposition, set, ALL);
    struct strbuf out = {.limit = 100};
    cr_expect_eq(exposition_write(exposition, EXPOSITION_TEXT, &out), 0);
    cr_expect(out.failed);
    strbuf_done(&out);
    exposition_free(exposition);
    sample_set_free(set);
}

Test(exposition, names_the_content_types)
{
    cr_expect_str_eq(exposition_content_type(EXPOSITION_TEXT),
                     "text/plain; version=0.0.4; charset=utf-8");
    cr_expect_str_eq(exposition_content_type(EXPOSITION_OPENMETRICS),
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

Test(exposition, frees_nothing_when_there_is_nothing)
{
    exposition_free(NULL);
}

static void writes_number(double value, const char *expected)
{
    struct strbuf out = {0};
    exposition_add_number(&out, value);
    cr_expect_str_eq(strbuf_text(&out), expected);
    strbuf_done(&out);
}

Test(number, writes_whole_numbers_without_exponent)
{
    writes_number(0, "0");
    writes_number(1, "1");
    writes_number(-1, "-1");
    writes_number(1700000000, "1700000000");
    writes_number(1e15, "1000000000000000");
    writes_number(9007199254740991, "9007199254740991");
    writes_number(9007199254740992, "9007199254740992");
    writes_number(-9007199254740992, "-9007199254740992");
}

Test(number, writes_the_fewest_digits_that_read_back_equal)
{
    writes_number(0.1, "0.1");
    writes_number(-0.5, "-0.5");
    writes_number(0.001, "0.001");
    writes_number(0.1 + 0.2, "0.30000000000000004");
    writes_number(1700000000.123, "1700000000.123");
    writes_number(1700000000.1234567, "1700000000.1234567");
    writes_number(1.0 / 3, "0.3333333333333333");
    writes_number(100.01, "100.01");
    writes_number(1e-5, "1e-05");
    writes_number(0.0001, "0.0001");
    writes_number(1e22, "1e+22");
    writes_number(DBL_MAX, "1.7976931348623157e+308");
    writes_number(DBL_TRUE_MIN, "5e-324");
}

Test(number, writes_what_is_no_number_as_prometheus_spells_it)
{
    writes_number(NAN, "NaN");
    writes_number(-NAN, "NaN");
    writes_number(INFINITY, "+Inf");
    writes_number(-INFINITY, "-Inf");
    writes_number(-0.0, "-0");
}

/* Whether the text reads back as value, and no printf of fewer digits does or is shorter. */
static void reads_back(double value)
{
    struct strbuf out = {0};
    exposition_add_number(&out, value);
    char *end = NULL;
    cr_assert_eq(strtod(strbuf_text(&out), &end), value, "%s is not %a", out.data, value);
    cr_assert_eq(*end, '\0');
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    bool whole = fabs(value) <= 9007199254740992 && trunc(value) == value;
    cr_assert(whole || out.length <= strlen(text), "%s is longer than %s", out.data, text);
    strbuf_done(&out);
}

Test(number, reads_back_equal_for_all_sorts_of_numbers)
{
    uint64_t state = 88172645463325252U; /* xorshift: the same numbers on every run */
    for (size_t i = 0; i < 100000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double bits;
        memcpy(&bits, &state, sizeof bits);
        if (isfinite(bits))
            reads_back(bits);
        double whole = (double)(state >> (state % 64));
        reads_back(whole);
        reads_back(whole / 1000);
        reads_back(whole / 1e6);
        reads_back(1.7e9 + (double)(state % 4096) / 4096);
    }
}
