/*
 * doctor_flags - scripts and unit files that repeat what a repository is, and say it differently
 * than the one definition does.
 */
#include <inttypes.h>
#include <string.h>

#include "collectors/repository.h"
#include "exporter/commands/doctor_check.h"
#include "exporter/commands/doctor_flag.h"

/* One file. */
struct comparison {
    const struct doctor *doctor;
    const char *file;
    struct report *report;
    struct report_item *group;
    size_t flags;
    bool differs;
};

static bool has_value(const struct pair_list *options, const char *name, const char *value)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct text_pair *option = &options->items[i];
        if (strcmp(option->name, name) == 0 && strcmp(option->value, value) == 0)
            return true;
    }
    return false;
}

/* The repository of that key: of the stanzas that have it, the first that agrees with the flag,
 * else the first. */
static const struct stanza_repository *find(const struct settings *settings,
                                            const struct doctor_flag *flag, bool *ret_agrees)
{
    const struct stanza_repository *first = NULL;
    *ret_agrees = false;
    for (size_t i = 0; i < settings->stanza_count; i++) {
        for (size_t j = 0; j < settings->stanzas[i].repository_count; j++) {
            const struct stanza_repository *one = &settings->stanzas[i].repositories[j];
            if (one->key != flag->repo_key)
                continue;
            first = first ? first : one;
            if (has_value(&one->options, strbuf_text(&flag->option), strbuf_text(&flag->value))) {
                *ret_agrees = true;
                return one;
            }
        }
    }
    return first;
}

/* ---- how to mend it ---- */

static bool is_plain(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:@-";
    return *text != '\0' && text[strspn(text, plain)] == '\0';
}

static void add_pattern(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '.')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *text);
    }
}

/* Only in that line, and only as "OPTION=VALUE" or "OPTION VALUE". */
static void add_sed(struct strbuf *out, const struct comparison *comparison,
                    const struct doctor_flag *flag, const char *value)
{
    strbuf_printf(out, "sudo sed -i '%zus,\\(repo%" PRId64 "-%s[= ][\"'\\'']*\\)", flag->line,
                  flag->repo_key, strbuf_text(&flag->option));
    add_pattern(out, strbuf_text(&flag->value));
    strbuf_printf(out, ",\\1%s,' ", value);
    strbuf_shell_word(out, comparison->file);
}

static void add_steps(const struct comparison *comparison, const struct doctor_flag *flag,
                      const char *value)
{
    struct strbuf sed CLEANUP(strbuf_done) = {0};
    struct strbuf replace CLEANUP(strbuf_done) = {0};
    strbuf_printf(&replace,
                  "better, let the definition stand in one place: in %s call "
                  "pgbackup_exporter run --repo %" PRId64 " -- in place of pgbackrest with flags",
                  comparison->file, flag->repo_key);
    if (is_plain(value) && is_plain(strbuf_text(&flag->value)))
        add_sed(&sed, comparison, flag, value);
    report_step(comparison->report, comparison->group, "write there what the definition says",
                sed.length > 0 ? strbuf_text(&sed) : NULL);
    report_step(comparison->report, comparison->group, strbuf_text(&replace), NULL);
}

/* ---- what differs ---- */

static void say_secret(struct comparison *comparison, const struct doctor_flag *flag)
{
    comparison->differs = true;
    report_verdict(comparison->report, comparison->group, GRADE_FAILED,
                   "line %zu: repo%" PRId64 "-%s is written there: a secret belongs into no script",
                   flag->line, flag->repo_key, strbuf_text(&flag->option));
    report_step(comparison->report, comparison->group,
                "remove it there, keep it in the credentials file of this repository, and consider "
                "a new key: this one may have been seen",
                NULL);
}

static void say_other(struct comparison *comparison, const struct doctor_flag *flag,
                      const char *value)
{
    comparison->differs = true;
    report_verdict(comparison->report, comparison->group, GRADE_FAILED,
                   "line %zu: repo%" PRId64 "-%s is %s, the definition says %s", flag->line,
                   flag->repo_key, strbuf_text(&flag->option), strbuf_text(&flag->value), value);
    add_steps(comparison, flag, value);
}

static void say_unknown(struct comparison *comparison, const struct doctor_flag *flag)
{
    comparison->differs = true;
    report_verdict(comparison->report, comparison->group, GRADE_WARNING,
                   "line %zu: repo%" PRId64 "-%s is %s, the definition does not give it",
                   flag->line, flag->repo_key, strbuf_text(&flag->option),
                   strbuf_text(&flag->value));
    report_step(comparison->report, comparison->group,
                "add it to the definition, or remove it there", NULL);
}

static void compare(struct comparison *comparison, const struct doctor_flag *flag)
{
    bool agrees = false;
    const struct stanza_repository *repository = find(comparison->doctor->settings, flag, &agrees);
    comparison->flags++;
    if (flag->expands || flag->value.length == 0)
        return;
    const char *value =
        repository ? pair_list_get(&repository->options, strbuf_text(&flag->option)) : NULL;
    if (repository_option_is_secret(strbuf_text(&flag->option)))
        say_secret(comparison, flag);
    else if (value && !agrees)
        say_other(comparison, flag, value);
    else if (!agrees)
        say_unknown(comparison, flag);
}

static void compare_all(struct comparison *comparison, const char *text)
{
    struct doctor_flag_reader reader = {.rest = text};
    struct doctor_flag flag CLEANUP(doctor_flag_done) = {0};
    while (doctor_flag_next(&reader, &flag)) {
        compare(comparison, &flag);
        doctor_flag_done(&flag);
    }
    if (comparison->differs)
        return;
    report_verdict(comparison->report, comparison->group,
                   comparison->flags > 0 ? GRADE_OK : GRADE_NONE, "%s",
                   comparison->flags > 0 ? "its --repoN- flags say what the definition says"
                                         : "it has no --repoN- flags");
}

static void check_file(const struct doctor *doctor, const char *file, struct report *report)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct err err = {0};
    bool exposed;
    struct comparison comparison = {
        .doctor = doctor,
        .file = file,
        .report = report,
        .group = doctor_group(report, "Flags in %s", file),
    };
    if (!repository_read_file(file, &text, &exposed, &err)) {
        report_verdict(report, comparison.group, GRADE_WARNING, "it cannot be read: %s", err.text);
        report_step(report, comparison.group, "name a file that is there and may be read", NULL);
        return;
    }
    compare_all(&comparison, strbuf_text(&text));
}

void doctor_check_flags(const struct doctor *doctor, struct report *report)
{
    for (size_t i = 0; i < doctor->file_count; i++)
        check_file(doctor, doctor->files[i], report);
}
