#include "exporter/commands/systemd.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"

#define FIRST_HANDED_OVER 3 /* systemd's own number */

/* What is told */

static char heard[1024];
static int notify_socket = -1;

/* Listen where $NOTIFY_SOCKET says, at an abstract address that is free. */
static void listen_for_notes(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    struct strbuf name = {0};
    notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(notify_socket, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    cr_assert_eq(getsockname(notify_socket, (struct sockaddr *)&address, &size), 0);
    strbuf_putc(&name, '@');
    strbuf_add(&name, address.sun_path + 1, size - sizeof(sa_family_t) - 1);
    setenv("NOTIFY_SOCKET", strbuf_text(&name), 1);
    strbuf_done(&name);
}

/* The next note; "" when there is none. */
static const char *next_note(void)
{
    ssize_t length = recv(notify_socket, heard, sizeof heard - 1, MSG_DONTWAIT);
    heard[length > 0 ? length : 0] = '\0';
    return heard;
}

Test(systemd, nobody_is_told_without_a_socket_to_tell)
{
    unsetenv("NOTIFY_SOCKET");
    cr_expect_not(systemd_is_told());
    systemd_ready();
    systemd_status("fine");
    systemd_reloading();
    systemd_feed();
    systemd_stopping();
}

Test(systemd, states_are_told_one_by_one)
{
    listen_for_notes();
    cr_expect(systemd_is_told());
    systemd_ready();
    cr_expect_str_eq(next_note(), "READY=1");
    systemd_feed();
    cr_expect_str_eq(next_note(), "WATCHDOG=1");
    systemd_stopping();
    cr_expect_str_eq(next_note(), "STOPPING=1");
    cr_expect_str_eq(next_note(), "");
}

Test(systemd, a_reload_is_told_with_its_time)
{
    listen_for_notes();
    int64_t before_ms = clock_monotonic_ms();
    systemd_reloading();
    static const char begin[] = "RELOADING=1\nMONOTONIC_USEC=";
    cr_assert_eq(strncmp(next_note(), begin, strlen(begin)), 0, "%s", heard);
    int64_t told_ms = strtoll(heard + strlen(begin), NULL, 10) / 1000;
    cr_expect_geq(told_ms, before_ms);
    cr_expect_leq(told_ms, clock_monotonic_ms());
}

Test(systemd, a_status_of_several_lines_is_no_other_message)
{
    listen_for_notes();
    systemd_status("the first\nWATCHDOG=trigger\r\tthe last");
    cr_expect_str_eq(next_note(), "STATUS=the first WATCHDOG=trigger  the last");
}

/* systemd drops a status that is not UTF-8, and the one before would stay. */
Test(systemd, a_status_is_utf_8_and_moves_no_terminal)
{
    listen_for_notes();
    systemd_status("caf\xE9 \x1B[2J \x7F \xC2\x9B");
    cr_expect_str_eq(next_note(), "STATUS=caf\xEF\xBF\xBD  [2J \xEF\xBF\xBD \xEF\xBF\xBD");
}

/* The watchdog */

Test(systemd, there_is_no_watchdog_without_one)
{
    unsetenv("WATCHDOG_USEC");
    cr_expect_eq(systemd_watchdog_ms(), 0);
}

Test(systemd, the_watchdog_of_this_process_tells_its_limit)
{
    struct strbuf pid = {0};
    strbuf_printf(&pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "60000000", 1);
    setenv("WATCHDOG_PID", strbuf_text(&pid), 1);
    cr_expect_eq(systemd_watchdog_ms(), 60000);
    strbuf_done(&pid);
}

Test(systemd, the_watchdog_of_another_process_is_not_ours)
{
    setenv("WATCHDOG_USEC", "60000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    cr_expect_eq(systemd_watchdog_ms(), 0);
}

/* Sockets: in a child, whose descriptors from 3 on can be what systemd would make them */

static int new_socket(int type, bool listening)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type, 0);
    if (fd >= 0 && listening &&
        (bind(fd, (struct sockaddr *)&any, sizeof any) != 0 || listen(fd, 1) != 0))
        return -1;
    return fd;
}

static bool hand_over(const int *sockets, int count)
{
    struct strbuf number = {0};
    for (int i = 0; i < count; i++) {
        if (dup2(sockets[i], FIRST_HANDED_OVER + i) < 0)
            return false;
    }
    strbuf_printf(&number, "%d", (int)getpid());
    setenv("LISTEN_PID", strbuf_text(&number), 1);
    strbuf_truncate(&number, 0);
    strbuf_printf(&number, "%d", count);
    setenv("LISTEN_FDS", strbuf_text(&number), 1);
    setenv("LISTEN_FDNAMES", count == 2 ? "first:second" : "first", 1);
    strbuf_done(&number);
    return true;
}

typedef bool trial(void);

/* Run it in a child, whose sockets of its own lie beyond those that are handed over. */
static void expect_in_child(trial *works)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(works() ? 0 : 1);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

static int beyond(int fd)
{
    return fcntl(fd, F_DUPFD, 100);
}

static bool takes_two(void)
{
    const int sockets[] = {beyond(new_socket(SOCK_STREAM, true)),
                           beyond(new_socket(SOCK_STREAM, true))};
    int *taken = NULL;
    size_t count = 0;
    struct err err = {0};
    return hand_over(sockets, 2) && systemd_take_sockets(&taken, &count, &err) && count == 2 &&
           taken[0] == FIRST_HANDED_OVER && taken[1] == FIRST_HANDED_OVER + 1 &&
           (fcntl(taken[1], F_GETFL) & O_NONBLOCK) && (fcntl(taken[1], F_GETFD) & FD_CLOEXEC) &&
           !getenv("LISTEN_FDS");
}

Test(systemd, every_listening_socket_is_taken_and_no_child_gets_it)
{
    expect_in_child(takes_two);
}

static bool refuses(int fd, const char *part)
{
    int *taken = NULL;
    size_t count = 7;
    struct err err = {0};
    const int sockets[] = {beyond(fd)};
    return hand_over(sockets, 1) && !systemd_take_sockets(&taken, &count, &err) &&
           err.code == ERR_CONFIG && strstr(err.text, part) && !taken && count == 7;
}

static bool refuses_a_connection(void)
{
    return refuses(new_socket(SOCK_STREAM, false), "as \"first\" is no listening stream socket");
}

static bool refuses_datagrams(void)
{
    return refuses(new_socket(SOCK_DGRAM, false), "as \"first\" is no listening stream socket");
}

Test(systemd, what_does_not_listen_is_refused_by_its_name)
{
    expect_in_child(refuses_a_connection);
    expect_in_child(refuses_datagrams);
}

Test(systemd, sockets_that_were_not_handed_over_are_an_error_that_says_what_to_do)
{
    int *taken = NULL;
    size_t count = 0;
    struct err err = {0};
    unsetenv("LISTEN_PID");
    cr_expect_not(systemd_take_sockets(&taken, &count, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, ".socket unit"), "%s", err.text);
}
