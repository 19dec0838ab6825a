#include "exporter/commands/restore_command.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static struct strbuf out;
static struct restore_command command;

static void begin(void)
{
    command = (struct restore_command){.program = "/usr/bin/pgbackup_exporter", .stanza = "main"};
}

static void end(void)
{
    strbuf_done(&out);
}

TestSuite(restore_command, .init = begin, .fini = end);

static const char *text(void)
{
    restore_command_add(&command, &out);
    return strbuf_text(&out);
}

Test(restore_command, names_no_more_than_is_needed)
{
    cr_expect_str_eq(text(), "/usr/bin/pgbackup_exporter run --stanza main -- archive-get %f "
                             "\"%p\"");
}

Test(restore_command, names_file_repository_and_options)
{
    command.config_file = "/etc/other.yml";
    command.repo_key = 2;
    command.options = " --no-archive-async";
    cr_expect_str_eq(text(), "/usr/bin/pgbackup_exporter --config.file /etc/other.yml run --stanza "
                             "main --repo 2 -- archive-get --no-archive-async %f \"%p\"");
}

Test(restore_command, what_postgresql_would_take_for_its_own_is_doubled)
{
    restore_command_add_part("it's 100%p \\x", &out);
    cr_expect_str_eq(strbuf_text(&out), "it''s 100%%p \\\\x");
}

Test(restore_command, the_shell_gets_a_path_with_blanks_as_one_word)
{
    command.config_file = "/etc/my own.yml";
    cr_expect(strstr(text(), " --config.file ''/etc/my own.yml'' run "), "%s", strbuf_text(&out));
}

Test(restore_command, this_program_is_found_by_its_absolute_path)
{
    struct err err = {0};
    cr_assert(restore_command_find_self(&out, &err), "%s", err.text);
    cr_expect_eq(*strbuf_text(&out), '/');
    cr_expect_eq(access(strbuf_text(&out), X_OK), 0);
}
