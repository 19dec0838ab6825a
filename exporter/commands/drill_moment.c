#include "exporter/commands/drill_moment.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define MS_PER_S 1000

/* From 0 on and below 1; 0 where the kernel has no chance to give. */
static double chance(void)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return 0;
    return (double)number / ((double)UINT32_MAX + 1);
}

double drill_moment_between(double begin, double end)
{
    double moment = floor((begin + chance() * (end - begin)) * MS_PER_S) / MS_PER_S;
    return moment > begin && moment < end ? moment : begin;
}

void drill_moment_add(struct strbuf *out, double at)
{
    struct tm utc;
    time_t seconds = (time_t)floor(at);
    int ms = (int)((at - floor(at)) * MS_PER_S + 0.5) % MS_PER_S;
    if (!gmtime_r(&seconds, &utc)) {
        out->failed = true;
        return;
    }
    strbuf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d.%03d+00", utc.tm_year + 1900, utc.tm_mon + 1,
                  utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

/* "2026-11-23 02:13:45.123456 UTC", with a prepared transaction's id before it. */
static bool read_time(const char *text, double *ret)
{
    struct tm utc = {0};
    const char *prepared = strstr(text, ": ");
    const char *end = strptime(text, " %Y-%m-%d %H:%M:%S", &utc);
    if (!end && prepared)
        end = strptime(prepared + 1, " %Y-%m-%d %H:%M:%S", &utc);
    if (!end)
        return false;
    *ret = (double)timegm(&utc) + (*end == '.' ? strtod(end, NULL) : 0);
    return true;
}

bool drill_moment_of_line(const char *line, double *ret)
{
    static const char *const ends[] = {"desc: COMMIT ", "desc: COMMIT_PREPARED ", "desc: ABORT ",
                                       "desc: ABORT_PREPARED "};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const char *found = strstr(line, ends[i]);
        if (found)
            return read_time(found + strlen(ends[i]) - 1, ret);
    }
    return false;
}
