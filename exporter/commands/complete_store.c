#include "exporter/commands/complete_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/model/reason.h"
#include "collectors/parse/backup_info.h"
#include "collectors/pgbackrest_repo.h"

/* archive-push: the segment is there already, with another checksum (pgBackRest's error.h). */
#define STATUS_DIFFERS 45

#define FOLDER_DIGITS 16

#define OTHERS_SHARE 4

/* Another one, which may hang, gets a part of the time only, each time. */
static struct bound bound_of(const struct store *store)
{
    const struct bound *bound = &store->world->bound;
    return store->is_target ? *bound
                            : bound_after(bound_remaining_ms(bound) / OTHERS_SHARE, bound->stop_fd);
}

/*
 * Beyond archive-push-queue-max pgBackRest drops WAL and says that all went well; and it looks for
 * the queue beside the file that is pushed, where there is none.
 */
static bool forget_queue_limit(struct repository_env *env, struct err *err)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    repository_variable_name(&name, "archive-push-queue-max");
    strbuf_putc(&name, '=');
    if (name.failed)
        return err_memory(err);
    for (size_t i = env->count; i-- > 0;) {
        if (strncmp(env->items[i], strbuf_text(&name), name.length) != 0)
            continue;
        free(env->items[i]);
        env->items[i] = env->items[--env->count];
        env->items[env->count] = NULL;
    }
    return true;
}

static bool prepare(struct store *store, struct err *err)
{
    struct bound bound = bound_of(store);
    return repository_env(store->repository, &store->env, err) &&
           pgbackrest_prepare(&store->env, bound_remaining_ms(&bound), err) &&
           repository_env_set(&store->env, "archive-async", "n", err) &&
           forget_queue_limit(&store->env, err);
}

static bool run(const struct store *store, struct pgbackrest_call *call, struct proc_result *result,
                struct err *err)
{
    call->pool = store->world->pool;
    call->program = store->world->program;
    call->repository = store->repository;
    call->env = &store->env;
    struct bound bound = bound_of(store);
    return pgbackrest_run(call, &bound, result, err);
}

static bool read_catalogue(struct store *store, struct err *err)
{
    static const char *const arguments[] = {"info", "--output=json", NULL};
    struct pgbackrest_call call = {.arguments = arguments};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    return run(store, &call, &result, err) &&
           info_parse(strbuf_text(&result.output), result.output.length, &store->info, err);
}

/* The message may echo a key that an object store refused. */
static bool check_status(const struct store *store, const struct info_repository *found,
                         struct err *err)
{
    const struct stanza_repository *repository = store->repository;
    struct strbuf message CLEANUP(strbuf_done) = {0};
    if (found->status.code == INFO_OK || found->status.code == INFO_NO_BACKUP)
        return true;
    repository_redact(&store->env, found->status.message, &message);
    bool encrypted = strcmp(repository->cipher, "none") != 0;
    return err_set(err, reason_of_status(found->status.code, found->status.message, encrypted),
                   "repository %" PRId64 " (%s): %s", repository->key, repository->name,
                   strbuf_text(&message));
}

static bool find_repository(struct store *store, struct err *err)
{
    const struct stanza_repository *wanted = store->repository;
    store->stanza = info_find_stanza(store->info, wanted->stanza->name);
    const struct info_repository *found =
        store->stanza ? info_find_repository(store->stanza, wanted->key) : NULL;
    return found ? check_status(store, found, err)
                 : err_set(err, ERR_PROTOCOL,
                           "pgbackrest info does not speak of repository %" PRId64, wanted->key);
}

static const struct info_database *find_cluster(const struct store *store)
{
    const struct info_database *found = NULL;
    for (size_t i = 0; i < store->stanza->database_count; i++) {
        const struct info_database *database = &store->stanza->databases[i];
        if (database->repo_key == store->repository->key &&
            database->system_id == store->world->cluster.system_id &&
            (!found || database->id > found->id))
            found = database;
    }
    return found;
}

static bool find_database(struct store *store, struct err *err)
{
    const struct stanza_repository *repository = store->repository;
    const struct info_database *now = info_current_database(store->stanza, repository->key);
    store->database = find_cluster(store);
    if (!store->database || (store->is_target && store->database != now))
        return err_set(err, ERR_CONFIG,
                       "repository %" PRId64 " (%s): its newest database has system id %" PRIu64
                       ", the cluster in pg1-path has %" PRIu64
                       ": backups of another database cannot be completed (stanza-upgrade lets it "
                       "take this one)",
                       repository->key, repository->name, now ? now->system_id : 0,
                       store->world->cluster.system_id);
    struct strbuf archive CLEANUP(strbuf_done) = {0};
    strbuf_printf(&archive, "archive/%s/%s-%" PRId64, store->stanza->name, store->database->version,
                  store->database->id);
    store->archive = strbuf_steal(&archive);
    return store->archive || err_memory(err);
}

bool store_open(const struct store_world *world, const struct stanza_repository *repository,
                bool is_target, struct store *store, struct err *err)
{
    *store = (struct store){.world = world, .repository = repository, .is_target = is_target};
    store->wal.segment_size = world->cluster.segment_size;
    return prepare(store, err) && read_catalogue(store, err) && find_repository(store, err) &&
           find_database(store, err);
}

void store_forget(struct store *store)
{
    uint64_t segment_size = store->wal.segment_size;
    wal_archive_done(&store->wal);
    store->wal.segment_size = segment_size;
    text_list_done(&store->histories);
    store->histories_listed = false;
}

void store_done(struct store *store)
{
    store_forget(store);
    info_unref(store->info);
    repository_env_done(&store->env);
    free(store->archive);
    *store = (struct store){0};
}

static struct repo_reader reader_of(const struct store *store)
{
    struct bound bound = bound_of(store);
    return (struct repo_reader){
        .pool = store->world->pool,
        .program = store->world->program,
        .repository = store->repository,
        .env = &store->env,
        .bound = bound,
        .time_ms = bound_remaining_ms(&bound),
    };
}

bool store_archive_copies(const struct store *store, struct text_list *ret, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    struct repo_reader reader = reader_of(store);
    strbuf_printf(&path, "backup/%s/backup.info", store->stanza->name);
    if (path.failed)
        return err_memory(err);
    return repo_reader_get(&reader, strbuf_text(&path), &text, err) &&
           backup_info_archive_copies(strbuf_text(&text), text.length, ret, err);
}

static bool list_folder(struct store *store, const char *name, struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    struct repo_reader reader = reader_of(store);
    struct wal_folder *folder = NULL;
    strbuf_printf(&path, "%s/%s", store->archive, name);
    if (path.failed)
        return err_memory(err);
    return repo_reader_list(&reader, strbuf_text(&path), &listing, err) &&
           wal_folder_read(name, &listing, clock_wall_seconds(), &folder, err) &&
           wal_archive_put(&store->wal, folder, err);
}

bool store_state(struct store *store, const struct wal_segment *segment, enum wal_state *ret,
                 struct err *err)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    uint32_t timeline = 0, log = 0;
    wal_segment_name(segment, store->wal.segment_size, &name);
    if (name.failed)
        return err_memory(err);
    strbuf_truncate(&name, FOLDER_DIGITS);
    if (!wal_folder_name(strbuf_text(&name), &timeline, &log))
        return err_set(err, ERR_PROTOCOL, "%s is no folder of WAL", strbuf_text(&name));
    if (!wal_archive_folder(&store->wal, timeline, log) &&
        !list_folder(store, strbuf_text(&name), err))
        return false;
    *ret = wal_archive_state(&store->wal, segment);
    return true;
}

static bool add_histories(struct store *store, const struct repo_listing *listing, struct err *err)
{
    uint32_t timeline = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct repo_file *file = &listing->files[i];
        if (file->type == REPO_FILE && timeline_history_name(file->name, &timeline) &&
            !text_list_add(&store->histories, file->name, err))
            return false;
    }
    return true;
}

bool store_list_histories(struct store *store, struct err *err)
{
    struct repo_listing listing CLEANUP(repo_listing_done) = {0};
    struct repo_reader reader = reader_of(store);
    if (store->histories_listed)
        return true;
    if (!repo_reader_list(&reader, store->archive, &listing, err) ||
        !add_histories(store, &listing, err))
        return false;
    store->histories_listed = true;
    return true;
}

bool store_get(struct store *store, const char *name, const char *to, struct err *err)
{
    const char *const arguments[] = {"archive-get", name, to, NULL};
    struct pgbackrest_call call = {.arguments = arguments};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    bool got = run(store, &call, &result, err);
    store->hangs = !got && (err->code == ERR_TIMEOUT || err->code == ERR_STUCK);
    return got;
}

bool store_get_history(const struct store *store, const char *name, struct strbuf *ret,
                       struct err *err)
{
    struct strbuf path CLEANUP(strbuf_done) = {0};
    struct repo_reader reader = reader_of(store);
    strbuf_printf(&path, "%s/%s", store->archive, name);
    return path.failed ? err_memory(err) : repo_reader_get(&reader, strbuf_text(&path), ret, err);
}

bool store_push(const struct store *store, const char *file, bool *ret_differs, struct err *err)
{
    const char *const arguments[] = {"archive-push", file, NULL};
    struct pgbackrest_call call = {.arguments = arguments, .takes_no_repo = true};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    bool pushed = run(store, &call, &result, err);
    *ret_differs = !pushed && result.exited && result.exit_status == STATUS_DIFFERS;
    return pushed;
}
