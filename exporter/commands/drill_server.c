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

#define PORT         "5432" /* of the socket's name; nothing listens on the network */
#define ASK_EVERY_MS 500
#define ASK_MS       5000
#define STOP_MS      60000
#define AT_ONCE_MS   10000
#define FILE_MODE    0600
#define LAST_BYTES   16384
#define LAST_LINES   4

/*
 * What a role or a database has set for itself counts more than postgresql.conf; this counts more
 * than either. A library that is not here would refuse every session.
 */
#define SESSION                                                                                    \
    "-c session_preload_libraries= -c local_preload_libraries= -c statement_timeout=0 "            \
    "-c lock_timeout=0 -c default_transaction_read_only=off"

#define EVENT_TRIGGERS_SINCE 17 /* that a session can begin with, and the setting against it */

#define BASE_ENVIRONMENT "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"
static const char *const environment[] = {BASE_ENVIRONMENT, "PGOPTIONS=" SESSION, NULL};

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

static void add_goal(const struct drill_server *server, struct strbuf *out)
{
    if (server->until)
        strbuf_printf(out, "recovery_target_time = '%s'\nrecovery_target_action = promote\n",
                      server->until);
    if (strtol(server->version, NULL, 10) >= EVENT_TRIGGERS_SINCE)
        strbuf_puts(out, "event_triggers = off\n");
}

static bool write_configuration(const struct drill_server *server, struct err *err)
{
    const char *root = server->scratch->path;
    struct strbuf main_file CLEANUP(strbuf_done) = {0};
    struct strbuf access CLEANUP(strbuf_done) = {0};
    struct strbuf nothing CLEANUP(strbuf_done) = {0};
    strbuf_puts(&main_file, settings);
    add_goal(server, &main_file);
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
    strbuf_puts(out, "port=" PORT " options='" SESSION "'");
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

void drill_server_stop_reason(const char *log, struct strbuf *out)
{
    static const char said[] = "LOG:  recovery stopping ";
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(log, "re");
    if (!file)
        return;
    while (getline(&line, &size, file) > 0) {
        const char *found = strstr(line, said);
        if (!found)
            continue;
        found += sizeof said - 1;
        strbuf_printf(out, "%.*s", (int)strcspn(found, "\n"), found);
        break;
    }
    free(line);
    fclose(file);
}
