/*
 * s3 - whether an object store answers and takes a repository's credentials, asked directly.
 *
 * One signed listing of one key over a connection of its own. pgBackRest would say the same in the
 * end, but only after minutes of retrying, and never why in one word. A listing proves nothing of
 * the right to write; what proves that is a push.
 */
#include <stdlib.h>
#include <string.h>

#include "collectors/model/s3_reason.h"
#include "collectors/repository.h"
#include "collectors/repository_target.h"
#include "collectors/s3_report.h"
#include "collectors/s3_request.h"
#include "exporter/schedule/collector.h"

enum { UP, ERROR, DURATION, HTTP_STATUS, CERTIFICATE_EXPIRY, CLOCK_SKEW, METRIC_COUNT };

static const struct metric_desc metrics[METRIC_COUNT] = {
    [UP] =
        {
            .name = "pgbackup_s3_up",
            .help = "Whether the object store granted a signed listing of the stanza's archive; "
                    "it proves no right to write. Absent when pgBackRest gets its keys elsewhere "
                    "(repo-s3-key-type) and the server answers.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
        },
    [ERROR] =
        {
            .name = "pgbackup_s3_error",
            .help = "Why the object store did not grant it: 1 for the one reason there is.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
            .labels = LABELS("reason"),
        },
    [DURATION] =
        {
            .name = "pgbackup_s3_probe_duration_seconds",
            .help = "How long each phase of the request took: dns, connect, tls, response (from "
                    "the request to the end of the answer); only phases that ended well. Their "
                    "sum is the whole.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
            .labels = LABELS("phase"),
        },
    [HTTP_STATUS] =
        {
            .name = "pgbackup_s3_http_status_code",
            .help = "HTTP status of the answer to the signed listing; absent without an answer.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
        },
    [CERTIFICATE_EXPIRY] =
        {
            .name = "pgbackup_s3_tls_certificate_expiry_timestamp_seconds",
            .help = "When the certificate of the object store's server ends, also when it is not "
                    "accepted.",
            .type = METRIC_GAUGE,
            .keeps = FACT,
        },
    [CLOCK_SKEW] =
        {
            .name = "pgbackup_clock_skew_seconds",
            .help = "How far this host's clock is ahead of the source's (s3: the Date of its "
                    "answer); 0 within what a time of whole seconds and the time of the answer "
                    "can tell.",
            .type = METRIC_GAUGE,
            .keeps = OUTCOME,
            .labels = LABELS("source"),
        },
};

/* One target. */
struct s3 {
    struct proc_pool *pool;
    const struct stanza_repository *repository; /* of the settings */
};

static bool add_targets(const struct settings *settings, const struct stanza *stanza,
                        struct target_list *list, struct err *err)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (strcmp(repository->storage, "s3") == 0 &&
            !repository_target_add(list, settings, repository))
            return err_memory(err);
    }
    return true;
}

static bool s3_targets(const struct settings *settings, struct target_list *ret, struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        if (!add_targets(settings, &settings->stanzas[i], &list, err))
            return false;
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

static bool s3_open(const struct environment *environment, const struct target *target, void **ret,
                    struct err *err)
{
    struct s3 *state = calloc(1, sizeof *state);
    if (!state)
        return err_memory(err);
    *state = (struct s3){.pool = environment->pool, .repository = target->spec};
    *ret = state;
    return true;
}

/* Down is what the server, the network or the configuration brought about; the rest is ours. */
static bool is_ours(enum err_code code)
{
    return code == ERR_STOPPED || code == ERR_MEMORY || code == ERR_SYSTEM || code == ERR_STUCK ||
           code == ERR_EXIT;
}

static bool says_down(struct run *run, const struct err *why)
{
    sink_add(run->sink, ERROR, 1, LABELS(err_reason(why->code)));
    return run_says_down(run, UP, why);
}

static double skew_of(const struct fetch_result *seen)
{
    return seen->server_time > 0
               ? s3_clock_skew(seen->asked_at, seen->answered_at, seen->server_time)
               : 0;
}

static void add_measures(struct run *run, const struct s3_request *request,
                         const struct fetch_result *seen)
{
    for (enum fetch_phase phase = 0; phase < FETCH_PHASE_COUNT; phase++) {
        if (seen->phase_s[phase] >= 0)
            sink_add(run->sink, DURATION, seen->phase_s[phase], LABELS(fetch_phase_name(phase)));
    }
    if (seen->status > 0 && request->is_signed)
        sink_add(run->sink, HTTP_STATUS, (double)seen->status, NULL);
    if (seen->certificate_expires > 0)
        sink_add(run->sink, CERTIFICATE_EXPIRY, seen->certificate_expires, NULL);
    if (seen->server_time > 0)
        sink_add(run->sink, CLOCK_SKEW, skew_of(seen), LABELS("s3"));
}

/* " (its Region: eu-west-1)", of what a redirect names. */
static void add_hint(const struct fetch_result *seen, const char *element, struct strbuf *text)
{
    struct strbuf value CLEANUP(strbuf_done) = {0};
    if (s3_element(seen->body.data, seen->body.length, element, &value))
        strbuf_printf(text, " (its %s: %s)", element, strbuf_text(&value));
}

/* Of the answer's body only words go into the message: the rest may echo what was signed. */
static bool refused(const struct s3_request *request, const struct fetch_result *seen,
                    struct err *err)
{
    struct strbuf code CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    s3_element(seen->body.data, seen->body.length, "Code", &code);
    enum err_code reason = s3_reason(seen->status, strbuf_text(&code));
    strbuf_printf(&text, "%s:%u answers %ld %s", request->fetch.host, request->fetch.port,
                  seen->status, code.length > 0 ? strbuf_text(&code) : "without a code");
    if (reason == ERR_REDIRECT) {
        add_hint(seen, "Region", &text);
        add_hint(seen, "Endpoint", &text);
    }
    return err_set(err, reason, "%s", strbuf_text(&text));
}

/* True: the listing was granted. */
static bool judge(const struct s3_request *request, const struct fetch_result *seen,
                  struct err *err)
{
    if (seen->status != 200)
        return refused(request, seen, err);
    if (!s3_is_listing(seen->body.data, seen->body.length))
        return err_set(err, ERR_PROTOCOL, "%s:%u answers 200 with something that is no listing",
                       request->fetch.host, request->fetch.port);
    return true;
}

static bool ask(const struct s3 *state, struct run *run, const struct s3_request *request,
                struct err *err)
{
    struct fetch_result seen CLEANUP(fetch_result_done) = {0};
    struct err why = {0};
    bool well = fetch_get(state->pool, &request->fetch, &run->bound, &seen, &why);
    if (well && request->is_signed)
        well = judge(request, &seen, &why);
    if (!well && is_ours(why.code))
        return err_set(err, why.code, "%s", why.text);
    add_measures(run, request, &seen);
    if (!well) {
        s3_report_down(run->report, state->repository, request, &seen, &why);
        return says_down(run, &why);
    }
    if (request->is_signed)
        sink_add(run->sink, UP, 1, NULL);
    s3_report_answers(run->report, state->repository, request, &seen, skew_of(&seen));
    return true;
}

/* Without credentials or options there is nothing to ask. */
static bool says_config(const struct s3 *state, struct run *run, struct err *err)
{
    if (err->code != ERR_CONFIG)
        return false;
    s3_report_down(run->report, state->repository, NULL, NULL, err);
    return says_down(run, err);
}

static bool s3_collect(void *opaque, struct run *run, struct err *err)
{
    const struct s3 *state = opaque;
    struct repository_env env CLEANUP(repository_env_done) = {0};
    struct s3_request request CLEANUP(s3_request_done) = {0};
    if (!repository_env(state->repository, &env, err) ||
        !s3_request_make(state->repository, &env, &request, err))
        return says_config(state, run, err);
    return ask(state, run, &request, err);
}

static void s3_close(void *state)
{
    free(state);
}

const struct collector collector_s3 = {
    .name = "s3",
    .help = "Object stores, by a signed listing of each S3 repository.",
    .default_enabled = true,
    .interval_s = 60,
    .timeout_s = 10,
    .labels = repository_target_labels,
    .metrics = metrics,
    .metric_count = METRIC_COUNT,
    .targets = s3_targets,
    .open = s3_open,
    .collect = s3_collect,
    .close = s3_close,
};
