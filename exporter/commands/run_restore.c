#include "exporter/commands/run_restore.h"

#include <signal.h>
#include <string.h>

#include "exporter/commands/command.h"
#include "exporter/commands/restore_command.h"
#include "exporter/commands/run_child.h"

#define OWN_COMMAND "restore_command="

/* Exit statuses of pgBackRest. */
#define NOT_THERE  1
#define TERMINATED 63

static bool is_own_command(const char *recovery_option)
{
    return strncmp(recovery_option, OWN_COMMAND, sizeof OWN_COMMAND - 1) == 0;
}

/* *ret_any: a recovery-option is given there. */
static bool line_has_command(const struct run_line *line, bool *ret_any)
{
    int index = 1;
    const char *value = NULL;
    *ret_any = false;
    while ((value = run_line_value(line, "--recovery-option", &index))) {
        *ret_any = true;
        if (is_own_command(value))
            return true;
    }
    return false;
}

static bool stanza_has_command(const struct stanza *stanza)
{
    for (size_t i = 0; i < stanza->options.count; i++) {
        const struct text_pair *option = &stanza->options.items[i];
        if (strcmp(option->name, "recovery-option") == 0 && is_own_command(option->value))
            return true;
    }
    return false;
}

static bool recovers(const struct run_line *line, const struct stanza *stanza)
{
    int index = 1;
    const char *given = run_line_value(line, "--type", &index);
    const char *type = given ? given : pair_list_get(&stanza->options, "type");
    return !type || (strcmp(type, "none") != 0 && strcmp(type, "preserve") != 0);
}

bool run_restore_wants_command(const struct run_line *line, const struct stanza *stanza)
{
    bool others = false;
    if (line->argument_count == 0 || strcmp(line->arguments[0], "restore") != 0)
        return false;
    return recovers(line, stanza) && !line_has_command(line, &others) &&
           (others || !stanza_has_command(stanza));
}

void run_restore_add_place(const struct run_line *line, const struct stanza *stanza,
                           struct strbuf *out)
{
    int index = 1;
    const char *configured = pair_list_get(&stanza->options, "pg1-path");
    const char *path = run_line_value(line, "--pg1-path", &index);
    if (!path || (configured && strcmp(path, configured) == 0))
        return;
    /* Two servers must not share a spool. */
    strbuf_puts(out, " --no-archive-async --pg1-path=");
    strbuf_shell_word(out, path);
}

static bool add(struct text_list *ret, const char *recovery_option, struct err *err)
{
    struct strbuf word CLEANUP(strbuf_done) = {0};
    strbuf_printf(&word, "--recovery-option=%s", recovery_option);
    return word.failed ? err_memory(err) : text_list_add(ret, strbuf_text(&word), err);
}

static bool add_configured(const struct stanza *stanza, struct text_list *ret, struct err *err)
{
    for (size_t i = 0; i < stanza->options.count; i++) {
        const struct text_pair *option = &stanza->options.items[i];
        if (strcmp(option->name, "recovery-option") == 0 && !add(ret, option->value, err))
            return false;
    }
    return true;
}

static bool add_own(const struct run_line *line, const struct stanza *stanza, struct text_list *ret,
                    struct err *err)
{
    struct strbuf self CLEANUP(strbuf_done) = {0};
    struct strbuf options CLEANUP(strbuf_done) = {0};
    struct strbuf option CLEANUP(strbuf_done) = {0};
    if (!restore_command_find_self(&self, err))
        return false;
    run_restore_add_place(line, stanza, &options);
    strbuf_puts(&option, OWN_COMMAND);
    restore_command_add(&(struct restore_command){.program = strbuf_text(&self),
                                                  .config_file = stanza->config_file,
                                                  .stanza = stanza->name,
                                                  .repo_key = line->repo_key,
                                                  .options = strbuf_text(&options)},
                        &option);
    return options.failed || option.failed ? err_memory(err) : add(ret, strbuf_text(&option), err);
}

bool run_restore_add_options(const struct run_line *line, const struct stanza *stanza,
                             struct text_list *ret, struct err *err)
{
    bool others = false;
    if (!run_restore_wants_command(line, stanza))
        return true;
    line_has_command(line, &others);
    return (others || add_configured(stanza, ret, err)) && add_own(line, stanza, ret, err);
}

int run_restore_wal_status(int status, bool is_standby)
{
    if (status == TERMINATED)
        return RUN_CHILD_SIGNAL_STATUS + SIGTERM;
    if (status <= NOT_THERE || status > RUN_CHILD_SIGNAL_STATUS || is_standby)
        return status;
    return EXIT_CANNOT_RUN;
}
