#include "exporter/commands/restore_command.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

void restore_command_add_part(const char *part, struct strbuf *out)
{
    for (; *part; part++) {
        if (strchr("%'\\", *part))
            strbuf_putc(out, *part);
        strbuf_putc(out, *part);
    }
}

void restore_command_add(const struct restore_command *command, struct strbuf *out)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_shell_word(&text, command->program);
    if (command->config_file) {
        strbuf_puts(&text, " --config.file ");
        strbuf_shell_word(&text, command->config_file);
    }
    strbuf_puts(&text, " run --stanza ");
    strbuf_shell_word(&text, command->stanza);
    if (command->repo_key > 0)
        strbuf_printf(&text, " --repo %" PRId64, command->repo_key);
    strbuf_puts(&text, " -- archive-get");
    strbuf_puts(&text, command->options ? command->options : "");
    restore_command_add_part(strbuf_text(&text), out);
    strbuf_puts(out, " %f \"%p\"");
    out->failed = out->failed || text.failed;
}

bool restore_command_find_self(struct strbuf *ret, struct err *err)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return err_system(err, errno, "cannot find this program");
    self[length] = '\0';
    if (access(self, X_OK) != 0)
        return err_system(err, errno, "cannot run this program again as %s", self);
    strbuf_puts(ret, self);
    return !ret->failed || err_memory(err);
}
