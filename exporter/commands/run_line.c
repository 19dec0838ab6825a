#include "exporter/commands/run_line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/config/option.h"

const char run_line_usage[] =
    "usage: pgbackup_exporter [FLAGS] run [--stanza STANZA] [--repo KEY] [--lock-wait DURATION]\n"
    "                                     [--print] [--] COMMAND [ARGUMENTS]\n"
    "\n"
    "Runs a pgBackRest command with the repositories as they are configured here: their options\n"
    "and credentials travel in the environment, so pgbackrest.conf need not name them.\n"
    "\n"
    "  --stanza STANZA  can be left out where there is only one\n"
    "  --repo KEY       only this repository; a fault of another one cannot hinder it then\n"
    "  --lock-wait DURATION  wait that long at most, say 30m, while another command holds the "
    "lock\n"
    "                   of the stanza, which is exit status 50 at once otherwise\n"
    "  --print          show the plain pgbackrest line instead, without any secret in it\n"
    "\n"
    "A backup into a repository that archive_command does not feed (continuous-wal: false) is "
    "made\n"
    "without waiting for WAL there, and its WAL is copied at once as complete-wal does, unless\n"
    "--archive-check is given. Without --repo, pgBackRest backs up to the first repository only.\n"
    "\n"
    "backup, expire, check and stanza-* are recorded for the exporter and its alerts: when they "
    "ended,\n"
    "and how. A restore gets a restore_command that runs this program, so that the restored "
    "server\n"
    "needs no credentials in its environment, unless a --recovery-option says another one.\n";

/* Of pgBackRest 2.45. */
static const struct {
    const char *name;
    bool takes_stanza, takes_repo; /* as options; in the environment none is refused */
} commands[] = {
    {"info", true, true},           {"check", true, false},          {"verify", true, true},
    {"archive-get", true, true},    {"repo-ls", true, true},         {"repo-get", true, true},
    {"backup", true, true},         {"expire", true, true},          {"annotate", true, true},
    {"stanza-create", true, false}, {"stanza-upgrade", true, false}, {"stanza-delete", true, true},
    {"restore", true, true},        {"version", false, false},
};

static void add_names(struct strbuf *out)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        strbuf_printf(out, "%s%s", i > 0 ? ", " : "", commands[i].name);
}

static bool find_command(struct run_line *line, const char *name, struct err *err)
{
    struct strbuf names CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        line->takes_stanza = commands[i].takes_stanza;
        line->takes_repo = commands[i].takes_repo;
        return true;
    }
    add_names(&names);
    return err_set(err, ERR_CONFIG, "run knows no command %s; it knows %s", name,
                   strbuf_text(&names));
}

/* Whether argument is the option, with or without "=value". */
static bool is_option(const char *argument, const char *option)
{
    size_t length = strlen(option);
    return strncmp(argument, option, length) == 0 &&
           (argument[length] == '\0' || argument[length] == '=');
}

/* What pgBackRest may not be given here: run gives it already. */
static bool check_arguments(const struct run_line *line, struct err *err)
{
    static const char *const before[] = {"--stanza", "--repo"};
    static const char *const never[] = {"--config", "--no-config", "--config-path",
                                        "--config-include-path"};
    for (int i = 1; i < line->argument_count; i++) {
        for (size_t j = 0; j < COUNT_OF(before); j++) {
            if (is_option(line->arguments[i], before[j]))
                return err_set(err, ERR_CONFIG, "%s goes before the command: run %s ... -- %s",
                               before[j], before[j], line->arguments[0]);
        }
        for (size_t j = 0; j < COUNT_OF(never); j++) {
            if (is_option(line->arguments[i], never[j]))
                return err_set(err, ERR_CONFIG,
                               "%s cannot be given: run takes the options from the exporter's "
                               "configuration and pgbackrest.config",
                               never[j]);
        }
    }
    return true;
}

/* The value of "--option=value" or of the next argument, which is stepped over. */
static const char *take_value(int argc, char *const argv[], int *index)
{
    const char *sign = strchr(argv[*index], '=');
    if (sign)
        return sign + 1;
    return *index + 1 < argc ? argv[++*index] : NULL;
}

static bool read_key(const char *text, int64_t *ret, struct err *err)
{
    char *end = NULL;
    long key = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
    if (key < 1 || key > 256 || *end != '\0')
        return err_set(err, ERR_CONFIG, "--repo takes the key of a repository, 1 to 256");
    *ret = key;
    return true;
}

#define LOCK_WAIT_MAX_S (7 * 24 * 3600.0)

static bool read_lock_wait(const char *text, int64_t *ret_ms, struct err *err)
{
    double seconds = 0;
    if (!option_parse_duration(text ? text : "", &seconds, err) || seconds > LOCK_WAIT_MAX_S)
        return err_set(err, ERR_CONFIG, "--lock-wait takes a duration of at most 7d, like 30m");
    *ret_ms = (int64_t)(1000 * seconds);
    return true;
}

static bool read_option(struct run_line *line, int argc, char *const argv[], int *index,
                        struct err *err)
{
    const char *argument = argv[*index];
    if (strcmp(argument, "--print") == 0) {
        line->print = true;
        return true;
    }
    if (strcmp(argument, "--help") == 0) {
        line->help = true;
        return true;
    }
    if (line->repo_key > 0 && is_option(argument, "--repo"))
        return err_set(err, ERR_CONFIG, "--repo is given twice");
    if (line->stanza && is_option(argument, "--stanza"))
        return err_set(err, ERR_CONFIG, "--stanza is given twice");
    if (is_option(argument, "--repo"))
        return read_key(take_value(argc, argv, index), &line->repo_key, err);
    if (is_option(argument, "--lock-wait"))
        return read_lock_wait(take_value(argc, argv, index), &line->lock_wait_ms, err);
    if (!is_option(argument, "--stanza"))
        return err_set(err, ERR_CONFIG, "run knows no option %s; see run --help", argument);
    line->stanza = take_value(argc, argv, index);
    return (line->stanza && *line->stanza) ||
           err_set(err, ERR_CONFIG, "--stanza takes the name of a stanza");
}

bool run_line_read(int argc, char *const argv[], struct run_line *ret, struct err *err)
{
    struct run_line line = {0};
    int index = 1;
    for (; index < argc && argv[index][0] == '-'; index++) {
        if (strcmp(argv[index], "--") == 0) {
            index++;
            break;
        }
        if (!read_option(&line, argc, argv, &index, err))
            return false;
    }
    line.arguments = argv + index;
    line.argument_count = argc - index;
    if (!line.help && line.argument_count == 0)
        return err_set(err, ERR_CONFIG, "run needs a pgBackRest command, like run -- info");
    if (!line.help &&
        (!find_command(&line, line.arguments[0], err) || !check_arguments(&line, err)))
        return false;
    *ret = line;
    return true;
}

bool run_line_stanza(const struct run_line *line, const struct settings *settings,
                     const struct stanza **ret, struct err *err)
{
    struct strbuf names CLEANUP(strbuf_done) = {0};
    const struct stanza *only = settings->stanza_count == 1 ? settings->stanzas : NULL;
    *ret = line->stanza ? settings_stanza(settings, line->stanza) : only;
    if (*ret)
        return true;
    for (size_t i = 0; settings->stanzas && i < settings->stanza_count; i++)
        strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", settings->stanzas[i].name);
    if (settings->stanza_count == 0)
        return err_set(err, ERR_CONFIG, "no stanza is configured");
    if (line->stanza)
        return err_set(err, ERR_CONFIG, "there is no stanza %s; there is %s", line->stanza,
                       strbuf_text(&names));
    return err_set(err, ERR_CONFIG, "which stanza? Say --stanza with one of %s",
                   strbuf_text(&names));
}

bool run_line_wants(const struct run_line *line, const struct stanza_repository *repository)
{
    return line->repo_key == 0 || line->repo_key == repository->key;
}

const struct stanza_repository *run_line_first_repository(const struct run_line *line,
                                                          const struct stanza *stanza)
{
    const struct stanza_repository *found = NULL;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (run_line_wants(line, repository) && (!found || repository->key < found->key))
            found = repository;
    }
    return found;
}

const char *run_line_value(const struct run_line *line, const char *option, int *index)
{
    for (; *index < line->argument_count; ++*index) {
        if (!is_option(line->arguments[*index], option))
            continue;
        const char *value = take_value(line->argument_count, line->arguments, index);
        ++*index;
        return value ? value : "";
    }
    return NULL;
}

bool run_line_check_repository(const struct run_line *line, const struct stanza *stanza,
                               struct err *err)
{
    struct strbuf keys CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (run_line_wants(line, repository))
            return true;
        strbuf_printf(&keys, "%s%" PRId64 " (%s)", i > 0 ? ", " : "", repository->key,
                      repository->name);
    }
    return err_set(err, ERR_CONFIG, "stanza %s has no repository %" PRId64 "; it has %s",
                   stanza->name, line->repo_key, keys.length > 0 ? strbuf_text(&keys) : "none");
}
