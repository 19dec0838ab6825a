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

/* What another target last published, as a combining collector sees it. */
struct run_input {
    const char *collector;
    const char *target;
    const struct label *labels; /* of the target, ended by a NULL name */
    const void *observation;    /* of its newest run that made one; NULL while there was none */
    double observed_at;         /* when that run started, s since 1970 */
    bool fresh;                 /* its newest run is not too old */
    bool current;               /* it is fresh, and that run was good */
};

/* One collection. */
struct run {
    struct sink *sink;
    struct report *report;
    struct bound bound; /* when collect() must have returned */
    const struct target *target;
    const struct run_input *inputs; /* of the targets that concern this one; only for a combining
                                       collector */
    size_t input_count;

    /* Filled by run_observe(), run_says_down() and run_is_down(). */
    void *observation;
    void (*observation_free)(void *);
    bool down;
    struct err down_error;
    bool again; /* a combining collector: another look by the others may change its word */
};

struct collector {
    const char
        *name; /* also the flag --[no-]collector.NAME and the key in intervals: and timeouts: */
    const char *help; /* one sentence */
    bool default_enabled;
    double interval_s;
    double timeout_s;
    unsigned looks; /* runs until all that it says can be believed; 0 is one */
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
     * false: we failed ourselves; of this run only OUTCOME and CONFIGURED samples are kept, states
     *   go, facts of the last good measurement stay. *err says why.
     */
    bool (*collect)(void *state, struct run *run, struct err *err);

    void (*close)(void *state); /* takes NULL; must not block */

    bool combines; /* collect() reads run->inputs and runs after each publication that concerns its
                      target, not by interval only */
};

/*
 * The thing watched is down: adds 0 as sample `up_metric` and keeps *err for page and log. Returns
 * true: an outage is an answer.
 */
bool run_says_down(struct run *run, size_t up_metric, const struct err *err);

/* The same for a collector that has added its own samples of what is down. */
bool run_is_down(struct run *run, const struct err *err);

/*
 * Publish what was seen, in the collector's own struct, for combining collectors. The run owns it
 * from now on and ends it with free_observation; it must not be changed any more. Of two calls the
 * last counts.
 */
void run_observe(struct run *run, void *observation, void (*free_observation)(void *));

/* The value of a label in a list ended by a NULL name; "" when it is not there. */
const char *label_get(const struct label *labels, const char *name);

/*
 * Whether what one target saw concerns the other: no label that both carry has different values.
 * A stanza's own target concerns those of its repositories, never those of another stanza.
 */
bool label_lists_agree(const struct label *one, const struct label *other);

/* A copy of such a list that owns its texts, for label_list_free(); NULL when out of memory. */
struct label *label_list_copy(const struct label *labels) MUST_USE;
void label_list_free(struct label *labels); /* takes NULL */

/*
 * Append a target to the list, which owns it. labels end at a NULL name and are copied. The
 * fingerprint is whatever else makes it another target after a reload; name and labels are
 * compared anyway, so it may be "". NULL when out of memory.
 */
struct target *target_add(struct target_list *list, const char *name, const char *fingerprint,
                          const struct label *labels);
void target_list_done(struct target_list *list);

/* Free what one target owns, for who took it out of its list. */
void target_done(struct target *target);

/* Whether both are the same thing to watch: name, labels and fingerprint are equal. */
bool target_is_same(const struct target *one, const struct target *other);

#endif
