#include "exporter/report/when.h"

#include <math.h>
#include <time.h>

#include "exporter/base/attrs.h"

#define LATEST 253402300799.0 /* the end of the year 9999 */

static const struct {
    double seconds;
    const char *name;
} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};

static size_t largest_unit(double seconds)
{
    size_t unit = 0;
    while (unit + 1 < COUNT_OF(units) && seconds < units[unit].seconds)
        unit++;
    return unit;
}

void when_add_span(struct strbuf *out, double seconds)
{
    if (!(seconds > 0)) /* NaN too */
        seconds = 0;
    size_t unit = largest_unit(seconds);
    double count = floor(seconds / units[unit].seconds);
    strbuf_printf(out, "%.0f %s", count, units[unit].name);
    if (unit + 1 == COUNT_OF(units))
        return;
    double rest = floor((seconds - count * units[unit].seconds) / units[unit + 1].seconds);
    if (rest > 0)
        strbuf_printf(out, " %.0f %s", rest, units[unit + 1].name);
}

bool when_is_time(double time)
{
    return time > 0 && time <= LATEST; /* false for NaN too */
}

void when_add_utc(struct strbuf *out, double time)
{
    struct tm utc;
    char text[40];
    time_t seconds = when_is_time(time) ? (time_t)time : 0;
    if (!seconds || !gmtime_r(&seconds, &utc)) {
        strbuf_puts(out, "never");
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    strbuf_puts(out, text);
}
