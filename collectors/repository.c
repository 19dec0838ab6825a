#include "collectors/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collectors/parse/credentials.h"

#define CREDENTIALS_LIMIT ((size_t)64 << 10)

/* No key or token is shorter; the few hex digits of a shorter value would be found anywhere. */
#define ECHOED_LENGTH 8

static const char credentials_directory[] = "$CREDENTIALS_DIRECTORY/";

/*
 * Ends of the names of pgBackRest's secure options (and of those that other stores would have):
 * cipher-pass, s3-key, s3-key-secret, s3-token, s3-sse-customer-key, azure-account, azure-key,
 * gcs-key, sftp-private-key-passphrase.
 */
static const char *const secret_endings[] = {"key",   "secret",     "pass",
                                             "token", "passphrase", "azure-account"};

bool repository_option_is_secret(const char *option)
{
    size_t length = strlen(option);
    for (size_t i = 0; i < COUNT_OF(secret_endings); i++) {
        size_t ending = strlen(secret_endings[i]);
        if (length < ending || strcmp(option + length - ending, secret_endings[i]) != 0)
            continue;
        if (length == ending || option[length - ending - 1] == '-')
            return true;
    }
    return false;
}

bool repository_has_continuous_wal(const struct stanza_repository *repository)
{
    enum tristate said = repository->settings ? repository->settings->continuous_wal : UNSET;
    return said == UNSET ? repository->in_pgbackrest_conf : said == YES;
}

void repository_variable_name(struct strbuf *out, const char *option)
{
    strbuf_puts(out, "PGBACKREST_");
    for (; *option; option++) {
        char byte = *option;
        if (byte >= 'a' && byte <= 'z')
            byte = (char)(byte - 'a' + 'A');
        strbuf_putc(out, byte == '-' ? '_' : byte);
    }
}

/* Where the variable of that name (with its '=') stands; NULL when there is none. */
static char **find_item(const struct repository_env *env, const char *name_and_sign)
{
    for (size_t i = 0; i < env->count; i++) {
        if (strncmp(env->items[i], name_and_sign, strlen(name_and_sign)) == 0)
            return &env->items[i];
    }
    return NULL;
}

/* The environment owns item from now on, also when there is no memory for it. */
static bool append_item(struct repository_env *env, char *item, struct err *err)
{
    char **items = item ? reallocarray(env->items, env->count + 2, sizeof *items) : NULL;
    if (!items) {
        secret_free(item);
        return err_memory(err);
    }
    items[env->count++] = item;
    items[env->count] = NULL;
    env->items = items;
    return true;
}

enum present { REPLACE, KEEP };

static bool put(struct repository_env *env, const char *option, const char *value,
                enum present present, struct err *err)
{
    struct strbuf item CLEANUP(strbuf_done) = {0};
    /* All that is needed at once: growing would leave copies of a secret in freed memory. */
    bool room = strbuf_reserve(&item, sizeof "PGBACKREST_=" + strlen(option) + strlen(value));
    if (!room)
        return err_memory(err);
    repository_variable_name(&item, option);
    strbuf_putc(&item, '=');
    char **old = find_item(env, item.data);
    if (old && present == KEEP)
        return true;
    strbuf_puts(&item, value);
    if (!old)
        return append_item(env, strbuf_steal(&item), err);
    secret_free(*old);
    *old = strbuf_steal(&item);
    return true;
}

bool repository_env_set(struct repository_env *env, const char *option, const char *value,
                        struct err *err)
{
    return put(env, option, value, REPLACE, err);
}

bool repository_env_default(struct repository_env *env, const char *option, const char *value,
                            struct err *err)
{
    return put(env, option, value, KEEP, err);
}

void repository_env_unset(struct repository_env *env, const char *option)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    repository_variable_name(&name, option);
    strbuf_putc(&name, '=');
    char **item = name.failed ? NULL : find_item(env, strbuf_text(&name));
    if (!item)
        return;
    secret_free(*item);
    memmove(item, item + 1, (size_t)(env->items + env->count - item) * sizeof(char *));
    env->count--;
}

const char *repository_env_get(const struct repository_env *env, const char *option)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    repository_variable_name(&name, option);
    strbuf_putc(&name, '=');
    char **item = name.failed ? NULL : find_item(env, strbuf_text(&name));
    return item ? *item + name.length : NULL;
}

/*
 * An object store that refuses a signature echoes what was signed, once as it is and once as
 * bytes in hex with blanks between: "41 57 53".
 */
bool repository_env_hide(struct repository_env *env, const char *value, struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    if (!*value || text_list_has(&env->secrets, value))
        return true;
    size_t length = strlen(value);
    if (length < ECHOED_LENGTH)
        return text_list_add(&env->secrets, value, err);
    char *hex CLEANUP(secret_freep) = calloc(length, 3);
    if (!hex)
        return err_memory(err);
    for (size_t i = 0; i < length; i++) {
        hex[3 * i] = digits[(unsigned char)value[i] >> 4];
        hex[3 * i + 1] = digits[(unsigned char)value[i] & 15];
        hex[3 * i + 2] = i + 1 < length ? ' ' : '\0';
    }
    return text_list_add(&env->secrets, value, err) && text_list_add(&env->secrets, hex, err);
}

/* All values that the list gives to one name, as pgBackRest reads them from one variable. */
static void join_values(const struct pair_list *list, const char *name, struct strbuf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) != 0)
            continue;
        if (count++ > 0)
            strbuf_putc(out, ':');
        strbuf_puts(out, list->items[i].value);
    }
}

static void wipe(struct strbuf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->size);
    strbuf_done(buf);
}

static bool add_option(struct repository_env *env, const char *prefix, const struct pair_list *list,
                       const char *name, struct err *err)
{
    struct strbuf option CLEANUP(strbuf_done) = {0};
    struct strbuf value CLEANUP(wipe) = {0};
    strbuf_puts(&option, prefix);
    strbuf_puts(&option, name);
    join_values(list, name, &value);
    if (option.failed || value.failed)
        return err_memory(err);
    if (repository_option_is_secret(name) && !repository_env_hide(env, strbuf_text(&value), err))
        return false;
    return repository_env_set(env, strbuf_text(&option), strbuf_text(&value), err);
}

static bool add_options(struct repository_env *env, const char *prefix,
                        const struct pair_list *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!add_option(env, prefix, list, list->items[i].name, err))
            return false;
    }
    return true;
}

/* *ret is the path where it really is. */
static bool find_credentials(const char *configured, struct strbuf *ret, struct err *err)
{
    size_t length = sizeof credentials_directory - 1;
    if (strncmp(configured, credentials_directory, length) == 0) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        if (!directory)
            return err_set(err, ERR_CONFIG, "systemd gave no CREDENTIALS_DIRECTORY");
        strbuf_printf(ret, "%s/", directory);
        configured += length;
    }
    strbuf_puts(ret, configured);
    return ret->failed ? err_memory(err) : true;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* What is wrong with the file; what is wrong with this machine stays a failure of ours. */
static bool config_error(struct err *err, const char *what)
{
    int error = errno;
    bool ours = error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO;
    err_system(err, error, "%s", what);
    if (!ours)
        err->code = ERR_CONFIG;
    return false;
}

/* Never waits for the other end of a FIFO or for a device. */
static bool open_credentials(const char *path, int *ret_fd, struct stat *ret, struct err *err)
{
    int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return config_error(err, "cannot be opened");
    if (fstat(fd, ret) < 0)
        return config_error(err, "cannot be examined");
    if (!S_ISREG(ret->st_mode))
        return err_set(err, ERR_CONFIG, "is not a regular file");
    if (ret->st_size > (off_t)CREDENTIALS_LIMIT)
        return err_set(err, ERR_CONFIG, "is larger than %zu bytes", CREDENTIALS_LIMIT);
    *ret_fd = fd;
    fd = -1;
    return true;
}

/* The content up to the limit; a file that grows while it is read is read to the limit. */
static bool read_bytes(int fd, struct strbuf *into, struct err *err)
{
    if (!strbuf_reserve(into, CREDENTIALS_LIMIT))
        return err_memory(err);
    while (into->length < CREDENTIALS_LIMIT) {
        ssize_t count = read(fd, into->data + into->length, CREDENTIALS_LIMIT - into->length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return config_error(err, "cannot be read");
        if (count == 0)
            break;
        into->length += (size_t)count;
    }
    into->data[into->length] = '\0';
    return true;
}

bool repository_read_file(const char *path, struct strbuf *ret, bool *ret_exposed, struct err *err)
{
    int fd CLEANUP(close_fd) = -1;
    struct stat status = {0};
    if (!open_credentials(path, &fd, &status, err) || !read_bytes(fd, ret, err))
        return false;
    *ret_exposed = status.st_mode & S_IROTH;
    return true;
}

static bool read_credentials(const char *configured, struct credentials *ret, bool *ret_exposed,
                             struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(wipe) = {0};
    return find_credentials(configured, &path, err) &&
           repository_read_file(strbuf_text(&path), &text, ret_exposed, err) &&
           credentials_parse(text.data, text.length, ret, err);
}

static bool missing_name(const struct credentials *credentials, const struct text_pair *mapped,
                         struct err *err)
{
    if (credentials->ignored_line)
        return err_set(err, ERR_CONFIG, "does not name %s (for %s); line %zu is no assignment",
                       mapped->value, mapped->name, credentials->ignored_line);
    return err_set(err, ERR_CONFIG, "does not name %s (for %s)", mapped->value, mapped->name);
}

/* One line of credentials.map: pgBackRest's option = name in the file. */
static bool add_credential(struct repository_env *env, const char *prefix,
                           const struct credentials *credentials, const struct text_pair *mapped,
                           struct err *err)
{
    struct strbuf option CLEANUP(strbuf_done) = {0};
    const char *value = credentials_get(credentials, mapped->value);
    if (!value)
        return missing_name(credentials, mapped, err);
    if (!*value)
        return err_set(err, ERR_CONFIG, "gives no value to %s (for %s)", mapped->value,
                       mapped->name);
    strbuf_puts(&option, prefix);
    strbuf_puts(&option, mapped->name);
    if (option.failed)
        return err_memory(err);
    return repository_env_hide(env, value, err) &&
           repository_env_set(env, strbuf_text(&option), value, err);
}

static bool map_credentials(struct repository_env *env, const char *prefix,
                            const struct repository_settings *settings, struct err *err)
{
    struct credentials credentials CLEANUP(credentials_done) = {0};
    if (!read_credentials(settings->credentials_file, &credentials, &env->world_readable, err))
        return false;
    for (size_t i = 0; i < settings->credentials_map.count; i++) {
        if (!add_credential(env, prefix, &credentials, &settings->credentials_map.items[i], err))
            return false;
    }
    return true;
}

static bool add_credentials(struct repository_env *env, const char *prefix,
                            const struct stanza_repository *repository, struct err *err)
{
    const struct repository_settings *settings = repository->settings;
    if (!settings || !settings->credentials_file)
        return true;
    if (map_credentials(env, prefix, settings, err))
        return true;
    return err->code == ERR_MEMORY
               ? false
               : err_prefix(err, "credentials file %s", settings->credentials_file);
}

static bool add_fixed(struct repository_env *env, struct err *err)
{
    static const char *const fixed[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (!append_item(env, strdup(fixed[i]), err))
            return false;
    }
    return true;
}

void repository_add_stanza(const struct stanza *stanza, struct strbuf *out)
{
    if (stanza->pgbackrest_config) {
        strbuf_puts(out, " --config=");
        strbuf_shell_word(out, stanza->pgbackrest_config);
    }
    strbuf_puts(out, " --stanza=");
    strbuf_shell_word(out, stanza->name);
}

void repository_add_own_command(const struct stanza_repository *repository, const char *command,
                                struct strbuf *out)
{
    const struct stanza *stanza = repository->stanza;
    strbuf_puts(out, "sudo -u postgres pgbackup_exporter");
    if (stanza->config_file) {
        strbuf_puts(out, " --config.file=");
        strbuf_shell_word(out, stanza->config_file);
    }
    strbuf_printf(out, " %s --stanza=", command);
    strbuf_shell_word(out, stanza->name);
    strbuf_printf(out, " --repo=%" PRId64, repository->key);
}

void repository_add_command(const struct stanza_repository *repository, const char *command,
                            struct strbuf *out)
{
    if (repository->in_pgbackrest_conf) {
        strbuf_puts(out, "sudo -u postgres pgbackrest");
        repository_add_stanza(repository->stanza, out);
        strbuf_printf(out, " --repo=%" PRId64 " %s", repository->key, command);
        return;
    }
    repository_add_own_command(repository, "run", out);
    strbuf_printf(out, " -- %s", command);
}

bool repository_env_begin(const struct stanza *stanza, struct repository_env *ret, struct err *err)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    if (!add_fixed(&env, err) || !add_options(&env, "", &stanza->options, err))
        return false;
    *ret = env;
    env = (struct repository_env){0};
    return true;
}

bool repository_env_add(struct repository_env *env, const struct stanza_repository *repository,
                        struct err *err)
{
    struct strbuf prefix CLEANUP(strbuf_done) = {0};
    strbuf_printf(&prefix, "repo%" PRId64 "-", repository->key);
    if (prefix.failed)
        return err_memory(err);
    return add_options(env, strbuf_text(&prefix), &repository->options, err) &&
           add_credentials(env, strbuf_text(&prefix), repository, err);
}

bool repository_env(const struct stanza_repository *repository, struct repository_env *ret,
                    struct err *err)
{
    struct repository_env env CLEANUP(repository_env_done) = {0};
    if (!repository_env_begin(repository->stanza, &env, err) ||
        !repository_env_add(&env, repository, err))
        return false;
    *ret = env;
    env = (struct repository_env){0};
    return true;
}

bool repository_env_pass(struct repository_env *env, const char *name, struct err *err)
{
    const char *value = getenv(name);
    struct strbuf item CLEANUP(strbuf_done) = {0};
    if (!value)
        return true;
    strbuf_printf(&item, "%s=%s", name, value);
    return append_item(env, strbuf_steal(&item), err);
}

void repository_env_done(struct repository_env *env)
{
    for (size_t i = 0; i < env->count; i++)
        secret_free(env->items[i]);
    free(env->items);
    text_list_done(&env->secrets);
    *env = (struct repository_env){0};
}

/* Length of the longest secret that text begins with, or 0: one may begin another. */
static size_t secret_length(const struct text_list *secrets, const char *text)
{
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        size_t length = strlen(secrets->items[i]);
        if (length > longest && strncmp(text, secrets->items[i], length) == 0)
            longest = length;
    }
    return longest;
}

void repository_redact(const struct repository_env *env, const char *text, struct strbuf *out)
{
    while (*text) {
        size_t length = secret_length(&env->secrets, text);
        if (length > 0)
            strbuf_puts(out, "***");
        else
            strbuf_putc(out, *text);
        text += length > 0 ? length : 1;
    }
}
