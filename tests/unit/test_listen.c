#include "exporter/web/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "exporter/base/strbuf.h"

static int open_or_fail(const char *address)
{
    int fd = -1;
    struct err err = {0};
    cr_assert(listen_open(address, &fd, &err), "%s: %s", address, err.text);
    return fd;
}

static int family_of(int fd)
{
    int family = 0;
    socklen_t size = sizeof family;
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size), 0);
    return family;
}

Test(listen, binds_a_free_port_when_asked_for_port_0)
{
    int fd = open_or_fail("127.0.0.1:0");
    cr_expect_eq(family_of(fd), AF_INET);
    cr_expect_gt(listen_port(fd), 0);
    close(fd);
}

Test(listen, localhost_is_the_loopback_address)
{
    int fd = open_or_fail("localhost:0");
    cr_expect_eq(family_of(fd), AF_INET);
    close(fd);
}

Test(listen, an_ipv6_address_stands_in_brackets)
{
    int fd = open_or_fail("[::1]:0");
    cr_expect_eq(family_of(fd), AF_INET6);
    cr_expect_gt(listen_port(fd), 0);
    close(fd);
}

Test(listen, a_port_alone_takes_ipv6_and_ipv4)
{
    int v6_only = -1;
    socklen_t size = sizeof v6_only;
    int fd = open_or_fail(":0");
    cr_expect_eq(family_of(fd), AF_INET6);
    cr_assert_eq(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size), 0);
    cr_expect_eq(v6_only, 0);
    close(fd);
}

/* From here on socket(AF_INET6, ...) fails as on a machine without IPv6. */
static void lose_ipv6(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

Test(listen, a_port_alone_takes_ipv4_where_there_is_no_ipv6)
{
    lose_ipv6();
    int fd = open_or_fail(":0");
    cr_expect_eq(family_of(fd), AF_INET);
    cr_expect_gt(listen_port(fd), 0);
    close(fd);
}

Test(listen, an_ipv6_address_fails_where_there_is_no_ipv6)
{
    int fd;
    struct err err = {0};
    lose_ipv6();
    cr_expect_not(listen_open("[::1]:0", &fd, &err));
    cr_expect_str_eq(err.text,
                     "cannot listen on [::1]:0: Address family not supported by protocol");
}

Test(listen, the_socket_does_not_block_and_is_closed_on_exec)
{
    int fd = open_or_fail("127.0.0.1:0");
    cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

Test(listen, a_port_just_given_back_can_be_taken_again)
{
    int fd = open_or_fail("127.0.0.1:0");
    struct strbuf address = {0};
    strbuf_printf(&address, "127.0.0.1:%u", listen_port(fd));
    close(fd);
    fd = open_or_fail(strbuf_text(&address));
    close(fd);
    strbuf_done(&address);
}

Test(listen, a_malformed_address_is_refused_with_the_forms_there_are)
{
    int fd = -1;
    struct err err = {0};
    cr_expect_not(listen_open("10854", &fd, &err));
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect_str_eq(err.text, "listen address \"10854\" is none of \":PORT\", \"IPV4:PORT\", "
                               "\"[IPV6]:PORT\", \"localhost:PORT\"");
    cr_expect_eq(fd, -1);
}

Test(listen, only_numeric_addresses_with_a_port_in_range_are_taken)
{
    static const char *const malformed[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        ":65536",
        ":-1",
        ":+1",
        ": 1",
        ":1 ",
        ":0x50",
        "::1:80",
        "[::1]",
        "[::1:80",
        "[]:80",
        "[:80",
        "]:80",
        "[::1]80",
        "[127.0.0.1]:80",
        "127.0.0:80",
        "1:80",
        "*:80",
        "0x7f.1:80",
        "256.0.0.1:80",
        "127.0.0.1:http",
        "example.com:80",
        "Localhost:80",
        "http://127.0.0.1:80",
        ":99999999999999999999",
        "[fe80::1%lo]:80",
        "127.0.0.1:80:80",
    };
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        int fd = -1;
        struct err err = {0};
        cr_expect_not(listen_open(malformed[i], &fd, &err), "%s", malformed[i]);
        cr_expect_eq(err.code, ERR_CONFIG, "%s: %s", malformed[i], err.text);
    }
}

Test(listen, an_address_of_another_machine_is_a_system_error)
{
    int fd;
    struct err err = {0};
    cr_expect_not(listen_open("192.0.2.1:0", &fd, &err));
    cr_expect_eq(err.code, ERR_SYSTEM);
    cr_expect_str_eq(err.text, "cannot listen on 192.0.2.1:0: Cannot assign requested address");
}

Test(listen, a_socket_that_is_bound_to_nothing_has_port_0)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(listen_port(fd), 0);
    cr_expect_eq(listen_port(-1), 0);
    close(fd);
}
