/*
 * main - order of start and stop, dispatch of commands: nothing else.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exporter/base/log.h"
#include "exporter/base/strbuf.h"
#include "exporter/commands/command.h"
#include "exporter/commands/document.h"
#include "exporter/commands/user.h"
#include "exporter/sources/probe.h"

static int fail(const struct err *err)
{
    fprintf(stderr, "pgbackup_exporter: %s\n", err->text);
    return EXIT_USAGE;
}

static int fail_early(int argc, char *const argv[], const struct err *err)
{
    fail(err);
    return command_failure_status(argc, argv);
}

static int print(struct strbuf *text)
{
    bool written = fwrite(strbuf_text(text), 1, text->length, stdout) == text->length;
    bool fine = written && fflush(stdout) == 0 && !text->failed;
    strbuf_done(text);
    return fine ? EXIT_FINE : EXIT_WRONG;
}

/*
 * Read the configuration, as the user whom we shall be: as root first, to learn who that is, and
 * then again, so that a file that only root can read is noticed now and not by the first reload.
 */
static bool load(int argc, char *const argv[], struct settings **ret, int *ret_rest,
                 struct err *err)
{
    if (!settings_load(argc, argv, ret, ret_rest, err))
        return false;
    if (geteuid() != 0 || document_is_wanted(*ret) ||
        command_help_is_wanted(argc - *ret_rest, argv + *ret_rest))
        return true;
    bool became = user_become((*ret)->pgbackrest.user, err);
    settings_free(*ret);
    return became && settings_load(argc, argv, ret, ret_rest, err);
}

/*
 * What whoever started us may have left otherwise: closed standard descriptors, into which a later
 * file would slip, and ignored signals. A child must be waited for, and a closed pipe is an error.
 */
static void prepare_process(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR); /* not close-on-exec: 0 to 2 are passed on */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* a core, ours or a child's, would hold secrets */
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "--probe") == 0)
        return probe_main(argc, argv);
    prepare_process();
    mallopt(M_ARENA_MAX, 2); /* many threads that sleep: an arena for each would be waste */
    struct err err = {0};
    struct settings *settings = NULL;
    int rest = 0;
    if (!load(argc, argv, &settings, &rest, &err))
        return fail_early(argc, argv, &err);
    struct strbuf text = {0};
    if (document_is_wanted(settings)) {
        bool known = document_write(settings, &text, &err);
        settings_free(settings);
        return known ? print(&text) : fail(&err);
    }
    const struct command *command = rest < argc ? command_find(argv[rest]) : command_list[0];
    if (!command) {
        settings_free(settings);
        err_set(&err, ERR_CONFIG, "unknown command %s (see --help)", argv[rest]);
        return fail(&err);
    }
    log_configure_named(settings->log_level,
                        settings->log_format); /* the option table checked them */
    struct command_line line = {.argc = rest, .argv = argv};
    return command->run(&line, settings, argc - rest, argv + rest);
}
