#include <criterion/criterion.h>
#include <signal.h>

#include "exporter/metrics/sink.h"

enum { UP, BACKUPS, ERROR, STANZA_STATUS, OBJECTIVE };

static const struct metric_desc descs[] = {
    [UP] = {.name = "repo_up", .help = "Up.", .keeps = OUTCOME},
    [BACKUPS] = {.name = "backups", .help = "Backups.", .labels = LABELS("backup_type")},
    [ERROR] = {.name = "repo_error",
               .help = "Error.",
               .keeps = OUTCOME,
               .labels = LABELS("reason", "scope")},
    [STANZA_STATUS] = {.name = "stanza_status",
                       .help = "Status.",
                       .keeps = FACT,
                       .omits = LABELS("repo_key")},
    [OBJECTIVE] = {.name = "objective", .help = "Objective.", .keeps = CONFIGURED},
};

static const struct label target[] = {{"stanza", "main"}, {"repo_key", "1"}, {0}};

static struct sink *sink_for(const struct label *labels)
{
    struct sink *sink = sink_new(descs, COUNT_OF(descs), labels);
    cr_assert(sink);
    return sink;
}

static struct sample_set *finish(struct sink *sink)
{
    struct sample_set *set = NULL;
    struct err refused, err = {0};
    cr_assert(sink_finish(sink, &set, &refused, &err), "%s", err.text);
    cr_expect_eq(refused.code, ERR_NONE, "%s", refused.text);
    sink_free(sink);
    return set;
}

/* One sample of metric BACKUPS with this label value is written as series. */
static void renders(const char *label_value, const char *series)
{
    struct sink *sink = sink_for(NULL);
    sink_add(sink, BACKUPS, 1, LABELS(label_value));
    struct sample_set *set = finish(sink);
    cr_assert_eq(set->count, 1);
    cr_expect_str_eq(set->items[0].series, series);
    sample_set_free(set);
}

Test(sink, writes_the_labels_of_the_target_before_those_of_the_metric)
{
    struct sink *sink = sink_for(target);
    sink_add(sink, BACKUPS, 3, LABELS("full"));
    struct sample_set *set = finish(sink);
    cr_assert_eq(set->count, 1);
    cr_expect_str_eq(set->items[0].series,
                     "backups{stanza=\"main\",repo_key=\"1\",backup_type=\"full\"}");
    cr_expect_eq(set->items[0].value, 3);
    cr_expect_eq(set->items[0].desc, &descs[BACKUPS]);
    sample_set_free(set);
}

Test(sink, writes_a_series_without_labels_as_its_name)
{
    struct sink *sink = sink_for(NULL);
    sink_add(sink, UP, 1, NULL);
    struct sample_set *set = finish(sink);
    cr_expect_str_eq(set->items[0].series, "repo_up");
    sample_set_free(set);
}

Test(sink, leaves_out_the_labels_of_the_target_that_a_metric_omits)
{
    struct sink *sink = sink_for(target);
    sink_add(sink, STANZA_STATUS, 0, NULL);
    struct sample_set *set = finish(sink);
    cr_expect_str_eq(set->items[0].series, "stanza_status{stanza=\"main\"}");
    sample_set_free(set);
}

Test(sink, leaves_out_labels_with_an_empty_value)
{
    struct sink *sink = sink_for((struct label[]){{"stanza", ""}, {0}});
    sink_add(sink, ERROR, 1, LABELS("", "older"));
    sink_add(sink, ERROR, 1, LABELS("dns", ""));
    sink_add(sink, ERROR, 1, LABELS("", ""));
    struct sample_set *set = finish(sink);
    cr_assert_eq(set->count, 3);
    cr_expect_str_eq(set->items[0].series, "repo_error{scope=\"older\"}");
    cr_expect_str_eq(set->items[1].series, "repo_error{reason=\"dns\"}");
    cr_expect_str_eq(set->items[2].series, "repo_error");
    sample_set_free(set);
}

Test(sink, escapes_what_would_end_a_label_value_or_a_line)
{
    renders("a\"b", "backups{backup_type=\"a\\\"b\"}");
    renders("a\\b", "backups{backup_type=\"a\\\\b\"}");
    renders("a\nb", "backups{backup_type=\"a\\nb\"}");
    renders("\\\"\n\\", "backups{backup_type=\"\\\\\\\"\\n\\\\\"}");
    renders("{a,b=\"c\"}", "backups{backup_type=\"{a,b=\\\"c\\\"}\"}");
}

Test(sink, keeps_sound_utf8_and_repairs_the_rest)
{
    renders("Sicherung für \xE2\x82\xAC", "backups{backup_type=\"Sicherung für \xE2\x82\xAC\"}");
    renders("a\xFF\"", "backups{backup_type=\"a\xEF\xBF\xBD\\\"\"}");
    renders("cut \xE2\x82", "backups{backup_type=\"cut \xEF\xBF\xBD\xEF\xBF\xBD\"}");
}

Test(sink, keeps_a_label_value_that_is_longer_than_a_chunk_of_memory)
{
    enum { LENGTH = 200000 };
    static char value[LENGTH + 1];
    memset(value, 'x', LENGTH);
    struct sink *sink = sink_for(NULL);
    sink_add(sink, UP, 1, NULL);
    sink_add(sink, BACKUPS, 1, LABELS(value));
    sink_add(sink, BACKUPS, 1, LABELS("short"));
    struct sample_set *set = finish(sink);
    cr_expect_str_eq(set->items[0].series, "repo_up");
    cr_expect_eq(strlen(set->items[1].series), LENGTH + strlen("backups{backup_type=\"\"}"));
    cr_expect_str_eq(set->items[2].series, "backups{backup_type=\"short\"}");
    sample_set_free(set);
}

Test(sink, copies_the_label_values)
{
    char value[] = "full";
    struct sink *sink = sink_for(NULL);
    sink_add(sink, BACKUPS, 1, LABELS(value));
    value[0] = 'X';
    struct sample_set *set = finish(sink);
    cr_expect_str_eq(set->items[0].series, "backups{backup_type=\"full\"}");
    sample_set_free(set);
}

Test(sink, keeps_the_first_of_two_equal_series_and_names_the_first_that_it_refused)
{
    struct sink *sink = sink_for(NULL);
    sink_add(sink, BACKUPS, 1, LABELS("full"));
    sink_add(sink, BACKUPS, 2, LABELS("full"));
    sink_add(sink, BACKUPS, 3, LABELS("incr"));
    sink_add(sink, BACKUPS, 4, LABELS("incr"));
    struct sample_set *set = NULL;
    struct err refused, err;
    cr_assert(sink_finish(sink, &set, &refused, &err));
    cr_assert_eq(set->count, 2);
    cr_expect_eq(set->items[0].value, 1);
    cr_expect_eq(set->items[1].value, 3);
    cr_expect_eq(refused.code, ERR_OTHER);
    cr_expect(strstr(refused.text, "backups{backup_type=\"full\"}"), "%s", refused.text);
    sample_set_free(set);
    sink_free(sink);
}

Test(sink, takes_two_label_values_that_are_repaired_to_the_same_as_one_series)
{
    struct sink *sink = sink_for(NULL);
    sink_add(sink, BACKUPS, 1, LABELS("\xFE"));
    sink_add(sink, BACKUPS, 2, LABELS("\xFF"));
    struct sample_set *set = NULL;
    cr_assert(sink_finish(sink, &set, NULL, NULL));
    cr_expect_eq(set->count, 1);
    sample_set_free(set);
    sink_free(sink);
}

Test(sink, keeps_only_outcomes_and_what_is_configured_after_a_failed_collection)
{
    struct sink *sink = sink_for(target);
    sink_add(sink, BACKUPS, 3, LABELS("full"));
    sink_add(sink, UP, 0, NULL);
    sink_add(sink, STANZA_STATUS, 0, NULL);
    sink_add(sink, ERROR, 1, LABELS("dns", "older"));
    sink_add(sink, OBJECTIVE, 60, NULL);
    sink_drop_measured(sink);
    struct sample_set *set = finish(sink);
    cr_assert_eq(set->count, 3);
    cr_expect_str_eq(set->items[0].series, "repo_up{stanza=\"main\",repo_key=\"1\"}");
    cr_expect_eq(set->items[1].desc, &descs[ERROR]);
    cr_expect_eq(set->items[2].desc, &descs[OBJECTIVE]);
    sample_set_free(set);
}

Test(sink, still_knows_what_it_kept_and_forgets_what_it_dropped)
{
    struct sink *sink = sink_for(NULL);
    sink_add(sink, UP, 0, NULL);
    sink_add(sink, BACKUPS, 3, LABELS("full"));
    sink_drop_measured(sink);
    sink_add(sink, BACKUPS, 4, LABELS("full"));
    sink_add(sink, UP, 1, NULL);
    struct sample_set *set = NULL;
    struct err refused;
    cr_assert(sink_finish(sink, &set, &refused, NULL));
    cr_assert_eq(set->count, 2);
    cr_expect_eq(set->items[0].value, 0);
    cr_expect_eq(set->items[1].value, 4);
    cr_expect(strstr(refused.text, "repo_up"), "%s", refused.text);
    sample_set_free(set);
    sink_free(sink);
}

Test(sink, is_empty_again_when_it_has_finished)
{
    struct sink *sink = sink_for(NULL);
    sink_add(sink, UP, 1, NULL);
    sink_add(sink, UP, 2, NULL);
    struct sample_set *first = NULL;
    cr_assert(sink_finish(sink, &first, NULL, NULL));
    sink_add(sink, UP, 3, NULL);
    struct sample_set *second = finish(sink);
    cr_assert_eq(second->count, 1);
    cr_expect_eq(second->items[0].value, 3);
    cr_expect_str_eq(first->items[0].series, "repo_up", "the first set is its caller's own");
    sample_set_free(first);
    sample_set_free(second);
}

Test(sink, hands_over_an_empty_set_when_nothing_was_added)
{
    struct sample_set *set = finish(sink_for(target));
    cr_expect_eq(set->count, 0);
    sample_set_free(set);
}

Test(sink, keeps_the_order_and_every_text_of_many_samples)
{
    enum { COUNT = 20000 };
    struct sink *sink = sink_for(target);
    char value[16];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(value, sizeof value, "b%zu", i);
        sink_add(sink, BACKUPS, (double)i, LABELS(value));
    }
    struct sample_set *set = finish(sink);
    cr_assert_eq(set->count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(value, sizeof value, "\"b%zu\"}", i);
        cr_assert_eq(set->items[i].value, (double)i);
        cr_assert(strstr(set->items[i].series, value), "%s", set->items[i].series);
    }
    sample_set_free(set);
}

Test(sink, aborts_when_a_label_value_is_missing, .signal = SIGABRT)
{
    sink_add(sink_for(NULL), ERROR, 1, LABELS("dns"));
}

Test(sink, aborts_when_there_is_a_label_value_too_many, .signal = SIGABRT)
{
    sink_add(sink_for(NULL), UP, 1, LABELS("dns"));
}

Test(sink, aborts_on_a_metric_that_is_not_in_the_table, .signal = SIGABRT)
{
    sink_add(sink_for(NULL), COUNT_OF(descs), 1, NULL);
}

Test(sink, frees_nothing_when_there_is_nothing)
{
    sink_free(NULL);
    sample_set_free(NULL);
}
