#include "exporter/report/span.h"

#include <math.h>

#include "exporter/base/attrs.h"

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

void span_add(struct strbuf *out, double seconds)
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
