/*
 * once - every collector looks once, and what a scrape would say is written: for the textfile
 * collector of node_exporter, for cron, and to see what there is.
 */
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "exporter/base/clock.h"
#include "exporter/base/replace.h"
#include "exporter/commands/arguments.h"
#include "exporter/commands/command.h"
#include "exporter/commands/gather.h"
#include "exporter/commands/metrics_page.h"

#define PAGE_MODE 0644 /* another user's node_exporter reads it */

struct once {
    bool help;
    char *output_file;
    double timeout_s;
};

static const struct option rows[] = {
    ARGUMENTS_HELP(struct once, help),
    {
        .key = "output-file",
        .help = "Write there, all at once, in place of the standard output.",
        .value = "FILE",
        .type = OPTION_PATH,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct once, output_file),
    },
    {
        .key = "timeout",
        .help = "Write what is known by then, whatever still hangs.",
        .value = "DURATION",
        .fallback = "2m",
        .type = OPTION_DURATION,
        .sources = OPTION_IN_FLAG,
        .offset = offsetof(struct once, timeout_s),
        .min = 1,
        .max = 3600,
    },
};

static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct once)};

static const char about[] =
    "Lets every collector look once and writes what a scrape would say. Exit status 1: something\n"
    "was not looked at in time, which standard error names; all else is written.\n";

static void once_done(struct once *once)
{
    option_free(&table, once);
}

static bool write_out(const struct once *once, const struct strbuf *page, struct err *err)
{
    if (page->failed)
        return err_memory(err);
    if (once->output_file)
        return replace_file(once->output_file, strbuf_text(page), page->length, PAGE_MODE, err);
    bool written = fwrite(strbuf_text(page), 1, page->length, stdout) == page->length;
    return (written && fflush(stdout) == 0) ||
           err_set(err, ERR_SYSTEM, "cannot write to the standard output");
}

static bool write_page(const struct once *once, struct gathering *seen, double started_at,
                       struct err *err)
{
    struct strbuf page CLEANUP(strbuf_done) = {0};
    const struct own_state own = {
        .started_at = started_at,
        .reloaded_at = started_at,
        .last_reload_worked = true,
        .stuck_children = proc_pool_stuck(seen->pool),
    };
    metrics_page(seen->poller, &own, EXPOSITION_TEXT, &page);
    return write_out(once, &page, err);
}

static void name_what_is_missing(struct poller *poller)
{
    size_t count = 0;
    struct poller_status *targets = poller_status(poller, &count);
    for (size_t i = 0; i < count; i++) {
        if (!targets[i].snapshot)
            fprintf(stderr, "pgbackup_exporter: collector %s, target %s: no answer in time\n",
                    targets[i].collector->name, targets[i].target);
    }
    poller_status_free(targets, count);
}

static bool run(const struct once *once, struct settings *settings, bool *ret_complete,
                struct err *err)
{
    struct gathering seen CLEANUP(gathering_end) = {0};
    double started_at = clock_wall_seconds();
    if (!gather(settings, (int64_t)(1000 * once->timeout_s), &seen, err))
        return false;
    if (!seen.complete)
        name_what_is_missing(seen.poller);
    *ret_complete = seen.complete;
    return write_page(once, &seen, started_at, err);
}

static int help(struct settings *settings)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    arguments_help(&command_once, about, &table, &text);
    settings_free(settings);
    return fputs(strbuf_text(&text), stdout) >= 0 ? EXIT_FINE : EXIT_WRONG;
}

static int once_run(const struct command_line *line UNUSED, struct settings *settings, int argc,
                    char *const argv[])
{
    struct once once CLEANUP(once_done) = {0};
    struct err err = {0};
    bool complete = false;
    if (!arguments_read(&table, &once, argc, argv, NULL, &err)) {
        settings_free(settings);
        fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
        return EXIT_USAGE;
    }
    if (once.help)
        return help(settings);
    if (run(&once, settings, &complete, &err))
        return complete ? EXIT_FINE : EXIT_WRONG;
    fprintf(stderr, "pgbackup_exporter: %s\n", err.text);
    return EXIT_WRONG;
}

const struct command command_once = {
    .name = "once",
    .arguments = "[--output-file FILE] [--timeout DURATION]",
    .help = "Look once, write the metrics, and exit.",
    .run = once_run,
};
