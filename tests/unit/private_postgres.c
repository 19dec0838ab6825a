#include "tests/unit/private_postgres.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"

#define FOLDER_VARIABLE "PRIVATE_POSTGRES_FOLDER"
#define WAIT_MS         20000

static char *format(const char *text, const char *value)
{
    struct strbuf out = {0};
    strbuf_printf(&out, "%s%s", text, value);
    return strbuf_steal(&out);
}

/* A program of the newest PostgreSQL installed. */
static char *find_program(const char *name)
{
    char *pattern = format("/usr/lib/postgresql/*/bin/", name);
    glob_t found = {0};
    int failed = glob(pattern, 0, NULL, &found);
    cr_assert(!failed && found.gl_pathc > 0, "no %s", pattern);
    char *path = strdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    free(pattern);
    return path;
}

/* PostgreSQL refuses root: become the user that its package makes. */
static void drop_root(void)
{
    if (geteuid() != 0)
        return;
    const struct passwd *user = getpwnam("postgres");
    if (!user || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
        _exit(126);
}

static void silence(const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(125);
}

/* execv() takes its list without const, and changes nothing. */
static _Noreturn void exec(const char *const argv[])
{
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static pid_t spawn(const char *const argv[], const char *log)
{
    pid_t parent = getpid(), pid = fork();
    cr_assert(pid >= 0);
    if (pid > 0)
        return pid;
    drop_root();
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent || chdir("/") != 0)
        _exit(124);
    silence(log);
    exec(argv);
}

static bool run(const char *const argv[], const char *log)
{
    int status = -1;
    pid_t pid = spawn(argv, log);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* The folder itself is made before any test; its cluster when the first test asks for it. */
static void make_folder(void)
{
    char folder[] = "/tmp/pgbackup-unit-XXXXXX";
    if (!mkdtemp(folder) || chmod(folder, 0777) != 0) /* the server's user writes in it, too */
        abort();
    setenv(FOLDER_VARIABLE, folder, 1);
}

static void remove_folder(void)
{
    char *folder = getenv(FOLDER_VARIABLE);
    const char *const argv[] = {"/bin/rm", "-rf", folder, NULL};
    pid_t pid = folder ? fork() : -1;
    if (pid == 0)
        exec(argv);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests UNUSED)
{
    make_folder();
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats UNUSED)
{
    remove_folder();
}

static void make_template(const char *folder, const char *path)
{
    char *log = format(folder, "/log"), *program = find_program("initdb");
    char *unfinished = format(path, ".new");
    const char *const argv[] = {program,    "-D",           unfinished,        "-U",
                                "postgres", "--auth=trust", "--no-sync",       "--no-locale",
                                "-E",       "UTF8",         "--wal-segsize=1", "--no-instructions",
                                NULL};
    cr_assert(run(argv, log), "initdb failed: see %s", log);
    cr_assert(rename(unfinished, path) == 0);
    free(unfinished);
    free(program);
    free(log);
}

/* Made by the first test that needs it, others wait. */
static char *template_path(void)
{
    const char *folder = getenv(FOLDER_VARIABLE);
    cr_assert(folder);
    char *path = format(folder, "/template");
    char *lock_path = format(folder, "/lock");
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(lock >= 0 && flock(lock, LOCK_EX) == 0);
    if (access(path, F_OK) != 0)
        make_template(folder, path);
    close(lock);
    free(lock_path);
    return path;
}

static char *make_server_folder(void)
{
    char *folder = format(getenv(FOLDER_VARIABLE), "/server-XXXXXX");
    cr_assert(mkdtemp(folder));
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    cr_assert(!user || chown(folder, user->pw_uid, user->pw_gid) == 0);
    cr_assert(chmod(folder, 0755) == 0);
    return folder;
}

static void copy_template(const char *folder)
{
    char *template = template_path(), *data = format(folder, "/data"),
         *log = format(folder, "/log");
    const char *const argv[] = {"/bin/cp", "-a", template, data, NULL};
    cr_assert(run(argv, log));
    free(template);
    free(data);
    free(log);
}

static PGconn *connect_as_superuser(const struct private_postgres *server)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    for (;;) {
        PGconn *connection = PQconnectdb(server->conninfo);
        if (PQstatus(connection) == CONNECTION_OK)
            return connection;
        cr_assert(clock_monotonic_ms() < deadline_ms, "%s", PQerrorMessage(connection));
        cr_assert(waitpid(server->pid, NULL, WNOHANG) == 0, "the server ended: %s/log",
                  server->folder);
        PQfinish(connection);
        usleep(10000);
    }
}

void private_postgres_restart(struct private_postgres *server, const char *const *settings)
{
    static const char *const fixed[] = {"listen_addresses=",  "fsync=off",
                                        "autovacuum=off",     "shared_buffers=1MB",
                                        "max_connections=20", NULL};
    const char *const *const lists[] = {fixed, settings};
    char *program = find_program("postgres");
    char *data = format(server->folder, "/data"), *log = format(server->folder, "/log");
    const char *argv[64] = {program, "-D", data, "-k", server->folder};
    size_t count = 5;
    for (size_t list = 0; list < COUNT_OF(lists); list++) {
        for (const char *const *setting = lists[list]; setting && *setting; setting++) {
            cr_assert(count + 2 < COUNT_OF(argv));
            argv[count++] = "-c";
            argv[count++] = *setting;
        }
    }
    server->pid = spawn(argv, log);
    PQfinish(connect_as_superuser(server));
    free(program);
    free(data);
    free(log);
}

void private_postgres_start(struct private_postgres *server, const char *const *settings)
{
    server->folder = make_server_folder();
    server->conninfo = format("user=postgres dbname=postgres host=", server->folder);
    copy_template(server->folder);
    private_postgres_restart(server, settings);
}

static void stop(struct private_postgres *server, int signal)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void private_postgres_stop(struct private_postgres *server)
{
    stop(server, SIGQUIT); /* the postmaster ends its children */
}

void private_postgres_stop_in_order(struct private_postgres *server)
{
    stop(server, SIGINT);
}

void private_postgres_make_standby(const struct private_postgres *server)
{
    char *path = format(server->folder, "/data/standby.signal");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert(fd >= 0);
    close(fd);
    free(path);
}

void private_postgres_done(struct private_postgres *server)
{
    if (server->pid > 0)
        private_postgres_signal(server, SIGCONT);
    private_postgres_stop(server);
    free(server->folder);
    free(server->conninfo);
    *server = (struct private_postgres){0};
}

/* Each backend leads a group of its own: find them by their parent. */
static void signal_children(pid_t parent, int signal)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *list = fopen(path, "re");
    cr_assert(list);
    char *line = NULL;
    size_t size = 0;
    const char *at = getline(&line, &size, list) > 0 ? line : "";
    fclose(list);
    for (;;) {
        char *end = NULL;
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        kill((pid_t)child, signal);
        at = end;
    }
    free(line);
}

void private_postgres_signal(const struct private_postgres *server, int signal)
{
    kill(server->pid, signal);
    signal_children(server->pid, signal);
}

char *private_postgres_ask(const struct private_postgres *server, const char *statement)
{
    PGconn *connection = connect_as_superuser(server);
    PGresult *result = PQexec(connection, statement);
    ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s",
              PQerrorMessage(connection));
    char *value = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return value;
}

void private_postgres_run(const struct private_postgres *server, const char *statement)
{
    free(private_postgres_ask(server, statement));
}

void private_postgres_await(const struct private_postgres *server, const char *statement,
                            const char *wanted)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS / 2;
    for (;;) {
        char *value = private_postgres_ask(server, statement);
        bool equal = strcmp(value, wanted) == 0;
        cr_assert(equal || clock_monotonic_ms() < deadline_ms, "%s: still %s", statement, value);
        free(value);
        if (equal)
            return;
        usleep(20000);
    }
}
