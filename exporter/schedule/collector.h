/*
 * collector - the contract between what is watched and the poller that watches it.
 *
 * A collector is one const struct in one file. For each of its targets (a stanza, a repository, a
 * mount) the poller runs open() once, then collect() at its interval in a thread of its own, then
 * close(). A scrape never runs any of it.
 */
#ifndef EXPORTER_SCHEDULE_COLLECTOR_H
#define EXPORTER_SCHEDULE_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/clock.h"
#include "exporter/base/err.h"
#include "exporter/metrics/desc.h"
#include "exporter/metrics/sink.h"
#include "exporter/report/report.h"
#include "exporter/sources/proc.h"

struct settings; /* the configuration, known to collectors only */
struct snapshot;

/* One thing that a collector watches. All texts are owned by the target. */
struct target {
    char *name;           /* "main", "main/repo1", "/mnt/nas": unique within its collector */
    struct label *labels; /* ended by a NULL name; carried by every series of the target */
    char *fingerprint;    /* equal after a reload: the target is the same and keeps all it has */
    double interval_s;    /* 0: the collector's default */
    double timeout_s;     /* 0: the collector's default */
    const void *spec;     /* the collector's own part of the settings, valid as long as settings */
};

/* A list that a collector's targets() fills; freed by the caller with target_list_done(). */
struct target_list {
    struct target *items;
    size_t count;
};

/* What open() gets. It lives as long as the target. */
struct environment {
    struct proc_pool *pool;
    const struct settings *settings;
};

/* One collection. */
struct run {
    struct sink *sink;
    struct report *report;
    struct bound bound; /* when collect() must have returned */
    const struct target *target;
    /* What the other targets last published, for a combining collector; NULL ended, else NULL. */
    const struct snapshot *const *inputs;

    /* Filled by run_observe() and run_says_down(). */
    void *observation;
    void (*observation_free)(void *);
    bool down;
    struct err down_error;
};

struct collector {
    const char
        *name; /* also the flag --[no-]collector.NAME and the key in intervals: and timeouts: */
    const char *help; /* one sentence */
    bool default_enabled;
    double interval_s;
    double timeout_s;
    const char *const
        *labels; /* NULL-terminated names every target carries ("stanza", "repo_key") */
    const struct metric_desc *metrics;
    size_t metric_count;

    /* The targets that these settings ask for; ERR_CONFIG, ERR_MEMORY. Does not block. */
    bool (*targets)(const struct settings *settings, struct target_list *ret, struct err *err);

    /* State for one target; *ret may stay NULL. Must not block: nothing is connected here. */
    bool (*open)(const struct environment *environment, const struct target *target, void **ret,
                 struct err *err);

    /*
     * Measure once, inside run->bound (every wait takes it).
     * true: success. What it did not add to the sink is gone. A thing watched that is down,
     *   refuses or times out is a success too: end with `return run_says_down(...)`, and the facts
     *   of the last good measurement stay while its states go.
     * false: we failed ourselves; of this run only OUTCOME samples are kept, states go, facts of
     *   the last good measurement stay. *err says why.
     */
    bool (*collect)(void *state, struct run *run, struct err *err);

    void (*close)(void *state); /* takes NULL; must not block */

    bool combines; /* collect() reads run->inputs and runs after every publication, not by interval
                    */
};

/*
 * The thing watched is down: adds 0 as sample `up_metric` and keeps *err for page and log. Returns
 * true: an outage is an answer.
 */
bool run_says_down(struct run *run, size_t up_metric, const struct err *err);

/*
 * Publish what was seen, in the collector's own struct, for combining collectors. The run owns it
 * from now on and ends it with free_observation; it must not be changed any more. Of two calls the
 * last counts.
 */
void run_observe(struct run *run, void *observation, void (*free_observation)(void *));

/*
 * Append a target with printf name; labels as name, value, ..., NULL. NULL when out of memory.
 * The fingerprint is made of name, labels and the text given.
 */
struct target *target_add(struct target_list *list, const char *name, const char *fingerprint,
                          const struct label *labels);
void target_list_done(struct target_list *list);

#endif
