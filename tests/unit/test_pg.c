#include "exporter/sources/pg.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/base/strbuf.h"
#include "tests/unit/private_postgres.h"

static struct pg *open_pg(const char *conninfo)
{
    struct err err = {0};
    struct pg *pg = pg_open(NULL, conninfo, &err);
    cr_assert(pg, "%s", err.text);
    return pg;
}

static struct pg_rows *query(struct pg *pg, const char *statement)
{
    struct bound bound = bound_after(10000, -1);
    struct pg_rows *rows = NULL;
    struct err err = {0};
    cr_assert(pg_query(pg, statement, &bound, &rows, &err), "%s: %s", err_name(err.code), err.text);
    return rows;
}

/* Ask and fail, within the time; returns the milliseconds that it took. */
static int64_t query_fails(struct pg *pg, const char *statement, int64_t timeout_ms,
                           struct err *err)
{
    struct bound bound = bound_after(timeout_ms, -1);
    struct pg_rows *rows = NULL;
    int64_t start_ms = clock_monotonic_ms();
    cr_assert(!pg_query(pg, statement, &bound, &rows, err), "%s succeeded", statement);
    cr_assert_null(rows);
    cr_assert_null(strchr(err->text, '\n'), "%s", err->text);
    return clock_monotonic_ms() - start_ms;
}

static void assert_code(const struct err *err, enum err_code code, const char *wanted)
{
    cr_assert_eq(err->code, code, "%s: %s", err_name(err->code), err->text);
    cr_assert(strstr(err->text, wanted), "%s", err->text);
}

static void assert_fails(const char *conninfo, enum err_code code, const char *wanted)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(conninfo);
    struct err err = {0};
    query_fails(pg, "SELECT 1", 5000, &err);
    assert_code(&err, code, wanted);
}

/* Servers that are none. */

struct fake_server {
    int listener;
    int port;
    char *conninfo;
    pid_t pid;
};

static void listen_somewhere(struct fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct strbuf conninfo = {0};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(server->listener >= 0);
    cr_assert_eq(bind(server->listener, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(listen(server->listener, 8), 0);
    cr_assert_eq(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    strbuf_printf(&conninfo, "host=127.0.0.1 port=%d user=u password=geheim sslmode=disable",
                  server->port);
    server->conninfo = strbuf_steal(&conninfo);
}

/* Each connection is handed to `serve` in a child; a NULL one accepts nothing. */
static void fake_start(struct fake_server *server, void (*serve)(int connection))
{
    listen_somewhere(server);
    pid_t test = getpid();
    server->pid = serve ? fork() : 0;
    cr_assert(server->pid >= 0);
    if (!serve || server->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not stop it */
    if (getppid() != test)
        _exit(1);
    for (;;) {
        int connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            _exit(1);
        serve(connection);
        close(connection);
    }
}

static void fake_stop(struct fake_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    close(server->listener);
    free(server->conninfo);
}

static void never_answer(int connection UNUSED)
{
    pause();
}

static void read_some(int connection)
{
    char bytes[512];
    if (read(connection, bytes, sizeof bytes) < 0)
        _exit(1);
}

static void hang_up(int connection)
{
    read_some(connection);
}

static void send_all(int connection, const void *bytes, size_t length)
{
    if (send(connection, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        _exit(0);
}

static void answer_half(int connection)
{
    read_some(connection);
    send_all(connection, "R\0\0\0\x08\0", 6);
    pause();
}

static void answer_http(int connection)
{
    read_some(connection);
    send_all(connection, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    pause();
}

/* An error message of PostgreSQL that never ends, a byte at a time. */
static void drip(int connection)
{
    read_some(connection);
    send_all(connection, "E\0\0\x10\0S", 6);
    for (;;) {
        send_all(connection, "x", 1);
        usleep(5000);
    }
}

static const char greeting[] = "R\0\0\0\x08\0\0\0\0" /* authentication done */
                               "Z\0\0\0\x05I";       /* ready */

/* Lets the client in and never answers a query. */
static void greet_and_hang(int connection)
{
    read_some(connection);
    send_all(connection, greeting, sizeof greeting - 1);
    pause();
}

/* Lets the client in and sends a row description that is cut. */
static void greet_and_cut(int connection)
{
    read_some(connection);
    send_all(connection, greeting, sizeof greeting - 1);
    read_some(connection);
    send_all(connection, "T\0\0\0\x20\0\x01", 7);
}

static void assert_times_out(void (*serve)(int connection))
{
    struct fake_server server;
    fake_start(&server, serve);
    struct pg *pg = open_pg(server.conninfo);
    struct err err = {0};
    int64_t took_ms = query_fails(pg, "SELECT 1", 200, &err);
    assert_code(&err, ERR_TIMEOUT, "PostgreSQL at 127.0.0.1:");
    cr_assert(strstr(err.text, "did not answer within"), "%s", err.text);
    cr_assert(took_ms >= 190 && took_ms < 2000, "%ld ms", (long)took_ms);
    int64_t start_ms = clock_monotonic_ms();
    pg_close(pg);
    cr_assert(clock_monotonic_ms() - start_ms < 1000, "closing blocked");
    fake_stop(&server);
}

Test(pg, server_that_accepts_nothing_ends_at_the_deadline)
{
    assert_times_out(NULL);
}

Test(pg, server_that_never_answers_ends_at_the_deadline)
{
    assert_times_out(never_answer);
}

Test(pg, half_an_answer_ends_at_the_deadline)
{
    assert_times_out(answer_half);
}

Test(pg, dripping_bytes_end_at_the_deadline)
{
    assert_times_out(drip);
}

Test(pg, query_without_answer_ends_at_the_deadline)
{
    assert_times_out(greet_and_hang);
}

Test(pg, statement_that_nobody_reads_ends_at_the_deadline)
{
    size_t size = 32 << 20; /* more than both ends of a connection buffer */
    char *statement = malloc(size + 1);
    cr_assert(statement);
    memset(statement, ' ', size);
    statement[size] = '\0';
    struct fake_server server;
    fake_start(&server, greet_and_hang);
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct err err = {0};
    cr_assert(query_fails(pg, statement, 500, &err) < 5000);
    assert_code(&err, ERR_TIMEOUT, "did not answer within");
    free(statement);
    fake_stop(&server);
}

static void assert_fake_fails(void (*serve)(int connection), enum err_code code, const char *wanted)
{
    struct fake_server server;
    fake_start(&server, serve);
    assert_fails(server.conninfo, code, wanted);
    fake_stop(&server);
}

Test(pg, server_that_hangs_up_is_a_failed_connection)
{
    assert_fake_fails(hang_up, ERR_CONNECT, "server closed the connection unexpectedly");
}

Test(pg, answer_that_is_cut_is_a_failed_connection)
{
    assert_fake_fails(greet_and_cut, ERR_CONNECT, "server closed the connection unexpectedly");
}

Test(pg, something_else_that_listens_there_is_told_apart)
{
    assert_fake_fails(answer_http, ERR_PROTOCOL, "expected authentication request");
}

Test(pg, refused_connection_names_address_and_port)
{
    struct fake_server server;
    fake_start(&server, NULL);
    close(server.listener);
    assert_fails(server.conninfo, ERR_CONNECT, "Connection refused");
    fake_stop(&server);
}

Test(pg, missing_socket_is_a_failed_connection)
{
    assert_fails("host=/nonexistent/folder", ERR_CONNECT, "/nonexistent/folder/.s.PGSQL.5432");
}

Test(pg, a_stop_ends_the_wait_at_once)
{
    struct fake_server server;
    fake_start(&server, never_answer);
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    int pipe_fds[2];
    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
    struct bound bound = bound_after(10000, pipe_fds[0]);
    struct pg_rows *rows = NULL;
    struct err err = {0};
    int64_t start_ms = clock_monotonic_ms();
    cr_assert(!pg_query(pg, "SELECT 1", &bound, &rows, &err));
    assert_code(&err, ERR_STOPPED, "stopped");
    cr_assert(clock_monotonic_ms() - start_ms < 5000);
    fake_stop(&server);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    cr_assert(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

Test(pg, failures_leave_no_descriptor_behind)
{
    struct fake_server hanging, closing;
    fake_start(&hanging, never_answer);
    fake_start(&closing, hang_up);
    struct pg *first CLEANUP(pg_closep) = open_pg(hanging.conninfo);
    struct pg *second CLEANUP(pg_closep) = open_pg(closing.conninfo);
    size_t before = open_descriptors();
    struct err err = {0};
    for (int i = 0; i < 50; i++) {
        query_fails(first, "SELECT 1", 5, &err);
        query_fails(second, "SELECT 1", 2000, &err);
    }
    cr_assert_eq(open_descriptors(), before);
    fake_stop(&hanging);
    fake_stop(&closing);
}

Test(pg, next_address_of_a_list_is_tried_when_one_does_not_answer)
{
    struct fake_server hanging, closing;
    fake_start(&hanging, never_answer);
    fake_start(&closing, hang_up);
    struct strbuf conninfo = {0};
    strbuf_printf(&conninfo, "host=127.0.0.1,127.0.0.1 sslmode=disable user=u port=%d,%d",
                  hanging.port, closing.port);
    struct pg *pg CLEANUP(pg_closep) = open_pg(strbuf_text(&conninfo));
    struct err err = {0};
    int64_t took_ms = query_fails(pg, "SELECT 1", 1000, &err);
    assert_code(&err, ERR_CONNECT, "server closed the connection unexpectedly");
    cr_assert(took_ms >= 450, "%ld ms", (long)took_ms);
    strbuf_done(&conninfo);
    fake_stop(&hanging);
    fake_stop(&closing);
}

/* Connection strings. */

static void assert_unusable(const char *conninfo, const char *wanted)
{
    struct err err = {0};
    cr_assert_null(pg_open(NULL, conninfo, &err));
    assert_code(&err, ERR_CONFIG, wanted);
    cr_assert_null(strstr(err.text, "geheim"), "%s", err.text);
    cr_assert_null(strchr(err.text, '\n'));
}

Test(pg, conninfo_that_cannot_be_parsed_says_why)
{
    assert_unusable("hsot=/tmp", "invalid connection option \"hsot\"");
    assert_unusable("nonsense", "missing \"=\" after \"nonsense\"");
}

Test(pg, conninfo_with_a_password_is_never_quoted)
{
    assert_unusable("host=/tmp password=mein geheim", "not shown");
    assert_unusable("postgres://user:geheim@host:99x9x/db?geheim", "not shown");
    assert_unusable("postgres://user:half@geheim@host/db", "write %40");
}

Test(pg, option_that_libpq_refuses_is_an_error_of_the_configuration)
{
    assert_fails("host=/tmp sslmode=perhaps", ERR_CONFIG, "invalid sslmode value");
    assert_fails("host=127.0.0.1,127.0.0.2 port=1,2,3", ERR_CONFIG,
                 "could not match 3 port numbers");
    assert_fails("service=unknown host=/tmp", ERR_CONFIG, "\"unknown\" not found");
}

Test(pg, host_of_the_environment_counts)
{
    setenv("PGHOST", "/nonexistent/by-environment", 1);
    assert_fails("dbname=postgres", ERR_CONNECT, "/nonexistent/by-environment");
    setenv("PGHOST", ",127.0.0.1", 1); /* reaches our own list, not libpq's resolver */
    assert_fails("dbname=postgres", ERR_CONFIG, "empty entry");
}

Test(pg, close_takes_null)
{
    struct pg *pg = NULL;
    pg_close(NULL);
    pg_closep(&pg);
    pg_rows_free(NULL);
}

/* A real server. */

static struct private_postgres server;

static void start_server(void)
{
    private_postgres_start(&server, NULL);
}

static void end_server(void)
{
    private_postgres_done(&server);
}

TestSuite(pg_server, .init = start_server, .fini = end_server);

Test(pg_server, values_keep_their_kinds)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct pg_rows *rows CLEANUP(pg_rows_freep) =
        query(pg, "SELECT 'a', 1.5, true, false UNION ALL SELECT 'z', -2, false, true ORDER BY 1");
    cr_assert_eq(pg_rows_count(rows), 2);
    cr_assert_str_eq(pg_rows_text(rows, 1, 0), "z");
    cr_assert_eq(pg_rows_double(rows, 0, 1), 1.5);
    cr_assert_eq(pg_rows_double(rows, 1, 1), -2);
    cr_assert(pg_rows_bool(rows, 0, 2));
    cr_assert(!pg_rows_bool(rows, 0, 3));
}

Test(pg_server, null_is_told_from_empty)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct pg_rows *rows CLEANUP(pg_rows_freep) = query(pg, "SELECT NULL, ''");
    cr_assert(pg_rows_null(rows, 0, 0));
    cr_assert(!pg_rows_null(rows, 0, 1));
    cr_assert_str_eq(pg_rows_text(rows, 0, 0), "");
    cr_assert(isnan(pg_rows_double(rows, 0, 0)));
    cr_assert(isnan(pg_rows_double(rows, 0, 1)));
    cr_assert(!pg_rows_bool(rows, 0, 0));
}

Test(pg_server, what_is_no_number_is_not_a_number)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct pg_rows *rows CLEANUP(pg_rows_freep) = query(pg, "SELECT '12 rows', 'Infinity'::float8");
    cr_assert(isnan(pg_rows_double(rows, 0, 0)));
    cr_assert(isinf(pg_rows_double(rows, 0, 1)));
}

Test(pg_server, an_answer_larger_than_any_buffer_is_whole)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct pg_rows *rows CLEANUP(pg_rows_freep) =
        query(pg, "SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n");
    cr_assert_eq(pg_rows_count(rows), 5000);
    cr_assert_eq(pg_rows_double(rows, 4999, 0), 5000);
    cr_assert_eq(strlen(pg_rows_text(rows, 4999, 1)), 1000);
}

Test(pg_server, version_is_known_after_the_first_query)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    cr_assert_eq(pg_server_version(pg), 0);
    pg_rows_free(query(pg, "SELECT 1"));
    cr_assert_geq(pg_server_version(pg), 120000);
}

Test(pg_server, connection_is_kept_and_carries_our_name)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    static const char statement[] = "SELECT pg_backend_pid(), current_setting('application_name')";
    struct pg_rows *first CLEANUP(pg_rows_freep) = query(pg, statement);
    struct pg_rows *second CLEANUP(pg_rows_freep) = query(pg, statement);
    cr_assert_str_eq(pg_rows_text(first, 0, 0), pg_rows_text(second, 0, 0));
    cr_assert_str_eq(pg_rows_text(first, 0, 1), "pgbackup_exporter");
}

Test(pg_server, statements_cannot_write)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct err err = {0};
    query_fails(pg, "CREATE TABLE public.t()", 5000, &err);
    assert_code(&err, ERR_QUERY, "cannot execute CREATE TABLE in a read-only transaction");
}

Test(pg_server, search_path_of_the_role_cannot_change_what_is_asked)
{
    private_postgres_run(&server, "CREATE FUNCTION public.now() RETURNS text LANGUAGE sql AS "
                                  "$$ SELECT 'forged'::text $$");
    private_postgres_run(&server, "ALTER ROLE postgres SET search_path = public, pg_catalog");
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct pg_rows *rows CLEANUP(pg_rows_freep) = query(pg, "SELECT now()");
    cr_assert_str_neq(pg_rows_text(rows, 0, 0), "forged");
}

Test(pg_server, nothing_is_set_for_the_session)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    pg_rows_free(query(pg, "SELECT 1"));
    /* the ROLLBACK ends what the query itself has set: what is left is the session's */
    struct pg_rows *rows CLEANUP(pg_rows_freep) =
        query(pg, "ROLLBACK; SELECT count(*), current_setting('statement_timeout') "
                  "FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction%'");
    cr_assert_eq(pg_rows_double(rows, 0, 0), 0);
    cr_assert_str_eq(pg_rows_text(rows, 0, 1), "0");
}

Test(pg_server, slow_statement_ends_at_the_deadline_and_then_on_the_server)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct err err = {0};
    int64_t took_ms = query_fails(pg, "SELECT pg_sleep(30)", 300, &err);
    assert_code(&err, ERR_TIMEOUT, "did not answer within");
    cr_assert(took_ms < 2000, "%ld ms", (long)took_ms);
    private_postgres_await(&server,
                           "SELECT count(*) FROM pg_stat_activity "
                           "WHERE application_name = 'pgbackup_exporter'",
                           "0");
    pg_rows_free(query(pg, "SELECT 1"));
}

Test(pg_server, cancelled_statement_is_a_timeout)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct err err = {0};
    query_fails(pg, "SET LOCAL statement_timeout = 50; SELECT pg_sleep(30)", 5000, &err);
    assert_code(&err, ERR_TIMEOUT, "canceling statement due to statement timeout");
}

Test(pg_server, stopped_server_ends_at_the_deadline)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct pg *fresh CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct err err = {0};
    pg_rows_free(query(pg, "SELECT 1"));
    private_postgres_signal(&server, SIGSTOP);
    cr_assert(query_fails(pg, "SELECT 1", 200, &err) < 2000);
    assert_code(&err, ERR_TIMEOUT, server.folder);
    cr_assert(query_fails(fresh, "SELECT 1", 200, &err) < 2000);
    assert_code(&err, ERR_TIMEOUT, server.folder);
    private_postgres_signal(&server, SIGCONT);
    pg_rows_free(query(pg, "SELECT 1"));
}

Test(pg_server, restarted_server_is_reached_again_in_the_same_query)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    pg_rows_free(query(pg, "SELECT 1"));
    private_postgres_stop(&server);
    private_postgres_restart(&server, NULL);
    pg_rows_free(query(pg, "SELECT 1"));
}

Test(pg_server, terminated_connection_is_made_anew)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    pg_rows_free(query(pg, "SELECT 1"));
    private_postgres_run(&server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                  "WHERE application_name = 'pgbackup_exporter'");
    pg_rows_free(query(pg, "SELECT 1"));
}

Test(pg_server, server_that_went_away_is_a_failed_connection)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    struct err err = {0};
    pg_rows_free(query(pg, "SELECT 1"));
    private_postgres_stop(&server);
    query_fails(pg, "SELECT 1", 5000, &err);
    assert_code(&err, ERR_CONNECT, server.folder);
}

static void assert_server_refuses(const char *options, enum err_code code, const char *wanted)
{
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    strbuf_printf(&conninfo, "host=%s %s", server.folder, options);
    assert_fails(strbuf_text(&conninfo), code, wanted);
}

Test(pg_server, unknown_database_and_role_are_refused_credentials)
{
    assert_server_refuses("user=postgres dbname=nowhere", ERR_AUTH, "\"nowhere\" does not exist");
    assert_server_refuses("user=nobody dbname=postgres", ERR_AUTH, "\"nobody\" does not exist");
}

Test(pg_server, refusal_tells_its_sqlstate_and_not_the_place_in_the_source)
{
    struct err err = {0};
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    strbuf_printf(&conninfo, "host=%s user=postgres dbname=nowhere", server.folder);
    struct pg *pg CLEANUP(pg_closep) = open_pg(strbuf_text(&conninfo));
    query_fails(pg, "SELECT 1", 5000, &err);
    assert_code(&err, ERR_AUTH, "3D000");
    cr_assert_null(strstr(err.text, "LOCATION"), "%s", err.text);
}

static void set_authentication(const char *line)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s/data/pg_hba.conf", server.folder);
    FILE *file = fopen(strbuf_text(&path), "we");
    cr_assert(file);
    fprintf(file, "%s\nlocal all postgres trust\n", line);
    fclose(file);
    private_postgres_run(&server, "SELECT pg_reload_conf()");
    private_postgres_await(&server, "SELECT count(*) FROM pg_hba_file_rules", "2");
}

Test(pg_server, passwords_missing_and_wrong_are_refused_credentials)
{
    private_postgres_run(&server, "CREATE ROLE monitor LOGIN PASSWORD 'geheim'");
    set_authentication("local all monitor scram-sha-256");
    assert_server_refuses("user=monitor dbname=postgres passfile=/nonexistent", ERR_AUTH,
                          "no password supplied");
    assert_server_refuses("user=monitor dbname=postgres password=falsch", ERR_AUTH,
                          "password authentication failed");
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    strbuf_printf(&conninfo, "host=%s user=monitor dbname=postgres password=geheim", server.folder);
    struct pg *pg CLEANUP(pg_closep) = open_pg(strbuf_text(&conninfo));
    pg_rows_free(query(pg, "SELECT 1"));
}

Test(pg_server, missing_right_is_told_from_other_errors)
{
    private_postgres_run(&server, "CREATE ROLE plain LOGIN");
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    strbuf_printf(&conninfo, "host=%s user=plain dbname=postgres", server.folder);
    struct pg *pg CLEANUP(pg_closep) = open_pg(strbuf_text(&conninfo));
    struct err err = {0};
    query_fails(pg, "SELECT * FROM pg_ls_archive_statusdir()", 5000, &err);
    assert_code(&err, ERR_PERMISSION, "permission denied for function pg_ls_archive_statusdir");
    cr_assert(strstr(err.text, server.folder), "%s", err.text);
    query_fails(pg, "SELECT 1/0", 5000, &err);
    assert_code(&err, ERR_QUERY, "division by zero");
}

Test(pg_server, server_without_free_connections_is_a_failed_connection)
{
    private_postgres_run(&server, "CREATE ROLE plain LOGIN CONNECTION LIMIT 0");
    assert_server_refuses("user=plain dbname=postgres", ERR_CONNECT, "too many connections");
}

Test(pg_server, notices_do_not_reach_stderr)
{
    FILE *captured = tmpfile();
    cr_assert(captured);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    pg_rows_free(query(pg, "DO $$ BEGIN RAISE WARNING 'hear me'; END $$"));
    dup2(kept, STDERR_FILENO);
    close(kept);
    cr_assert_eq(ftell(captured), 0);
    fseek(captured, 0, SEEK_END);
    cr_assert_eq(ftell(captured), 0);
    fclose(captured);
}

Test(pg_server, the_postmaster_listens_on_a_local_socket)
{
    struct pg *pg CLEANUP(pg_closep) = open_pg(server.conninfo);
    cr_assert_eq(pg_server_process(pg), 0, "before the first connection");
    pg_rows_free(query(pg, "SELECT 1"));
    cr_assert_eq(pg_server_process(pg), server.pid);
}

Test(pg, tells_an_outage_from_a_failure_of_ours)
{
    cr_assert(pg_failure_is_outage(ERR_CONNECT));
    cr_assert(pg_failure_is_outage(ERR_PERMISSION));
    cr_assert(!pg_failure_is_outage(ERR_MEMORY));
    cr_assert(!pg_failure_is_outage(ERR_QUERY));
    cr_assert(!pg_failure_is_outage(ERR_STOPPED));
}
