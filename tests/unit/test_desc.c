#include <criterion/criterion.h>

#include "exporter/metrics/desc.h"

static const struct metric_desc sound = {
    .name = "pgbackrest_repo_up",
    .help = "Whether the repository answered.",
    .type = METRIC_GAUGE,
    .keeps = OUTCOME,
};

static struct metric_desc named(const char *name, enum metric_type type)
{
    struct metric_desc desc = sound;
    desc.name = name;
    desc.type = type;
    return desc;
}

static void accepts(struct metric_desc desc)
{
    struct err err = {0};
    cr_expect(metric_desc_check(&desc, &err), "%s", err.text);
}

/* The error is a configuration error and speaks of the rule. */
static void refuses(struct metric_desc desc, const char *rule)
{
    struct err err = {0};
    cr_assert(!metric_desc_check(&desc, &err), "%s was accepted", desc.name);
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, rule), "\"%s\" does not say \"%s\"", err.text, rule);
    cr_expect(!desc.name || strstr(err.text, desc.name), "%s", err.text);
}

Test(desc, accepts_the_names_of_our_metrics)
{
    static const char *const gauges[] = {
        "pgbackrest_repo_up",
        "pgbackrest_backup_total_bytes",
        "pgbackup_mount_probe_duration_seconds",
        "pgbackup_s3_http_status_code",
        "pg_wal_last_archived_lsn_bytes",
        "pgbackrest_repo_info",
        "pgbackrest_backups",
    };
    for (size_t i = 0; i < COUNT_OF(gauges); i++)
        accepts(named(gauges[i], METRIC_GAUGE));
    accepts(named("pgbackup_nfs_major_timeouts_total", METRIC_COUNTER));
}

Test(desc, refuses_names_that_are_not_lower_case_words)
{
    static const char *const names[] = {"",        "Repo_up", "repo-up",     "2repo",  "_repo",
                                        "repo:up", "repo up", "r\xC3\xA9po", "repo_uP"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        refuses(named(names[i], METRIC_GAUGE), "is not [a-z][a-z0-9_]*");
    refuses(named(NULL, METRIC_GAUGE), "is not [a-z][a-z0-9_]*");
}

Test(desc, refuses_units_that_are_not_base_units)
{
    static const char *const names[] = {"probe_ms",    "probe_millis",     "probe_minutes",
                                        "probe_hours", "queue_kb",         "queue_mb",
                                        "probe_s",     "probe_ms_average", "free_percent"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        refuses(named(names[i], METRIC_GAUGE), "use ");
    refuses(named("probe_ms_total", METRIC_COUNTER), "use seconds");
}

Test(desc, takes_a_word_that_only_begins_like_a_unit)
{
    accepts(named("queue_msgs", METRIC_GAUGE));
    accepts(named("queue_mbox", METRIC_GAUGE));
    accepts(named("ms", METRIC_GAUGE));
}

Test(desc, wants_counters_to_end_in_total)
{
    refuses(named("nfs_requests", METRIC_COUNTER), "does not end in _total");
    refuses(named("nfs_total_requests", METRIC_COUNTER), "does not end in _total");
    refuses(named("nfs_requests_count", METRIC_COUNTER), "does not end in _total");
}

Test(desc, knows_the_two_counters_that_postgresql_names)
{
    accepts(named("pg_stat_archiver_archived_count", METRIC_COUNTER));
    accepts(named("pg_stat_archiver_failed_count", METRIC_COUNTER));
    refuses(named("pg_stat_archiver_failed_count", METRIC_GAUGE), "ends in _count");
}

Test(desc, refuses_gauges_that_end_like_counters_or_histograms)
{
    refuses(named("nfs_requests_total", METRIC_GAUGE), "ends in _total");
    refuses(named("nfs_requests_count", METRIC_GAUGE), "ends in _count");
    refuses(named("nfs_requests_sum", METRIC_GAUGE), "ends in _sum");
    refuses(named("nfs_requests_bucket", METRIC_GAUGE), "ends in _bucket");
}

Test(desc, takes_an_age_only_under_a_name_that_says_so)
{
    struct metric_desc age = named("pgbackrest_backup_age_seconds", METRIC_GAUGE);
    age.age = true;
    accepts(age);
    age.name = "pg_stat_archiver_last_archive_age";
    accepts(age);
    age.name = "pgbackrest_backup_seconds";
    refuses(age, "not called so");
}

Test(desc, takes_an_age_only_as_a_gauge)
{
    struct metric_desc age = named("backup_age_seconds_total", METRIC_COUNTER);
    age.age = true;
    refuses(age, "no gauge");
}

Test(desc, wants_help_to_be_one_sentence)
{
    static const char *const helps[] = {
        NULL, "", ".", "whether it answered.", "Whether it answered", "Whether it\nanswered."};
    for (size_t i = 0; i < COUNT_OF(helps); i++) {
        struct metric_desc desc = sound;
        desc.help = helps[i];
        refuses(desc, "capital to a full stop");
    }
}

Test(desc, refuses_label_names_that_are_invalid_or_reserved)
{
    static const struct {
        const char *const labels[2];
        const char *rule;
    } cases[] = {
        {{"le"}, "reserved"},       {{"quantile"}, "reserved"}, {{"job"}, "reserved"},
        {{"instance"}, "reserved"}, {{"__name__"}, "is not ["}, {{"repo-key"}, "is not ["},
        {{""}, "is not ["},         {{"Stanza"}, "is not ["},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct metric_desc desc = sound;
        desc.labels = cases[i].labels;
        refuses(desc, cases[i].rule);
        desc.labels = NULL;
        desc.omits = cases[i].labels;
        refuses(desc, cases[i].rule);
    }
}

Test(desc, refuses_a_label_that_is_named_twice)
{
    struct metric_desc desc = sound;
    desc.labels = LABELS("reason", "scope", "reason");
    refuses(desc, "twice");
}

#define TEN_LABELS "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10"

Test(desc, refuses_more_labels_than_a_series_may_have)
{
    struct metric_desc desc = sound;
    desc.labels = LABELS(TEN_LABELS, "a11", "a12", "a13");
    accepts(desc);
    desc.labels = LABELS(TEN_LABELS, "a11", "a12", "a13", "a14");
    refuses(desc, "14 labels");
}

Test(desc, accepts_labels_that_fit_those_of_the_target)
{
    struct metric_desc desc = sound;
    desc.labels = LABELS("reason");
    desc.omits = LABELS("repo_key");
    struct err err = {0};
    cr_expect(metric_desc_check_target(&desc, LABELS("stanza", "repo_key"), &err), "%s", err.text);
    desc.omits = NULL;
    cr_expect(metric_desc_check_target(&desc, NULL, &err), "%s", err.text);
}

static void refuses_for_target(struct metric_desc desc, const char *const *labels, const char *rule)
{
    struct err err = {0};
    cr_assert_not(metric_desc_check_target(&desc, labels, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, rule), "%s", err.text);
}

Test(desc, refuses_to_omit_a_label_that_no_target_has)
{
    struct metric_desc desc = sound;
    desc.omits = LABELS("repo");
    refuses_for_target(desc, LABELS("stanza", "repo_key"), "omits label \"repo\"");
    refuses_for_target(desc, NULL, "omits label \"repo\"");
}

Test(desc, refuses_to_repeat_a_label_of_the_target_unless_it_is_omitted)
{
    struct metric_desc desc = sound;
    desc.labels = LABELS("path");
    refuses_for_target(desc, LABELS("path"), "repeats label \"path\"");
    desc.omits = LABELS("path");
    cr_expect(metric_desc_check_target(&desc, LABELS("path"), NULL));
}

Test(desc, counts_the_labels_of_the_target_too)
{
    struct metric_desc desc = sound;
    desc.labels = LABELS(TEN_LABELS, "a11", "a12");
    cr_expect(metric_desc_check_target(&desc, LABELS("stanza"), NULL));
    refuses_for_target(desc, LABELS("stanza", "repo_key"), "14 labels");
}

Test(desc, names_types_and_keeps)
{
    cr_expect_str_eq(metric_type_name(METRIC_GAUGE), "gauge");
    cr_expect_str_eq(metric_type_name(METRIC_COUNTER), "counter");
    cr_expect_str_eq(metric_keeps_name(STATE), "state");
    cr_expect_str_eq(metric_keeps_name(FACT), "fact");
    cr_expect_str_eq(metric_keeps_name(OUTCOME), "outcome");
    cr_expect_str_eq(metric_keeps_name(CONFIGURED), "configured");
}
