/*
 * complete_history - the way of history files into the target.
 */
#include <inttypes.h>

#include "exporter/base/replace.h"
#include "exporter/commands/complete_work.h"

static const char pg_wal_source[] = "pg_wal";

/* The newest timeline that is production's for all that is known here. */
static uint32_t newest_timeline(const struct work *work, const struct text_list *of_pg_wal)
{
    uint32_t newest = work->pg_wal.writing.timeline, id = 0;
    for (size_t i = 0; i < work->need.count; i++) {
        if (work->need.items[i].segment.timeline > newest)
            newest = work->need.items[i].segment.timeline;
    }
    for (size_t i = 0; i < of_pg_wal->count; i++) {
        if (timeline_history_name(of_pg_wal->items[i], &id) && id > newest)
            newest = id;
    }
    return newest;
}

static bool is_sound(const char *name, const struct strbuf *text, struct err *err)
{
    struct timeline timeline CLEANUP(timeline_done) = {0};
    uint32_t id = 0;
    if (!timeline_history_name(name, &id))
        return err_set(err, ERR_PROTOCOL, "no name of a history file");
    return timeline_parse(id, strbuf_text(text), text->length, &timeline, err);
}

static bool push(struct work *work, const char *name, const struct strbuf *text, struct err *err)
{
    struct strbuf file CLEANUP(strbuf_done) = {0};
    bool differs = false;
    scratch_file(&work->scratch, name, &file);
    if (file.failed)
        return err_memory(err);
    bool pushed = replace_file(strbuf_text(&file), strbuf_text(text), text->length, 0600, err) &&
                  store_push(&work->target, strbuf_text(&file), &differs, err);
    scratch_clear(&work->scratch);
    return pushed;
}

/* One that makes no sense would break every recovery that reads it; another source may be sound. */
static bool take(struct work *work, const char *name, const char *source, const struct strbuf *text,
                 struct err *err)
{
    if (!is_sound(name, text, err)) {
        err_prefix(err, "%s of %s is not copied", name, source);
        return work_goes_on(work, err);
    }
    if (!work->request->dry_run && !push(work, name, text, err))
        return false;
    work->histories_copied++;
    say_step(&work->teller, "%s: %s from %s", name,
             work->request->dry_run ? "would be copied" : "copied", source);
    return text_list_add(&work->target.histories, name, err);
}

static bool take_from_pg_wal(struct work *work, const char *name, struct err *err)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (text_list_has(&work->target.histories, name))
        return true;
    return pg_wal_history(&work->pg_wal, name, &text, err)
               ? take(work, name, pg_wal_source, &text, err)
               : work_goes_on(work, err);
}

bool work_take_histories_of_pg_wal(struct work *work, struct err *err)
{
    struct text_list names CLEANUP(text_list_done) = {0};
    if (!store_list_histories(&work->target, err) || !pg_wal_histories(&work->pg_wal, &names, err))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        if (!take_from_pg_wal(work, names.items[i], err))
            return false;
    }
    work->newest_timeline = newest_timeline(work, &names);
    return true;
}

static bool take_from_store(struct work *work, const struct store *store, const char *name,
                            struct err *err)
{
    struct strbuf source CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&source, REPOSITORY_FORMAT, REPOSITORY_VALUES(store->repository));
    return store_get_history(store, name, &text, err)
               ? take(work, name, strbuf_text(&source), &text, err)
               : work_goes_on(work, err);
}

static void tell_foreign(struct work *work, const struct store *store, const char *name)
{
    say_problem(&work->teller,
                "%s of " REPOSITORY_FORMAT " is not copied: production is on timeline %" PRIu32
                ", and a default restore would leave it for the newer one",
                name, REPOSITORY_VALUES(store->repository), work->newest_timeline);
}

bool work_take_histories(struct work *work, struct store *store, struct err *err)
{
    uint32_t id = 0;
    if (!store_list_histories(store, err))
        return work_goes_on(work, err);
    for (size_t i = 0; i < store->histories.count; i++) {
        const char *name = store->histories.items[i];
        if (text_list_has(&work->target.histories, name) || !timeline_history_name(name, &id))
            continue;
        if (id > work->newest_timeline)
            tell_foreign(work, store, name);
        else if (!take_from_store(work, store, name, err))
            return false;
    }
    return true;
}
