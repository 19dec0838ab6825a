#include "collectors/parse/archive_command.h"

#include <criterion/criterion.h>
#include <string.h>

#include "exporter/base/strbuf.h"

/* The words with '|' between them, or "" when it is not plain; *err tells then. */
static void assert_words(const char *text, const char *wanted)
{
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct strbuf words CLEANUP(strbuf_done) = {0};
    struct err err = {0};
    cr_assert(archive_command_parse(text, &command, &err), "%s: %s", text, err.text);
    for (size_t i = 0; i < command.words.count; i++)
        strbuf_printf(&words, "%s%s", i > 0 ? "|" : "", command.words.items[i]);
    cr_assert_str_eq(strbuf_text(&words), wanted, "%s", text);
}

static void assert_not_plain(const char *text, const char *wanted)
{
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct err err = {0};
    cr_assert(!archive_command_parse(text, &command, &err), "%s is taken", text);
    cr_assert_eq(err.code, ERR_CONFIG, "%s: %s", text, err_name(err.code));
    cr_assert(strstr(err.text, wanted), "%s: %s", text, err.text);
    cr_assert_eq(command.words.count, 0);
    cr_assert_null(command.words.items);
}

Test(archive_command, leaves_the_segment_out)
{
    assert_words("pgbackrest --stanza=main archive-push %p",
                 "pgbackrest|--stanza=main|archive-push");
}

Test(archive_command, takes_options_on_both_sides_of_the_command)
{
    assert_words(
        "/usr/bin/pgbackrest --stanza=main archive-push --process-max=2 \"%p\" --archive-async",
        "/usr/bin/pgbackrest|--stanza=main|archive-push|--process-max=2|--archive-async");
}

Test(archive_command, takes_values_in_a_word_of_their_own_where_an_option_needs_one)
{
    assert_words("pgbackrest --stanza main --config /etc/p.conf archive-push '%p'",
                 "pgbackrest|--stanza|main|--config|/etc/p.conf|archive-push");
}

Test(archive_command, reads_quotes_as_a_shell_does)
{
    assert_words(
        "'/opt/my tools/pgbackrest' --sta\"nza=a\\\"b\\c\" archive-push \\--log-path=/x\\ y %p",
        "/opt/my tools/pgbackrest|--stanza=a\"b\\c|archive-push|--log-path=/x y");
}

Test(archive_command, reads_two_percent_signs_as_one)
{
    assert_words("pgbackrest --stanza=50%% archive-push %p",
                 "pgbackrest|--stanza=50%|archive-push");
}

Test(archive_command, keeps_an_empty_word_that_is_a_value)
{
    assert_words("pgbackrest --stanza '' archive-push %p", "pgbackrest|--stanza||archive-push");
}

Test(archive_command, takes_any_blanks_between_words)
{
    assert_words(" \tpgbackrest   archive-push\t%p ", "pgbackrest|archive-push");
}

Test(archive_command, does_not_take_a_wrapper)
{
    assert_not_plain("/usr/local/bin/archive.sh %p", "is a call of archive.sh, not of pgbackrest");
    assert_not_plain("test -f x", "is a call of test,");
    assert_not_plain("env pgbackrest archive-push %p", "is a call of env,");
    assert_not_plain("sudo -u backup pgbackrest archive-push %p", "is a call of sudo,");
    assert_not_plain("/bin/true", "is a call of true,");
    assert_not_plain("pgbackrest.sh archive-push %p", "is a call of pgbackrest.sh,");
    assert_not_plain("/usr/bin/pgbackrest/ archive-push %p", "not of pgbackrest");
}

Test(archive_command, does_not_take_nothing)
{
    assert_not_plain("", "is empty");
    assert_not_plain("  ", "is empty");
    assert_not_plain("(disabled)", "only a shell understands");
}

Test(archive_command, does_not_take_variables_before_the_program)
{
    assert_not_plain("PGBACKREST_STANZA=main pgbackrest archive-push %p", "sets a variable");
    assert_not_plain("X=/opt/pgbackrest archive-push %p", "sets a variable");
}

Test(archive_command, does_not_take_a_program_by_a_relative_path)
{
    assert_not_plain("bin/pgbackrest archive-push %p", "path from the data directory");
    assert_not_plain("./pgbackrest archive-push %p", "path from the data directory");
}

Test(archive_command, does_not_take_a_configuration_by_a_relative_path)
{
    assert_not_plain("pgbackrest --config=p.conf archive-push %p", "path from the data directory");
    assert_not_plain("pgbackrest --config p.conf archive-push %p", "path from the data directory");
    assert_not_plain("pgbackrest --conf=p.conf archive-push %p", "path from the data directory");
}

Test(archive_command, does_not_take_what_only_a_shell_understands)
{
    static const char *const ends[] = {
        "%p && true",   "%p; true", "%p | cat",     "%p > /dev/null", "%p 2>&1",  "%p &",
        "$(x) %p",      "`x` %p",   "--x=$HOME %p", "--x=* %p",       "--x=? %p", "--x=[a] %p",
        "--x={a,b} %p", "~/x %p",   "%p # now",     "%p\ntrue",       "(%p)",     "%p\r"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct strbuf text CLEANUP(strbuf_done) = {0};
        strbuf_printf(&text, "pgbackrest archive-push %s", ends[i]);
        assert_not_plain(strbuf_text(&text), "only a shell understands");
    }
}

Test(archive_command, does_not_take_what_is_expanded_in_double_quotes)
{
    assert_not_plain("pgbackrest \"--stanza=$S\" archive-push %p", "a shell expands");
    assert_not_plain("pgbackrest \"--stanza=`x`\" archive-push %p", "a shell expands");
}

Test(archive_command, takes_the_same_signs_where_they_are_quoted)
{
    assert_words("pgbackrest '--stanza=$S`;' \"--log-path=/\\$x|\" archive-push %p",
                 "pgbackrest|--stanza=$S`;|--log-path=/$x||archive-push");
}

Test(archive_command, does_not_take_quotes_that_are_not_closed)
{
    assert_not_plain("pgbackrest archive-push '%p", "not closed");
    assert_not_plain("pgbackrest archive-push \"%p", "not closed");
    assert_not_plain("pgbackrest archive-push %p \\", "backslash");
    assert_not_plain("pgbackrest archive-push \"%p\\", "not closed");
}

Test(archive_command, does_not_take_lines_that_go_on)
{
    assert_not_plain("pgbackrest \\\n archive-push %p", "backslash at the end of a line");
    assert_not_plain("pgbackrest \"--x=\\\n\" archive-push %p", "goes on in another line");
}

Test(archive_command, needs_the_segment_once_and_whole)
{
    assert_not_plain("pgbackrest archive-push", "does not have %p once");
    assert_not_plain("pgbackrest archive-push %p %p", "does not have %p once");
    assert_not_plain("pgbackrest archive-push %p%p", "a part of a word");
    assert_not_plain("pgbackrest archive-push x%p", "a part of a word");
    assert_not_plain("pgbackrest archive-push '%p'x", "a part of a word");
    assert_not_plain("pgbackrest archive-push pg_wal/%f", "another placeholder");
    assert_not_plain("pgbackrest archive-push %", "another placeholder");
    assert_not_plain("pgbackrest archive-push \\%p", "before a %");
    assert_not_plain("pgbackrest %p archive-push", "before archive-push");
    assert_not_plain("pgbackrest --stanza archive-push %p archive-push", "before archive-push");
}

/* It would be pushed as a segment when the real one is left out. */
Test(archive_command, takes_no_word_that_could_be_a_segment)
{
    assert_not_plain("pgbackrest archive-push /srv/wal/000000010000000000000001 %p",
                     "no --option=value");
    assert_not_plain("pgbackrest archive-push --archive-async /srv/wal %p", "no --option=value");
    assert_not_plain("pgbackrest archive-push -- %p", "no --option=value");
    assert_not_plain("pgbackrest archive-push '' %p", "no --option=value");
    assert_not_plain("pgbackrest archive-push --=x %p", "no --option=value");
    assert_not_plain("pgbackrest archive-push --stanza %p", "without its value");
}

Test(archive_command, needs_archive_push_once)
{
    assert_not_plain("pgbackrest archive-push archive-push %p", "does not call archive-push once");
    assert_not_plain("pgbackrest archive-get archive-push %p", "no --option=value");
    assert_not_plain("pgbackrest check %p", "no --option=value");
    assert_not_plain("pgbackrest --stanza archive-push %p", "does not call archive-push once");
}

Test(archive_command, quotes_no_argument)
{
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct err err = {0};
    cr_assert(!archive_command_parse("pgbackrest --repo2-s3-key=SECRETSECRET x archive-push %p",
                                     &command, &err));
    cr_assert_null(strstr(err.text, "SECRET"), "%s", err.text);
}

Test(archive_command, gives_the_value_of_an_option)
{
    struct archive_command command CLEANUP(archive_command_done) = {0};
    struct err err = {0};
    cr_assert(archive_command_parse(
        "pgbackrest --stanza main --config=/etc/a.conf --archive-async archive-push %p", &command,
        &err));
    cr_assert_str_eq(archive_command_option(&command, "stanza"), "main");
    cr_assert_str_eq(archive_command_option(&command, "config"), "/etc/a.conf");
    cr_assert_null(archive_command_option(&command, "conf"));
    cr_assert_null(archive_command_option(&command, "main"));
    cr_assert_null(archive_command_option(&command, "archive-async"));
}

Test(archive_command, is_not_plain_wherever_it_is_cut)
{
    static const char whole[] = "pgbackrest --stanza=\"main\" 'archive-push' %p";
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        char *cut CLEANUP(secret_freep) = strndup(whole, length);
        struct archive_command command CLEANUP(archive_command_done) = {0};
        struct err err = {0};
        cr_assert(!archive_command_parse(cut, &command, &err), "%s is taken", cut);
    }
}
