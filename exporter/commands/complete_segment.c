/*
 * complete_segment - the way of a WAL segment into the target: from pg_wal or another repository,
 * by way of a private file.
 */
#include <string.h>

#include "exporter/commands/complete_work.h"

bool work_goes_on(struct work *work, const struct err *err)
{
    if (err->code == ERR_STOPPED || err->code == ERR_MEMORY)
        return false;
    say_problem(&work->teller, "%s", err->text);
    return true;
}

size_t work_count(const struct work *work, enum wanted_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < work->wanted_count; i++)
        count += work->wanted[i].state == state;
    return count;
}

static void name_of(const struct work *work, const struct wanted *wanted, struct strbuf *out)
{
    wal_segment_name(&wanted->needed->segment, work->world.cluster.segment_size, out);
}

static void tell_pushed(struct work *work, struct wanted *wanted, const char *source)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    name_of(work, wanted, &name);
    wanted->state = WANTED_PUSHED;
    const char *verb = work->request->dry_run ? "would be copied" : "copied";
    size_t done = work->wanted_count - work_count(work, WANTED);
    say_step(&work->teller, "%s: %s from %s (%zu of %zu)", strbuf_text(&name), verb, source, done,
             work->wanted_count);
}

/* A refusal of this one segment is told; any other is the target's, and no other segment would
 * fare better. */
static bool push(struct work *work, struct wanted *wanted, const char *file, const char *source,
                 struct err *err)
{
    bool differs = false;
    if (store_push(&work->target, file, &differs, err)) {
        tell_pushed(work, wanted, source);
        return true;
    }
    if (!differs)
        return false;
    struct strbuf name CLEANUP(strbuf_done) = {0};
    name_of(work, wanted, &name);
    wanted->state = WANTED_BROKEN;
    err_prefix(err,
               "WAL segment %s, which backup %s needs: other content than that of %s is stored",
               strbuf_text(&name), wanted->needed->backup, source);
    return work_goes_on(work, err);
}

/* Ours, and so the end: no room for the file, or no right to make it. */
static bool is_our_failure(const struct err *err)
{
    return err->code == ERR_SYSTEM || err->code == ERR_MEMORY || err->code == ERR_STOPPED;
}

static bool take_whole(struct work *work, struct wanted *wanted, struct err *err)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    struct strbuf file CLEANUP(strbuf_done) = {0};
    if (work->request->dry_run) {
        tell_pushed(work, wanted, "pg_wal");
        return true;
    }
    name_of(work, wanted, &name);
    scratch_file(&work->scratch, strbuf_text(&name), &file);
    if (name.failed || file.failed)
        return err_memory(err);
    if (!pg_wal_copy(&work->pg_wal, &wanted->needed->segment, strbuf_text(&file), err))
        return !is_our_failure(err); /* it is gone from pg_wal: another source may have it */
    bool pushed = push(work, wanted, strbuf_text(&file), "pg_wal", err);
    scratch_clear(&work->scratch);
    return pushed;
}

bool work_take_from_pg_wal(struct work *work, size_t *ret_unfinished, struct err *err)
{
    size_t unfinished = 0;
    for (size_t i = 0; i < work->wanted_count; i++) {
        struct wanted *wanted = &work->wanted[i];
        if (wanted->state != WANTED)
            continue;
        enum pg_wal_state state = pg_wal_state(&work->pg_wal, &wanted->needed->segment);
        unfinished += state == PG_WAL_UNFINISHED;
        if (state == PG_WAL_WHOLE && !take_whole(work, wanted, err))
            return false;
    }
    *ret_unfinished = unfinished;
    return true;
}

/* Into the file, and what it holds is that segment. */
static bool fetch(const struct work *work, struct store *store, const struct wanted *wanted,
                  struct strbuf *file, struct err *err)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    name_of(work, wanted, &name);
    scratch_file(&work->scratch, strbuf_text(&name), file);
    if (name.failed || file->failed)
        return err_memory(err);
    if (!store_get(store, strbuf_text(&name), strbuf_text(file), err))
        return false;
    return wal_file_check(strbuf_text(file), &work->world.cluster, &wanted->needed->segment, err) ||
           err_prefix(err, REPOSITORY_FORMAT ": %s", REPOSITORY_VALUES(store->repository),
                      strbuf_text(&name));
}

static bool take_stored(struct work *work, struct store *store, struct wanted *wanted,
                        struct err *err)
{
    struct strbuf source CLEANUP(strbuf_done) = {0};
    struct strbuf file CLEANUP(strbuf_done) = {0};
    strbuf_printf(&source, REPOSITORY_FORMAT, REPOSITORY_VALUES(store->repository));
    if (work->request->dry_run) {
        tell_pushed(work, wanted, strbuf_text(&source));
        return true;
    }
    bool taken = fetch(work, store, wanted, &file, err)
                     ? push(work, wanted, strbuf_text(&file), strbuf_text(&source), err)
                     : !is_our_failure(err) && work_goes_on(work, err);
    scratch_clear(&work->scratch);
    return taken;
}

bool work_take_from_store(struct work *work, struct store *store, struct err *err)
{
    for (size_t i = 0; i < work->wanted_count && !store->hangs; i++) {
        struct wanted *wanted = &work->wanted[i];
        enum wal_state state = WAL_MISSING;
        if (wanted->state != WANTED)
            continue;
        if (!store_state(store, &wanted->needed->segment, &state, err))
            return work_goes_on(work, err);
        if (state == WAL_PRESENT && !take_stored(work, store, wanted, err))
            return false;
    }
    return true;
}
