#include "exporter/commands/drill_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/base/replace.h"
#include "exporter/config/file.h"
#include "exporter/sources/pg.h"

#define PORT          "5432" /* of the socket's name; nothing listens on the network */
#define ASK_EVERY_MS  500
#define ASK_MS        5000
#define STOP_MS       60000
#define AT_ONCE_MS    10000
#define FILE_MODE     0600
#define LAST_BYTES    16384
#define LAST_LINES    4
#define VERSION_LIMIT 4096

#define BASE_ENVIRONMENT "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"
static const char *const environment[] = {BASE_ENVIRONMENT, NULL};

/* ---- finding the programs ---- */

/* "%s" is the major version. */
static const char *const folders[] = {
    "/usr/lib/postgresql/%s/bin", /* Debian, PGDG's packages for it */
    "/usr/pgsql-%s/bin",          /* PGDG's packages for Red Hat */
    "/usr/local/pgsql-%s/bin",
    "/usr/local/pgsql/bin",              /* built by hand */
    "/run/current-system/sw/bin",        /* NixOS */
    "/nix/var/nix/profiles/default/bin", /* Nix elsewhere */
    "/usr/bin",
};

/* "postgres (PostgreSQL) 15.8 (Debian ...)" of version "15". */
static bool is_version(const char *said, const char *version)
{
    static const char name[] = "(PostgreSQL) ";
    const char *found = strstr(said, name);
    size_t length = strlen(version);
    if (!found || strncmp(found + sizeof name - 1, version, length) != 0)
        return false;
    char next = found[sizeof name - 1 + length];
    return next < '0' || next > '9';
}

/* What `postgres --version` of a folder says; false: there is none that can be run. */
static bool ask_version(struct proc_pool *pool, const char *folder, const struct bound *bound,
                        struct strbuf *out)
{
    struct strbuf program CLEANUP(strbuf_done) = {0};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    struct err err = {0};
    strbuf_printf(&program, "%s/postgres", folder);
    if (access(strbuf_text(&program), X_OK) != 0)
        return false;
    const char *const argv[] = {strbuf_text(&program), "--version", NULL};
    const struct proc_spec spec = {
        .argv = argv, .envp = environment, .output_limit = VERSION_LIMIT};
    bool ran = proc_run(pool, &spec, bound, &result, &err);
    if (ran)
        strbuf_puts(out, strbuf_text(&result.output));
    return ran;
}

static bool has_version(struct proc_pool *pool, const char *folder, const char *version,
                        const struct bound *bound)
{
    struct strbuf said CLEANUP(strbuf_done) = {0};
    return ask_version(pool, folder, bound, &said) && is_version(strbuf_text(&said), version);
}

static void add_folder(struct strbuf *out, const char *pattern, const char *version)
{
    const char *place = strstr(pattern, "%s");
    if (place)
        strbuf_printf(out, "%.*s%s%s", (int)(place - pattern), pattern, version, place + 2);
    else
        strbuf_puts(out, pattern);
}

bool drill_server_find(struct proc_pool *pool, const char *version, const char *given,
                       const struct bound *bound, char **ret, struct err *err)
{
    struct strbuf looked CLEANUP(strbuf_done) = {0};
    if (given && has_version(pool, given, version, bound)) {
        *ret = strdup(given);
        return *ret || err_memory(err);
    }
    if (given)
        return err_set(err, ERR_CONFIG, "%s/postgres is no PostgreSQL %s (--postgres-bin)", given,
                       version);
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct strbuf folder CLEANUP(strbuf_done) = {0};
        add_folder(&folder, folders[i], version);
        if (has_version(pool, strbuf_text(&folder), version, bound)) {
            *ret = strbuf_steal(&folder);
            return *ret || err_memory(err);
        }
        strbuf_printf(&looked, " %s", strbuf_text(&folder));
    }
    return err_set(err, ERR_CONFIG,
                   "no PostgreSQL %s, which the backup is of, is installed here: looked in%s; "
                   "install it, or name its folder by --postgres-bin",
                   version, strbuf_text(&looked));
}

/* ---- configuration ---- */

static bool is_recovery_line(const char *line)
{
    static const char *const names[] = {"restore_command", "recovery_target"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

void drill_server_recovery_lines(const char *text, size_t length, struct strbuf *out)
{
    const char *end = text + length;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t width = stop ? (size_t)(stop - text) + 1 : (size_t)(end - text);
        if (is_recovery_line(text))
            strbuf_add(out, text, width);
        text += width;
    }
}

static bool write_file(const char *folder, const char *name, const struct strbuf *text,
                       struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s/%s", folder, name);
    if (path.failed || text->failed)
        return err_memory(err);
    return replace_file(strbuf_text(&path), strbuf_text(text), text->length, FILE_MODE, err);
}

static bool strip_auto_conf(const struct drill_server *server, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct strbuf kept CLEANUP(strbuf_done) = {0};
    bool missing = false; /* an offline backup needs no recovery */
    strbuf_printf(&path, "%s/postgresql.auto.conf", server->scratch->data);
    if (path.failed)
        return err_memory(err);
    if (!config_file_read(strbuf_text(&path), &text, &missing, err))
        return false;
    drill_server_recovery_lines(strbuf_text(&text), text.length, &kept);
    return write_file(server->scratch->data, "postgresql.auto.conf", &kept, err);
}

/* A value of postgresql.conf in quotes. */
static void add_path(struct strbuf *out, const char *name, const char *folder, const char *file)
{
    strbuf_printf(out, "%s = '", name);
    for (const char *c = folder; *c; c++) {
        if (*c == '\'')
            strbuf_putc(out, '\'');
        strbuf_putc(out, *c);
    }
    strbuf_printf(out, "%s'\n", file);
}

/* Each of these was seen to keep a restored server from starting, or to let it do harm. */
static const char settings[] = "listen_addresses = ''\n"
                               "port = " PORT "\n"
                               "hot_standby = off\n"
                               "archive_mode = off\n"
                               "archive_cleanup_command = ''\n"
                               "recovery_end_command = ''\n"
                               "primary_conninfo = ''\n"
                               "shared_preload_libraries = ''\n"
                               "session_preload_libraries = ''\n"
                               "local_preload_libraries = ''\n"
                               "synchronous_standby_names = ''\n"
                               "max_prepared_transactions = 1000\n" /* as many as it may find */
                               "max_logical_replication_workers = 0\n"
                               "autovacuum = off\n"
                               "ssl = off\n"
                               "huge_pages = off\n"
                               "shared_buffers = 128MB\n"
                               "logging_collector = off\n"
                               "log_destination = 'stderr'\n"
                               "external_pid_file = ''\n"
                               "cluster_name = 'restore drill'\n"
                               "dynamic_shared_memory_type = mmap\n"
                               "fsync = off\n"; /* it is deleted in the end */

static bool write_configuration(const struct drill_server *server, struct err *err)
{
    const char *root = server->scratch->path;
    struct strbuf main_file CLEANUP(strbuf_done) = {0};
    struct strbuf access CLEANUP(strbuf_done) = {0};
    struct strbuf nothing CLEANUP(strbuf_done) = {0};
    strbuf_puts(&main_file, settings);
    add_path(&main_file, "unix_socket_directories", server->scratch->socket, "");
    add_path(&main_file, "hba_file", root, "/pg_hba.conf");
    add_path(&main_file, "ident_file", root, "/pg_ident.conf");
    /* The folder of the socket is closed to everyone else. */
    strbuf_puts(&access, "local all all trust\n");
    return write_file(root, "postgresql.conf", &main_file, err) &&
           write_file(root, "pg_hba.conf", &access, err) &&
           write_file(root, "pg_ident.conf", &nothing, err) && strip_auto_conf(server, err);
}

/* ---- running ---- */

/* Where systemd put our credentials: restore_command runs this program, which asks for them. */
static void add_credentials_place(struct strbuf *out)
{
    const char *place = getenv("CREDENTIALS_DIRECTORY");
    if (place)
        strbuf_printf(out, "CREDENTIALS_DIRECTORY=%s", place);
}

bool drill_server_start(struct drill_server *server, struct err *err)
{
    struct strbuf program CLEANUP(strbuf_done) = {0};
    struct strbuf file CLEANUP(strbuf_done) = {0};
    struct strbuf credentials CLEANUP(strbuf_done) = {0};
    if (!write_configuration(server, err))
        return false;
    add_credentials_place(&credentials);
    strbuf_printf(&program, "%s/postgres", server->programs);
    strbuf_printf(&file, "config_file=%s/postgresql.conf", server->scratch->path);
    if (program.failed || file.failed || credentials.failed)
        return err_memory(err);
    const char *const argv[] = {strbuf_text(&program), "-D", server->scratch->data, "-c",
                                strbuf_text(&file),    NULL};
    const char *const envp[] = {BASE_ENVIRONMENT,
                                credentials.length ? strbuf_text(&credentials) : NULL, NULL};
    return companion_start(
        &(struct companion_spec){
            .argv = argv, .envp = envp, .log = server->scratch->log, .end_signal = SIGQUIT},
        &server->process, err);
}

void drill_server_conninfo(const struct drill_server *server, const char *database,
                           struct strbuf *out)
{
    const char *const values[] = {"host",  server->scratch->socket, "user", server->user, "dbname",
                                  database};
    strbuf_puts(out, "port=" PORT);
    for (size_t i = 0; i < COUNT_OF(values); i += 2) {
        strbuf_printf(out, " %s='", values[i]);
        for (const char *c = values[i + 1]; *c; c++) {
            if (*c == '\'' || *c == '\\')
                strbuf_putc(out, '\\');
            strbuf_putc(out, *c);
        }
        strbuf_putc(out, '\'');
    }
}

/* Whether it answers and is no longer in recovery; anything else may still come. */
static bool is_ready(struct pg *pg, const struct drill_server *server)
{
    struct err err = {0};
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct bound bound = bound_after(ASK_MS, server->guard->bound.stop_fd);
    return pg_query(pg, "SELECT pg_is_in_recovery()", &bound, &rows, &err) &&
           pg_rows_count(rows) == 1 && !pg_rows_bool(rows, 0, 0);
}

static bool says_ended(const struct drill_server *server, const char *program, struct err *err)
{
    struct strbuf words CLEANUP(strbuf_done) = {0};
    drill_server_last_words(server->scratch->log, &words);
    return err_set(err, ERR_EXIT, "%s: %s", program, strbuf_text(&words));
}

bool drill_server_wait(struct drill_server *server, struct err *err)
{
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    drill_server_conninfo(server, "postgres", &conninfo);
    struct pg *pg CLEANUP(pg_closep) = pg_open(server->pool, strbuf_text(&conninfo), err);
    if (!pg)
        return false;
    while (!is_ready(pg, server)) {
        if (companion_has_ended(&server->process))
            return says_ended(server, "the restored server does not start", err);
        if (!drill_guard_allows(server->guard, err))
            return false;
        poll(NULL, 0, ASK_EVERY_MS);
    }
    return true;
}

bool drill_server_stop(struct drill_server *server, struct err *err)
{
    if (!server->process.started)
        return true;
    companion_end(&server->process, SIGINT, STOP_MS); /* "fast": it writes a last checkpoint */
    companion_end(&server->process, SIGQUIT, AT_ONCE_MS);
    return companion_succeeded(&server->process) ||
           says_ended(server, "the restored server did not stop well", err);
}

bool drill_server_run(const struct drill_server *server, const char *program,
                      const char *const *arguments, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct companion child = {0};
    const char *argv[32];
    size_t count = 0;
    strbuf_printf(&path, "%s/%s", server->programs, program);
    argv[count++] = strbuf_text(&path);
    while (*arguments && count + 1 < COUNT_OF(argv))
        argv[count++] = *arguments++;
    argv[count] = NULL;
    const struct companion_spec spec = {
        .argv = argv, .envp = environment, .log = server->scratch->log, .end_signal = SIGKILL};
    if (!companion_start(&spec, &child, err))
        return false;
    bool ended = drill_guard_wait(server->guard, &child, err);
    companion_end(&child, SIGTERM, AT_ONCE_MS);
    if (!ended)
        return err_prefix(err, "%s", program);
    return companion_succeeded(&child) || says_ended(server, program, err);
}

/* ---- the log ---- */

/* The end of a file of our own; what is longer is cut at its front. */
static void read_end(const char *path, struct strbuf *out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    off_t from =
        fstat(fd, &status) == 0 && status.st_size > LAST_BYTES ? status.st_size - LAST_BYTES : 0;
    if (strbuf_reserve(out, LAST_BYTES)) {
        ssize_t length = pread(fd, out->data + out->length, LAST_BYTES, from);
        out->length += length > 0 ? (size_t)length : 0;
    }
    close(fd);
}

static bool tells_of_error(const char *line)
{
    static const char *const words[] = {"FATAL", "PANIC", "ERROR", "error:", "LOG:  invalid"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strstr(line, words[i]))
            return true;
    }
    return false;
}

/* The last lines that tell of an error, in their order. */
static void add_lines(char *text, struct strbuf *out)
{
    const char *found[LAST_LINES] = {0};
    const char *last = "it said nothing";
    size_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        last = line;
        if (tells_of_error(line))
            found[count++ % LAST_LINES] = line;
    }
    if (count == 0)
        strbuf_puts(out, last);
    for (size_t i = count > LAST_LINES ? count - LAST_LINES : 0; i < count; i++)
        strbuf_printf(out, "%s%s", out->length ? "; " : "", found[i % LAST_LINES]);
}

void drill_server_last_words(const char *log, struct strbuf *out)
{
    struct strbuf text = {0};
    read_end(log, &text);
    strbuf_putc(&text, '\n');
    char *lines = strbuf_steal(&text);
    if (lines)
        add_lines(lines, out);
    free(lines);
}
