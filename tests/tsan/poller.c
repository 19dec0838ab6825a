/*
 * Pollers, pages and reloads at the same time, for ThreadSanitizer. Ends with status 0 when the
 * samples were seen and everything stopped.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "exporter/base/log.h"
#include "exporter/schedule/poller.h"
#include "tests/unit/fake_collector.h"

static struct poller *poller;
static _Atomic bool done;
static atomic_int pages;

static void *read_pages(void *argument UNUSED)
{
    while (!done) {
        size_t count = 0;
        struct poller_status *list = poller_status(poller, &count);
        struct exposition *page = exposition_new(0);
        struct strbuf text = {0};
        for (size_t i = 0; i < count; i++) {
            if (list[i].snapshot)
                snapshot_expose(list[i].snapshot, clock_monotonic_ms(), page);
        }
        exposition_write(page, EXPOSITION_TEXT, &text);
        pages += text.length > 0;
        strbuf_done(&text);
        exposition_free(page);
        poller_status_free(list, count);
    }
    return NULL;
}

static bool apply(int round)
{
    struct poller_plan plans[] = {
        {.collector = &fake_collector, .targets = fake_targets("a", "same")},
        {.collector = &fake_collector, .targets = fake_targets("b", round % 2 ? "x" : "y")},
        {.collector = &fake_combining_collector, .targets = fake_targets("all", "")},
    };
    struct err err = {0};
    return poller_apply(poller, plans, COUNT_OF(plans), NULL, NULL, &err);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    poller = poller_new(NULL);
    pthread_t readers[4];
    bool fine = true;
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        pthread_create(&readers[i], NULL, read_pages, NULL);
    for (int round = 0; round < 20; round++) {
        fake_control.behaviour = round % 3 == 2 ? FAKE_IS_DOWN : FAKE_WORKS;
        fine = apply(round) && fine;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    done = true;
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        pthread_join(readers[i], NULL);
    fine = poller_stop(poller, 5000) && fine;
    poller_free(poller);
    printf("tsan poller: %d pages, %d runs\n", (int)pages, (int)fake_control.collected);
    return fine && pages > 0 && fake_control.opened == fake_control.closed ? 0 : 1;
}
