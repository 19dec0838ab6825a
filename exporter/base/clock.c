#include "exporter/base/clock.h"

#include <limits.h>
#include <poll.h>
#include <time.h>

int64_t clock_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double clock_wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t milliseconds = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return (double)milliseconds / 1000;
}

struct bound bound_after(int64_t timeout_ms, int stop_fd)
{
    int64_t deadline_ms;
    if (__builtin_add_overflow(clock_monotonic_ms(), timeout_ms, &deadline_ms))
        deadline_ms = INT64_MAX; /* the clock is not negative, so the timeout was huge */
    return (struct bound){.deadline_ms = deadline_ms, .stop_fd = stop_fd};
}

int bound_remaining_ms(const struct bound *bound)
{
    int64_t left = bound->deadline_ms - clock_monotonic_ms();
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool bound_stopped(const struct bound *bound)
{
    struct pollfd stop = {.fd = bound->stop_fd, .events = POLLIN};
    return bound->stop_fd >= 0 && poll(&stop, 1, 0) > 0;
}
