#include "exporter/metrics/desc.h"

#include <string.h>

/* PostgreSQL's own names, under which these numbers are known everywhere. */
static const char *const postgres_names[] = {
    "pg_stat_archiver_archived_count",
    "pg_stat_archiver_failed_count",
    NULL,
};

/* Set by Prometheus itself, or with a meaning of their own in histograms and summaries. */
static const char *const reserved_labels[] = {"le", "quantile", "job", "instance", NULL};

/* Words of a name that promtool or a reader would take for a unit that is not a base unit. */
static const struct {
    const char *word;
    const char *base;
} units[] = {
    {"ns", "seconds"},
    {"us", "seconds"},
    {"ms", "seconds"},
    {"millis", "seconds"},
    {"milliseconds", "seconds"},
    {"s", "seconds"},
    {"sec", "seconds"},
    {"secs", "seconds"},
    {"m", "seconds"},
    {"minutes", "seconds"},
    {"h", "seconds"},
    {"hours", "seconds"},
    {"d", "seconds"},
    {"days", "seconds"},
    {"weeks", "seconds"},
    {"b", "bytes"},
    {"bits", "bytes"},
    {"kb", "bytes"},
    {"mb", "bytes"},
    {"gb", "bytes"},
    {"tb", "bytes"},
    {"kib", "bytes"},
    {"mib", "bytes"},
    {"gib", "bytes"},
    {"percent", "ratio"},
};

/* Endings that belong to histograms and summaries, which we do not have. */
static const char *const histogram_suffixes[] = {"_count", "_sum", "_bucket", NULL};

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

/* [a-z][a-z0-9_]* */
static bool is_name(const char *text)
{
    if (!is_lower(*text))
        return false;
    while (is_lower(*text) || *text == '_' || (*text >= '0' && *text <= '9'))
        text++;
    return *text == '\0';
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static bool list_has(const char *const *list, const char *text)
{
    for (; list && *list; list++) {
        if (strcmp(*list, text) == 0)
            return true;
    }
    return false;
}

static size_t list_length(const char *const *list)
{
    size_t length = 0;
    while (list && list[length])
        length++;
    return length;
}

bool metric_desc_omits(const struct metric_desc *desc, const char *label)
{
    return list_has(desc->omits, label);
}

bool metric_desc_is_total(const struct metric_desc *desc)
{
    return ends_with(desc->name, METRIC_TOTAL);
}

static bool name_has_word(const char *name, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strchr(name, '_'); at; at = strchr(at + 1, '_')) {
        if (strcspn(at + 1, "_") == length && strncmp(at + 1, word, length) == 0)
            return true;
    }
    return false;
}

static bool check_units(const struct metric_desc *desc, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (name_has_word(desc->name, units[i].word))
            return err_set(err, ERR_CONFIG, "metric %s is in \"%s\": use %s", desc->name,
                           units[i].word, units[i].base);
    }
    return true;
}

static bool check_ending(const struct metric_desc *desc, struct err *err)
{
    bool counter = desc->type == METRIC_COUNTER;
    if (counter && list_has(postgres_names, desc->name))
        return true;
    if (counter && !metric_desc_is_total(desc))
        return err_set(err, ERR_CONFIG, "counter %s does not end in _total", desc->name);
    if (!counter && metric_desc_is_total(desc))
        return err_set(err, ERR_CONFIG, "gauge %s ends in _total", desc->name);
    for (const char *const *suffix = histogram_suffixes; *suffix; suffix++) {
        if (ends_with(desc->name, *suffix))
            return err_set(err, ERR_CONFIG, "metric %s ends in %s", desc->name, *suffix);
    }
    return true;
}

static bool check_name(const struct metric_desc *desc, struct err *err)
{
    if (!desc->name || !is_name(desc->name))
        return err_set(err, ERR_CONFIG, "metric name \"%s\" is not [a-z][a-z0-9_]*",
                       desc->name ? desc->name : "");
    return check_ending(desc, err) && check_units(desc, err);
}

static bool check_age(const struct metric_desc *desc, struct err *err)
{
    if (!desc->age)
        return true;
    if (desc->type != METRIC_GAUGE)
        return err_set(err, ERR_CONFIG, "metric %s is an age, but no gauge", desc->name);
    if (!strstr(desc->name, "_age"))
        return err_set(err, ERR_CONFIG, "metric %s is an age, but not called so", desc->name);
    return true;
}

static bool check_help(const struct metric_desc *desc, struct err *err)
{
    const char *help = desc->help;
    if (!help || !is_upper(*help) || !ends_with(help, ".") || strchr(help, '\n'))
        return err_set(err, ERR_CONFIG,
                       "help of metric %s is not one line from a capital to a full stop",
                       desc->name);
    return true;
}

static bool check_label(const struct metric_desc *desc, const char *label, struct err *err)
{
    if (!is_name(label))
        return err_set(err, ERR_CONFIG, "metric %s: label name \"%s\" is not [a-z][a-z0-9_]*",
                       desc->name, label);
    if (list_has(reserved_labels, label))
        return err_set(err, ERR_CONFIG, "metric %s: label name \"%s\" is reserved", desc->name,
                       label);
    return true;
}

static bool check_labels(const struct metric_desc *desc, const char *const *labels, struct err *err)
{
    for (; labels && *labels; labels++) {
        if (!check_label(desc, *labels, err))
            return false;
        if (list_has(labels + 1, *labels))
            return err_set(err, ERR_CONFIG, "metric %s names label \"%s\" twice", desc->name,
                           *labels);
    }
    return true;
}

static bool check_label_count(const struct metric_desc *desc, size_t count, struct err *err)
{
    if (count > METRIC_LABEL_MAX)
        return err_set(err, ERR_CONFIG, "metric %s has %zu labels, more than %d", desc->name, count,
                       METRIC_LABEL_MAX);
    return true;
}

bool metric_desc_check(const struct metric_desc *desc, struct err *err)
{
    return check_name(desc, err) && check_age(desc, err) && check_help(desc, err) &&
           check_labels(desc, desc->labels, err) && check_labels(desc, desc->omits, err) &&
           check_label_count(desc, list_length(desc->labels), err);
}

bool metric_desc_check_target(const struct metric_desc *desc, const char *const *target_labels,
                              struct err *err)
{
    for (const char *const *omitted = desc->omits; omitted && *omitted; omitted++) {
        if (!list_has(target_labels, *omitted))
            return err_set(err, ERR_CONFIG, "metric %s omits label \"%s\", which no target has",
                           desc->name, *omitted);
    }
    size_t carried = 0;
    for (const char *const *label = target_labels; label && *label; label++) {
        if (metric_desc_omits(desc, *label))
            continue;
        if (list_has(desc->labels, *label))
            return err_set(err, ERR_CONFIG, "metric %s repeats label \"%s\" of its target",
                           desc->name, *label);
        carried++;
    }
    return check_label_count(desc, carried + list_length(desc->labels), err);
}

const char *metric_type_name(enum metric_type type)
{
    return type == METRIC_COUNTER ? "counter" : "gauge";
}

const char *metric_keeps_name(enum metric_keeps keeps)
{
    static const char *const names[] = {
        [STATE] = "state", [FACT] = "fact", [OUTCOME] = "outcome", [CONFIGURED] = "configured"};
    return names[keeps];
}
