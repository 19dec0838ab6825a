#include "exporter/commands/complete.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/commands/complete_work.h"

/* What is asked again when PostgreSQL has not finished a segment. */
#define WAIT_MS 500

/* The part of the time that is kept for pushing what was waited for, and for looking at it. */
#define RESERVE 4

#define QUERY_MS 5000

static void work_done(struct work *work)
{
    say_end(&work->teller);
    scratch_done(&work->scratch);
    free(work->wanted);
    complete_need_done(&work->need);
    store_done(&work->target);
    pg_wal_done(&work->pg_wal);
    pg_close(work->pg);
    proc_pool_free(work->world.pool);
}

/* A repository host, and a host that only knows its primary, have no pg_wal. */
bool complete_is_possible(const struct stanza *stanza, struct err *err)
{
    const char *host = pair_list_get(&stanza->options, "pg1-host");
    if (host)
        return err_set(err, ERR_CONFIG,
                       "PostgreSQL of stanza %s is on %s (pg1-host): WAL is completed there, from "
                       "its pg_wal",
                       stanza->name, host);
    return pair_list_get(&stanza->options, "pg1-path") ||
           err_set(err, ERR_CONFIG,
                   "stanza %s has no pg1-path here: WAL is completed on the PostgreSQL host, from "
                   "its pg_wal",
                   stanza->name);
}

static bool open_world(struct work *work, struct err *err)
{
    static const struct proc_limits limits = {.at_once = 1, .stuck = 4};
    const struct stanza *stanza = work->request->repository->stanza;
    if (!complete_is_possible(stanza, err) ||
        !pg_wal_open(pair_list_get(&stanza->options, "pg1-path"), &work->pg_wal, err))
        return false;
    work->world = (struct store_world){
        .pool = proc_pool_new(&limits),
        .program = work->request->settings->pgbackrest.command,
        .cluster = work->pg_wal.cluster,
        .bound = work->request->bound,
    };
    if (!work->world.pool)
        return err_memory(err);
    return !stanza->conninfo ||
           (work->pg = pg_open(work->world.pool, stanza->conninfo, err)) != NULL;
}

/*
 * Where PostgreSQL writes now. Not to know costs little: what archiving has marked as whole is
 * whole, whether the server runs or not.
 */
static void find_position(struct work *work)
{
    static const char query[] =
        "SELECT pg_walfile_name(pg_current_wal_lsn()) WHERE NOT pg_is_in_recovery()";
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct err err;
    struct bound bound = bound_after(QUERY_MS, work->world.bound.stop_fd);
    struct wal_segment now = {0};
    if (work->pg && pg_query(work->pg, query, &bound, &rows, &err) && pg_rows_count(rows) == 1 &&
        wal_segment_parse(pg_rows_text(rows, 0, 0), work->world.cluster.segment_size, &now))
        work->pg_wal.writing = now;
}

/* The history of the timeline that the newest backup ended on, if pg_wal has it. */
static void find_way(const struct work *work, struct timeline *ret)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct err err;
    uint32_t id = work->pg_wal.writing.timeline;
    strbuf_printf(&name, "%08" PRIX32 ".history", id);
    if (id > 1 && !name.failed && pg_wal_history(&work->pg_wal, strbuf_text(&name), &text, &err) &&
        timeline_parse(id, strbuf_text(&text), text.length, ret, &err))
        return;
    *ret = (struct timeline){.id = id};
}

static bool find_need(struct work *work, struct err *err)
{
    const struct store *target = &work->target;
    struct text_list copies CLEANUP(text_list_done) = {0};
    struct timeline way CLEANUP(timeline_done) = {0};
    find_way(work, &way);
    const struct need_question question = {
        .stanza = target->stanza,
        .repo_key = target->repository->key,
        .archive_copies = &copies,
        .segment_size = work->world.cluster.segment_size,
        .way = &way,
    };
    if (target->stanza->backup_count > 0 && !store_archive_copies(target, &copies, err))
        return false;
    return complete_need(&question, &work->need, err);
}

static void add_wanted(struct work *work, const struct needed_segment *needed, enum wal_state state)
{
    struct wanted *wanted = &work->wanted[work->wanted_count++];
    *wanted = (struct wanted){.needed = needed};
    if (state == WAL_MISSING)
        return;
    struct strbuf name CLEANUP(strbuf_done) = {0};
    wal_segment_name(&needed->segment, work->world.cluster.segment_size, &name);
    wanted->state = WANTED_BROKEN; /* pgBackRest takes what is there for good and pushes no other */
    say_problem(&work->teller,
                REPOSITORY_FORMAT
                ": WAL segment %s, which backup %s needs, is %s there: delete it, "
                "then complete again",
                REPOSITORY_VALUES(work->request->repository), strbuf_text(&name), needed->backup,
                state == WAL_EMPTY ? "an empty file" : "more than once");
}

static bool find_wanted(struct work *work, struct err *err)
{
    work->wanted = calloc(work->need.count + 1, sizeof *work->wanted);
    if (!work->wanted)
        return err_memory(err);
    for (size_t i = 0; i < work->need.count; i++) {
        enum wal_state state = WAL_MISSING;
        if (!store_state(&work->target, &work->need.items[i].segment, &state, err))
            return false;
        if (state != WAL_PRESENT)
            add_wanted(work, &work->need.items[i], state);
    }
    return true;
}

/* Space for a segment: the spool's disk rather than a /tmp that may be memory. */
static const char *scratch_base(const struct stanza *stanza)
{
    const char *temporary = getenv("TMPDIR");
    const char *spool = pair_list_get(&stanza->options, "spool-path");
    if (temporary && *temporary == '/')
        return temporary;
    return spool && access(spool, W_OK | X_OK) == 0 ? spool : "/var/tmp";
}

static bool ask_another(struct work *work, const struct stanza_repository *repository,
                        struct err *err)
{
    struct store store CLEANUP(store_done) = {0};
    if (!store_open(&work->world, repository, false, &store, err))
        return work_goes_on(work, err);
    return work_take_from_store(work, &store, err) && work_take_histories(work, &store, err);
}

static bool ask_others(struct work *work, struct err *err)
{
    const struct stanza *stanza = work->request->repository->stanza;
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        if (repository != work->request->repository && !ask_another(work, repository, err))
            return false;
    }
    return true;
}

/* True when the time is over, too: what is left is told then. */
static bool wait_for_unfinished(struct work *work, size_t unfinished, struct err *err)
{
    const struct bound *bound = &work->world.bound;
    int reserve_ms = bound_remaining_ms(bound) / RESERVE;
    if (unfinished == 0 || work->request->dry_run)
        return true;
    say_step(&work->teller, "waiting until PostgreSQL has finished %zu WAL segments", unfinished);
    while (unfinished > 0 && bound_remaining_ms(bound) > reserve_ms) {
        struct pollfd stop = {.fd = bound->stop_fd, .events = POLLIN};
        poll(&stop, 1, WAIT_MS);
        if (bound_stopped(bound))
            return err_set(err, ERR_STOPPED, "stopped while PostgreSQL finishes a WAL segment");
        find_position(work);
        if (!work_take_from_pg_wal(work, &unfinished, err))
            return false;
    }
    return true;
}

/* Believe the repository, not a status of 0. */
static bool verify(struct work *work, struct err *err)
{
    if (work->request->dry_run)
        return true;
    store_forget(&work->target);
    for (size_t i = 0; i < work->wanted_count; i++) {
        struct wanted *wanted = &work->wanted[i];
        enum wal_state state = WAL_MISSING;
        if (wanted->state != WANTED_PUSHED)
            continue;
        if (!store_state(&work->target, &wanted->needed->segment, &state, err))
            return false;
        if (state != WAL_PRESENT)
            wanted->state = WANTED;
    }
    return true;
}

static void tell_missing(struct work *work)
{
    for (size_t i = 0; i < work->wanted_count; i++) {
        const struct needed_segment *needed = work->wanted[i].needed;
        struct strbuf name CLEANUP(strbuf_done) = {0};
        if (work->wanted[i].state != WANTED)
            continue;
        wal_segment_name(&needed->segment, work->world.cluster.segment_size, &name);
        bool unfinished = pg_wal_state(&work->pg_wal, &needed->segment) == PG_WAL_UNFINISHED;
        say_problem(&work->teller, "WAL segment %s, which backup %s needs, %s", strbuf_text(&name),
                    needed->backup,
                    unfinished ? "is not finished by PostgreSQL yet"
                               : "could not be got from pg_wal or another repository");
    }
}

static void tell_older(struct work *work)
{
    if (work->need.older_count > 0)
        say_problem(&work->teller,
                    REPOSITORY_FORMAT ": %zu backups of an older database cannot be completed: "
                                      "pgbackrest pushes WAL of the present one only",
                    REPOSITORY_VALUES(work->request->repository), work->need.older_count);
}

static void tell_outcome(struct work *work)
{
    const struct stanza_repository *repository = work->request->repository;
    size_t pushed = work_count(work, WANTED_PUSHED);
    size_t lacking = work->wanted_count - pushed;
    const char *would = work->request->dry_run ? "would be " : "";
    say_line(&work->teller,
             REPOSITORY_FORMAT ": %zu WAL segments and %zu history files %scopied; of the %zu "
                               "segments that its %zu backups need %zu %s missing%s",
             REPOSITORY_VALUES(repository), pushed, work->histories_copied, would, work->need.count,
             work->need.backup_count, lacking, work->request->dry_run ? "would be" : "are",
             pushed + lacking + work->histories_copied == 0 ? ": nothing to do" : "");
}

static bool prepare(struct work *work, struct err *err)
{
    if (!open_world(work, err) ||
        !store_open(&work->world, work->request->repository, true, &work->target, err))
        return false;
    find_position(work);
    return find_need(work, err) && find_wanted(work, err) &&
           (work->request->dry_run ||
            scratch_make(scratch_base(work->request->repository->stanza), &work->scratch, err));
}

bool complete(const struct complete_request *request, bool *ret_complete, struct err *err)
{
    struct work work CLEANUP(work_done) = {.request = request};
    size_t unfinished = 0;
    work.teller.terminal = isatty(STDOUT_FILENO) == 1;
    if (!prepare(&work, err) || !work_take_from_pg_wal(&work, &unfinished, err) ||
        !work_take_histories_of_pg_wal(&work, err) || !ask_others(&work, err) ||
        !wait_for_unfinished(&work, unfinished, err) || !verify(&work, err))
        return false;
    tell_missing(&work);
    tell_older(&work);
    tell_outcome(&work);
    *ret_complete = work_count(&work, WANTED_PUSHED) == work.wanted_count;
    return true;
}
