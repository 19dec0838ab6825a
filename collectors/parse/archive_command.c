#include "collectors/parse/archive_command.h"

#include <string.h>

#include "exporter/base/strbuf.h"

static const char command_name[] = "archive-push";

/*
 * Options that need a value and may have it in the word behind them. What stands behind any other
 * option without "=" could be a parameter, and archive-push takes a parameter for a segment.
 */
static const char *const valued_options[] = {
    "--stanza",           "--config",
    "--config-path",      "--config-include-path",
    "--log-level-file",   "--log-level-console",
    "--log-level-stderr", "--log-path",
    "--spool-path",       "--lock-path",
    "--pg1-path",
};

/* What a shell takes for more than itself outside of quotes; # and ~ only at some places. */
static const char special[] = "|&;<>()$`*?[]{}~#\n\r";

struct splitter {
    const char *at; /* what is still to be read */
    struct strbuf word;
    bool in_word;         /* also when it is empty, in quotes */
    bool word_is_segment; /* %p was in it */
    size_t segments;      /* words that were %p, and only that */
    size_t segment_at;    /* how many words stand before it */
    struct text_list words;
    struct err *err;
};

static bool not_plain(const struct splitter *splitter, const char *what)
{
    return err_set(splitter->err, ERR_CONFIG, "%s", what);
}

/* PostgreSQL replaces %p, %f and %% before the shell reads the command, in quotes as well. */
static bool take_percent(struct splitter *splitter)
{
    char kind = splitter->at[1];
    if (kind != 'p' && kind != '%')
        return not_plain(splitter, "uses another placeholder than %p");
    splitter->at += 2;
    if (kind == '%') {
        strbuf_putc(&splitter->word, '%');
        return true;
    }
    if (splitter->word_is_segment)
        return not_plain(splitter, "has %p as a part of a word");
    splitter->word_is_segment = true;
    return true;
}

static bool take_single_quoted(struct splitter *splitter)
{
    splitter->in_word = true;
    splitter->at++;
    while (*splitter->at && *splitter->at != '\'') {
        if (*splitter->at != '%')
            strbuf_putc(&splitter->word, *splitter->at++);
        else if (!take_percent(splitter))
            return false;
    }
    if (!*splitter->at)
        return not_plain(splitter, "has a quote that is not closed");
    splitter->at++;
    return true;
}

/* A backslash in double quotes stands for itself but before these. */
static bool take_quoted_backslash(struct splitter *splitter)
{
    if (splitter->at[1] && strchr("$`\"\\", splitter->at[1]))
        splitter->at++;
    else if (splitter->at[1] == '\n')
        return not_plain(splitter, "goes on in another line");
    strbuf_putc(&splitter->word, *splitter->at++);
    return true;
}

static bool take_in_double_quotes(struct splitter *splitter)
{
    switch (*splitter->at) {
    case '$':
    case '`':
        return not_plain(splitter, "has something that a shell expands");
    case '%':
        return take_percent(splitter);
    case '\\':
        return take_quoted_backslash(splitter);
    default:
        strbuf_putc(&splitter->word, *splitter->at++);
        return true;
    }
}

static bool take_double_quoted(struct splitter *splitter)
{
    splitter->in_word = true;
    splitter->at++;
    while (*splitter->at && *splitter->at != '"') {
        if (!take_in_double_quotes(splitter))
            return false;
    }
    if (!*splitter->at)
        return not_plain(splitter, "has a quote that is not closed");
    splitter->at++;
    return true;
}

/* PostgreSQL would replace a %p behind it, and the backslash then stands before a path. */
static bool take_backslash(struct splitter *splitter)
{
    splitter->in_word = true;
    splitter->at++;
    if (!*splitter->at || strchr("%\n", *splitter->at))
        return not_plain(splitter, "has a backslash at the end of a line or before a %");
    strbuf_putc(&splitter->word, *splitter->at++);
    return true;
}

static bool end_word(struct splitter *splitter)
{
    if (!splitter->in_word)
        return true;
    splitter->in_word = false;
    if (splitter->word_is_segment && splitter->word.length > 0)
        return not_plain(splitter, "has %p as a part of a word");
    bool segment = splitter->word_is_segment;
    splitter->word_is_segment = false;
    if (segment) {
        splitter->segments++;
        splitter->segment_at = splitter->words.count;
        return true;
    }
    if (!text_list_add(&splitter->words, strbuf_text(&splitter->word), splitter->err))
        return false;
    strbuf_truncate(&splitter->word, 0);
    return true;
}

static bool take_next(struct splitter *splitter)
{
    char byte = *splitter->at;
    if (byte == ' ' || byte == '\t') {
        splitter->at++;
        return end_word(splitter);
    }
    if (byte == '\'')
        return take_single_quoted(splitter);
    if (byte == '"')
        return take_double_quoted(splitter);
    if (byte == '\\')
        return take_backslash(splitter);
    if (strchr(special, byte))
        return not_plain(splitter, "has something that only a shell understands");
    splitter->in_word = true;
    if (byte == '%')
        return take_percent(splitter);
    strbuf_putc(&splitter->word, *splitter->at++);
    return true;
}

static bool split(struct splitter *splitter)
{
    while (*splitter->at) {
        if (!take_next(splitter))
            return false;
    }
    if (!end_word(splitter))
        return false;
    return splitter->word.failed ? err_memory(splitter->err) : true;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool needs_value(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(valued_options); i++) {
        if (strcmp(valued_options[i], word) == 0)
            return true;
    }
    return false;
}

static bool is_option(const char *word)
{
    return strncmp(word, "--", 2) == 0 && word[2] != '\0' && word[2] != '=';
}

/* Options and their values, archive-push once, and nothing else. */
static bool check_arguments(const struct splitter *splitter)
{
    const struct text_list *words = &splitter->words;
    size_t commands = 0, command_at = 0;
    for (size_t i = 1; i < words->count; i++) {
        if (strcmp(words->items[i], command_name) == 0) {
            commands++;
            command_at = i;
        } else if (!is_option(words->items[i])) {
            return not_plain(splitter, "has a word that is no --option=value");
        } else if (needs_value(words->items[i]) && ++i == words->count) {
            return not_plain(splitter, "has an option without its value");
        }
    }
    if (commands != 1)
        return not_plain(splitter, "does not call archive-push once");
    if (splitter->segments != 1)
        return not_plain(splitter, "does not have %p once");
    return splitter->segment_at > command_at || not_plain(splitter, "has %p before archive-push");
}

static bool check_program(const struct text_list *words, struct err *err)
{
    if (words->count == 0)
        return err_set(err, ERR_CONFIG, "is empty");
    const char *program = words->items[0];
    if (strchr(program, '='))
        return err_set(err, ERR_CONFIG, "sets a variable for what it calls");
    if (strcmp(last_part(program), "pgbackrest") != 0)
        return err_set(err, ERR_CONFIG, "is a call of %s, not of pgbackrest", last_part(program));
    if (strchr(program, '/') && program[0] != '/')
        return err_set(err, ERR_CONFIG, "names a program by a path from the data directory");
    return true;
}

/*
 * What is read from the data directory on the server would be another file here. pgBackRest takes
 * a name that is cut short, too.
 */
static bool check_paths(const struct archive_command *command, struct err *err)
{
    static const char begin[] = "--conf";
    const char *config = archive_command_option(command, "config");
    bool relative = config && config[0] != '/';
    for (size_t i = 1; i < command->words.count; i++) {
        const char *word = command->words.items[i];
        const char *sign = strchr(word, '=');
        if (sign && strncmp(word, begin, sizeof begin - 1) == 0 && sign[1] != '/')
            relative = true;
    }
    return !relative ||
           err_set(err, ERR_CONFIG, "names a configuration by a path from the data directory");
}

static void splitter_done(struct splitter *splitter)
{
    strbuf_done(&splitter->word);
    text_list_done(&splitter->words);
}

bool archive_command_parse(const char *text, struct archive_command *ret, struct err *err)
{
    struct splitter splitter CLEANUP(splitter_done) = {.at = text, .err = err};
    if (!split(&splitter) || !check_program(&splitter.words, err) || !check_arguments(&splitter))
        return false;
    struct archive_command command = {.words = splitter.words};
    if (!check_paths(&command, err))
        return false;
    *ret = command;
    splitter.words = (struct text_list){0};
    return true;
}

/* The value in the same word behind "=", or NULL when the word is another option. */
static const char *value_in(const char *word, const char *option)
{
    size_t length = strlen(option);
    if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, option, length) != 0)
        return NULL;
    return word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
}

const char *archive_command_option(const struct archive_command *command, const char *option)
{
    const struct text_list *words = &command->words;
    for (size_t i = 1; i < words->count; i++) {
        const char *value = value_in(words->items[i], option);
        if (value)
            return value;
        bool separate = needs_value(words->items[i]);
        if (separate && strcmp(words->items[i] + 2, option) == 0)
            return words->items[i + 1];
        i += separate;
    }
    return NULL;
}

size_t archive_command_logging(const struct archive_command *command, size_t index)
{
    static const char begin[] = "--log-level-";
    const char *word = command->words.items[index];
    if (strncmp(word, begin, sizeof begin - 1) != 0)
        return 0;
    return needs_value(word) ? 2 : 1;
}

void archive_command_done(struct archive_command *command)
{
    text_list_done(&command->words);
}
