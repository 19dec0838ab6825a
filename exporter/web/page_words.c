#include "exporter/web/page_words.h"

#include <math.h>
#include <time.h>

#include "exporter/report/when.h"
#include "exporter/web/html.h"

static const char *const words[] = {
    [GRADE_NONE] = "",           [GRADE_PROVEN] = "Proven",   [GRADE_OK] = "OK",
    [GRADE_UNKNOWN] = "Unknown", [GRADE_WARNING] = "Warning", [GRADE_FAILED] = "Failed",
};

const char *page_grade_word(enum grade grade)
{
    return words[grade];
}

const char *page_grade_class(enum grade grade)
{
    return grade == GRADE_NONE ? "none" : grade_name(grade);
}

void page_add_grade(struct strbuf *out, enum grade grade)
{
    if (grade != GRADE_NONE)
        strbuf_printf(out, "<strong class=\"grade %s\">%s</strong> ", page_grade_class(grade),
                      page_grade_word(grade));
}

void page_add_duration(struct strbuf *out, double seconds)
{
    if (seconds < 0.9995)
        strbuf_printf(out, "%.0f ms", seconds * 1000);
    else if (seconds < 60)
        strbuf_printf(out, "%.1f s", seconds);
    else
        when_add_span(out, seconds);
}

void page_add_age(struct strbuf *out, double time, double now)
{
    if (!when_is_time(time)) {
        strbuf_puts(out, "never");
        return;
    }
    bool past = time <= now;
    strbuf_puts(out, past ? "" : "in ");
    when_add_span(out, fabs(now - time));
    strbuf_puts(out, past ? " ago" : "");
}

static bool add_utc(struct strbuf *out, double time)
{
    struct tm utc;
    char machine[40];
    char human[40];
    time_t seconds = when_is_time(time) ? (time_t)time : 0;

    if (!seconds || !gmtime_r(&seconds, &utc))
        return false;
    strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%SZ", &utc);
    strftime(human, sizeof human, "%Y-%m-%d %H:%M:%S UTC", &utc);
    strbuf_printf(out, "<time datetime=\"%s\">%s</time>", machine, human);
    return true;
}

void page_add_clock(struct strbuf *out, double time)
{
    if (!add_utc(out, time))
        strbuf_puts(out, "never");
}

void page_add_local(struct strbuf *out, double time)
{
    struct tm local;
    char text[60];
    time_t seconds = when_is_time(time) ? (time_t)time : 0;
    if (!seconds || !localtime_r(&seconds, &local) || local.tm_gmtoff == 0)
        return;
    if (strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", &local) == 0)
        return;
    strbuf_puts(out, " <span class=\"age\">(");
    html_escape(out, text);
    strbuf_puts(out, " here)</span>");
}

void page_add_time(struct strbuf *out, double time, double now)
{
    if (!add_utc(out, time)) {
        strbuf_puts(out, "never");
        return;
    }
    strbuf_puts(out, " <span class=\"age\">(");
    page_add_age(out, time, now);
    strbuf_puts(out, ")</span>");
}
