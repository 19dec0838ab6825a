#include "exporter/web/connections.h"

#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "exporter/base/strbuf.h"

#define NEVER_MS 3600000

/* A watched end and the other one, which sees when the first is shut down. */
struct pair {
    int watched, other;
    struct connection *connection;
};

static struct connections *start(int64_t exchange_ms, int64_t crowded_exchange_ms, size_t crowded)
{
    struct connections *connections;
    struct err err = {0};
    struct connection_limits limits = {exchange_ms, crowded_exchange_ms, crowded};
    cr_assert(connections_start(&limits, &connections, &err), "%s", err.text);
    return connections;
}

static struct pair watch_new(struct connections *connections)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return (struct pair){ends[0], ends[1], connections_add(connections, ends[0])};
}

static bool ended(const struct pair *pair, int within_ms)
{
    struct pollfd end = {.fd = pair->other, .events = POLLIN};
    return poll(&end, 1, within_ms) == 1;
}

static void done(struct connections *connections, struct pair *pair)
{
    connections_remove(connections, pair->connection);
    close(pair->watched);
    close(pair->other);
}

Test(connections, an_exchange_beyond_its_limit_is_ended)
{
    struct connections *connections = start(1, NEVER_MS, 100);
    struct pair pair = watch_new(connections);
    cr_expect(ended(&pair, 3000));
    done(connections, &pair);
    connections_stop(connections);
}

Test(connections, an_exchange_within_its_limit_goes_on)
{
    struct connections *connections = start(NEVER_MS, 1, 100);
    struct pair pair = watch_new(connections);
    cr_expect_not(ended(&pair, 1500));
    done(connections, &pair);
    connections_stop(connections);
}

Test(connections, a_renewed_exchange_has_its_whole_time_again)
{
    struct connections *connections = start(1600, NEVER_MS, 100);
    struct pair renewed = watch_new(connections);
    struct pair left = watch_new(connections);
    for (int i = 0; i < 6; i++) {
        poll(NULL, 0, 500);
        connections_renew(connections, renewed.connection);
    }
    cr_expect_not(ended(&renewed, 0));
    cr_expect(ended(&left, 0));
    done(connections, &renewed);
    done(connections, &left);
    connections_stop(connections);
}

Test(connections, a_crowd_has_a_limit_of_its_own)
{
    struct connections *connections = start(NEVER_MS, 1, 2);
    struct pair first = watch_new(connections);
    cr_expect_not(ended(&first, 1500));
    struct pair second = watch_new(connections);
    cr_expect(ended(&first, 3000));
    cr_expect(ended(&second, 3000));
    done(connections, &first);
    done(connections, &second);
    connections_stop(connections);
}

Test(connections, one_that_was_removed_is_left_alone)
{
    struct connections *connections = start(1, NEVER_MS, 100);
    struct pair pair = watch_new(connections);
    connections_remove(connections, pair.connection);
    pair.connection = NULL;
    cr_expect_not(ended(&pair, 1500));
    done(connections, &pair);
    connections_stop(connections);
}

Test(connections, those_that_leave_end_the_crowd)
{
    struct connections *connections = start(NEVER_MS, 1, 2);
    struct pair first = watch_new(connections);
    struct pair second = watch_new(connections);
    done(connections, &second);
    cr_expect_not(ended(&first, 1500));
    done(connections, &first);
    connections_stop(connections);
}

/* How often the other threads of this process have been woken. */
static long wake_ups(void)
{
    long sum = 0;
    char line[256];
    DIR *folder = opendir("/proc/self/task");
    cr_assert_not_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        struct strbuf path = {0};
        strbuf_printf(&path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = strtol(entry->d_name, NULL, 10) == getpid() || *entry->d_name == '.'
                           ? NULL
                           : fopen(strbuf_text(&path), "re");
        while (status && fgets(line, sizeof line, status)) {
            if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
                sum += strtol(line + 24, NULL, 10);
        }
        if (status)
            fclose(status);
        strbuf_done(&path);
    }
    closedir(folder);
    return sum;
}

Test(connections, sleeps_while_nobody_can_be_too_slow_yet)
{
    struct connections *connections = start(NEVER_MS, NEVER_MS, 100);
    struct pair pair = watch_new(connections);
    poll(NULL, 0, 300); /* it has begun to sleep */
    long before = wake_ups();
    poll(NULL, 0, 2500);
    cr_expect_leq(wake_ups() - before, 1);
    done(connections, &pair);
    connections_stop(connections);
}

Test(connections, one_who_comes_after_a_sleep_is_watched_too)
{
    struct connections *connections = start(1, NEVER_MS, 100);
    struct pair first = watch_new(connections);
    cr_expect(ended(&first, 3000));
    done(connections, &first);
    poll(NULL, 0, 500); /* with nobody there it sleeps until it is woken */
    struct pair second = watch_new(connections);
    cr_expect(ended(&second, 3000));
    done(connections, &second);
    connections_stop(connections);
}

Test(connections, all_take_null)
{
    struct connections *connections = start(1, 1, 1);
    connections_renew(connections, NULL);
    connections_remove(connections, NULL);
    connections_stop(connections);
    connections_stop(NULL);
}
