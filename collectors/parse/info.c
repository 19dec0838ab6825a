#include "collectors/parse/info.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/sources/json.h"

#define BLOCK_SIZE 4096

/* The year 9999, and 8 PiB: beyond that a number is none of pgBackRest's. */
#define TIME_MOST INT64_C(253402300799)
#define SIZE_MOST (INT64_C(1) << 53)

/*
 * All texts and arrays of one struct info lie in a few blocks: a catalogue of hundreds of backups
 * with thousands of references is then freed as one.
 */
struct block {
    struct block *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

struct info_memory {
    atomic_uint references;
    struct block *blocks;
};

/* What one kind of array element is, and how it is read. */
struct element {
    const char *key; /* of the array in its object; NULL: the array is the place itself */
    size_t size;
    bool (*read)(struct info_memory *memory, const struct json_at *at, void *item, struct err *err);
};

size_t info_message_length(const char *output, size_t length)
{
    size_t start = 0;
    while (start < length && output[start] != '[') {
        const char *newline = memchr(output + start, '\n', length - start);
        start = newline ? (size_t)(newline - output) + 1 : length;
    }
    return start;
}

static struct block *add_block(struct info_memory *memory, size_t size)
{
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct block *block = calloc(1, sizeof *block + room);
    if (!block)
        return NULL;
    block->size = room;
    block->next = memory->blocks;
    memory->blocks = block;
    return block;
}

/* Zeroed memory that lives as long as the whole; NULL when out of memory. */
static void *allocate(struct info_memory *memory, size_t size)
{
    size_t whole = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct block *block = memory->blocks;
    if (!block || block->size - block->used < whole)
        block = add_block(memory, whole);
    if (!block)
        return NULL;
    void *place = (char *)block->data + block->used;
    block->used += whole;
    return place;
}

/* *ret gets a copy of text; NULL stays NULL. */
static bool keep_text(struct info_memory *memory, const char *text, const char **ret,
                      struct err *err)
{
    if (!text) {
        *ret = NULL;
        return true;
    }
    size_t size = strlen(text) + 1;
    char *copy = allocate(memory, size);
    if (!copy)
        return err_memory(err);
    memcpy(copy, text, size);
    *ret = copy;
    return true;
}

static bool get_text(struct info_memory *memory, const struct json_at *at, const char *key,
                     const char **ret, struct err *err)
{
    const char *text = NULL;
    return json_get_text(at, key, &text, err) && keep_text(memory, text, ret, err);
}

static bool opt_text(struct info_memory *memory, const struct json_at *at, const char *key,
                     const char **ret, struct err *err)
{
    const char *text = NULL;
    return json_opt_text(at, key, &text, err) && keep_text(memory, text, ret, err);
}

static bool is_at_most(int64_t value, int64_t most, const char *key, struct err *err)
{
    return (value >= 0 && value <= most) ||
           err_set(err, ERR_PROTOCOL, "%s of a backup is out of range: %" PRId64, key, value);
}

static bool opt_size(const struct json_at *at, const char *key, int64_t *ret, struct err *err)
{
    int64_t size = INFO_SIZE_UNKNOWN;
    if (!json_opt_integer(at, key, INFO_SIZE_UNKNOWN, &size, err) ||
        (size != INFO_SIZE_UNKNOWN && !is_at_most(size, SIZE_MOST, key, err)))
        return false;
    *ret = size;
    return true;
}

static bool get_time(const struct json_at *at, const char *key, int64_t *ret, struct err *err)
{
    int64_t time = 0;
    if (!json_get_integer(at, key, &time, err) || !is_at_most(time, TIME_MOST, key, err))
        return false;
    *ret = time;
    return true;
}

/* The elements of an optional array; NULL on failure only. */
static void *read_elements(struct info_memory *memory, const struct json_at *parent,
                           const struct element *element, size_t *ret_count, struct err *err)
{
    struct json_at array = *parent;
    if (element->key && !json_opt_array(parent, element->key, &array, err))
        return NULL;
    size_t count = json_count(&array);
    char *items = allocate(memory, (count + 1) * element->size);
    if (!items) {
        err_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_at at = json_element(&array, i);
        if (!element->read(memory, &at, items + i * element->size, err))
            return NULL;
    }
    *ret_count = count;
    return items;
}

static bool read_status(struct info_memory *memory, const struct json_at *at,
                        struct info_status *ret, struct err *err)
{
    if (!json_get_integer(at, "code", &ret->code, err) ||
        !opt_text(memory, at, "message", &ret->message, err))
        return false;
    if (!ret->message)
        ret->message = "";
    return true;
}

/* Since 2.48 with sizes while a backup runs. */
static bool read_lock(const struct json_at *status, struct info_lock *ret, struct err *err)
{
    struct json_at locks, backup;
    return json_opt_object(status, "lock", &locks, err) &&
           json_opt_object(&locks, "backup", &backup, err) &&
           json_opt_bool(&backup, "held", false, &ret->held, err) &&
           opt_size(&backup, "size", &ret->total_bytes, err) &&
           opt_size(&backup, "size-cplt", &ret->complete_bytes, err);
}

/* The "database": {id, repo-key} of backups and archives. */
static bool read_origin(const struct json_at *at, int64_t *ret_id, int64_t *ret_key,
                        struct err *err)
{
    struct json_at database;
    return json_get_object(at, "database", &database, err) &&
           json_get_integer(&database, "id", ret_id, err) &&
           json_get_integer(&database, "repo-key", ret_key, err);
}

static bool read_database(struct info_memory *memory, const struct json_at *at, void *item,
                          struct err *err)
{
    struct info_database *database = item;
    return json_expect_object(at, err) && json_get_integer(at, "id", &database->id, err) &&
           json_get_integer(at, "repo-key", &database->repo_key, err) &&
           json_opt_uint64(at, "system-id", 0, &database->system_id, err) &&
           opt_text(memory, at, "version", &database->version, err);
}

static bool read_repository(struct info_memory *memory, const struct json_at *at, void *item,
                            struct err *err)
{
    struct info_repository *repository = item;
    struct json_at status;
    if (!json_expect_object(at, err) || !json_get_integer(at, "key", &repository->key, err) ||
        !json_get_object(at, "status", &status, err) ||
        !read_status(memory, &status, &repository->status, err) ||
        !opt_text(memory, at, "cipher", &repository->cipher, err))
        return false;
    if (!repository->cipher)
        repository->cipher = "";
    return true;
}

static bool read_archive(struct info_memory *memory, const struct json_at *at, void *item,
                         struct err *err)
{
    struct info_archive *archive = item;
    return json_expect_object(at, err) &&
           read_origin(at, &archive->database_id, &archive->repo_key, err) &&
           get_text(memory, at, "id", &archive->id, err) &&
           opt_text(memory, at, "min", &archive->min, err) &&
           opt_text(memory, at, "max", &archive->max, err);
}

static bool read_reference(struct info_memory *memory, const struct json_at *at, void *item,
                           struct err *err)
{
    const char *text = NULL;
    return json_expect_text(at, &text, err) && keep_text(memory, text, item, err);
}

static bool read_sizes(const struct json_at *at, struct info_backup *backup, struct err *err)
{
    struct json_at sizes, stored;
    return json_opt_object(at, "info", &sizes, err) &&
           opt_size(&sizes, "size", &backup->size_bytes, err) &&
           opt_size(&sizes, "delta", &backup->delta_bytes, err) &&
           json_opt_object(&sizes, "repository", &stored, err) &&
           opt_size(&stored, "size", &backup->repo_size_bytes, err) &&
           opt_size(&stored, "delta", &backup->repo_delta_bytes, err) &&
           opt_size(&stored, "size-map", &backup->repo_size_map_bytes, err) &&
           opt_size(&stored, "delta-map", &backup->repo_delta_map_bytes, err);
}

static bool read_times(const struct json_at *at, struct info_backup *backup, struct err *err)
{
    struct json_at times;
    return json_get_object(at, "timestamp", &times, err) &&
           get_time(&times, "start", &backup->start, err) &&
           get_time(&times, "stop", &backup->stop, err);
}

static bool read_wal(struct info_memory *memory, const struct json_at *at,
                     struct info_backup *backup, struct err *err)
{
    struct json_at archive, lsn;
    return json_opt_object(at, "archive", &archive, err) &&
           opt_text(memory, &archive, "start", &backup->archive_start, err) &&
           opt_text(memory, &archive, "stop", &backup->archive_stop, err) &&
           json_opt_object(at, "lsn", &lsn, err) &&
           opt_text(memory, &lsn, "start", &backup->lsn_start, err) &&
           opt_text(memory, &lsn, "stop", &backup->lsn_stop, err);
}

/* What made it and what was noted of it. */
static bool read_origin_texts(struct info_memory *memory, const struct json_at *at,
                              struct info_backup *backup, struct err *err)
{
    struct json_at program, annotations;
    if (!json_opt_object(at, "backrest", &program, err) ||
        !opt_text(memory, &program, "version", &backup->pgbackrest_version, err) ||
        !json_opt_object(at, "annotation", &annotations, err) ||
        !opt_text(memory, at, "prior", &backup->prior, err))
        return false;
    backup->annotation_count = json_count(&annotations);
    return true;
}

/* Absent for backups that a version before 2.36 made: then it is not known. */
static bool read_damage(const struct json_at *at, enum info_damage *ret, struct err *err)
{
    bool absent_is_false = false, absent_is_true = false;
    if (!json_opt_bool(at, "error", false, &absent_is_false, err) ||
        !json_opt_bool(at, "error", true, &absent_is_true, err))
        return false;
    if (absent_is_false != absent_is_true)
        *ret = INFO_DAMAGE_UNKNOWN;
    else
        *ret = absent_is_true ? INFO_DAMAGE_FOUND : INFO_DAMAGE_NONE;
    return true;
}

static bool read_backup(struct info_memory *memory, const struct json_at *at, void *item,
                        struct err *err)
{
    static const struct element reference = {"reference", sizeof(const char *), read_reference};
    struct info_backup *backup = item;
    if (!json_expect_object(at, err) || !get_text(memory, at, "label", &backup->label, err) ||
        !get_text(memory, at, "type", &backup->type, err) ||
        !read_origin(at, &backup->database_id, &backup->repo_key, err) ||
        !read_times(at, backup, err) || !read_wal(memory, at, backup, err) ||
        !read_sizes(at, backup, err) || !read_damage(at, &backup->damage, err) ||
        !read_origin_texts(memory, at, backup, err))
        return false;
    backup->references = read_elements(memory, at, &reference, &backup->reference_count, err);
    return backup->references != NULL;
}

static bool read_lists(struct info_memory *memory, const struct json_at *at,
                       struct info_stanza *stanza, struct err *err)
{
    static const struct element database = {"db", sizeof(struct info_database), read_database};
    static const struct element repository = {"repo", sizeof(struct info_repository),
                                              read_repository};
    static const struct element archive = {"archive", sizeof(struct info_archive), read_archive};
    static const struct element backup = {"backup", sizeof(struct info_backup), read_backup};

    stanza->databases = read_elements(memory, at, &database, &stanza->database_count, err);
    if (!stanza->databases)
        return false;
    stanza->repositories = read_elements(memory, at, &repository, &stanza->repository_count, err);
    if (!stanza->repositories)
        return false;
    stanza->archives = read_elements(memory, at, &archive, &stanza->archive_count, err);
    if (!stanza->archives)
        return false;
    stanza->backups = read_elements(memory, at, &backup, &stanza->backup_count, err);
    return stanza->backups != NULL;
}

static bool read_stanza(struct info_memory *memory, const struct json_at *at, void *item,
                        struct err *err)
{
    struct info_stanza *stanza = item;
    struct json_at status;
    return json_expect_object(at, err) && get_text(memory, at, "name", &stanza->name, err) &&
           json_get_object(at, "status", &status, err) &&
           read_status(memory, &status, &stanza->status, err) &&
           read_lock(&status, &stanza->lock, err) && read_lists(memory, at, stanza, err);
}

static struct info *info_new(void)
{
    struct info *info = calloc(1, sizeof *info);
    struct info_memory *memory = calloc(1, sizeof *memory);
    if (!info || !memory) {
        free(info);
        free(memory);
        return NULL;
    }
    atomic_init(&memory->references, 1);
    info->memory = memory;
    return info;
}

static bool read_root(const struct json_t *root, struct info *info, struct err *err)
{
    static const struct element stanza = {NULL, sizeof(struct info_stanza), read_stanza};
    struct json_at at = json_root(root);
    if (!json_expect_array(&at, err))
        return false;
    info->stanzas = read_elements(info->memory, &at, &stanza, &info->stanza_count, err);
    return info->stanzas != NULL;
}

bool info_parse(const char *output, size_t length, struct info **ret, struct err *err)
{
    struct info *info CLEANUP(info_unrefp) = NULL;
    struct json_t *root CLEANUP(json_freep) = NULL;
    size_t start = info_message_length(output, length);

    if (start == length)
        return err_set(err, ERR_PROTOCOL, "pgbackrest info printed no JSON");
    if (!json_parse(output + start, length - start, &root, err))
        return false;
    info = info_new();
    if (!info)
        return err_memory(err);
    if (!read_root(root, info, err))
        return false;
    *ret = TAKE(info);
    return true;
}

struct info *info_ref(struct info *info)
{
    if (info)
        atomic_fetch_add_explicit(&info->memory->references, 1, memory_order_relaxed);
    return info;
}

static void memory_free(struct info_memory *memory)
{
    while (memory->blocks) {
        struct block *block = memory->blocks;
        memory->blocks = block->next;
        free(block);
    }
    free(memory);
}

void info_unref(struct info *info)
{
    if (!info || atomic_fetch_sub_explicit(&info->memory->references, 1, memory_order_acq_rel) > 1)
        return;
    memory_free(info->memory);
    free(info);
}

void info_unrefp(struct info **info)
{
    info_unref(*info);
}

const struct info_stanza *info_find_stanza(const struct info *info, const char *name)
{
    for (size_t i = 0; i < info->stanza_count; i++) {
        if (strcmp(info->stanzas[i].name, name) == 0)
            return &info->stanzas[i];
    }
    return NULL;
}

const struct info_repository *info_find_repository(const struct info_stanza *stanza, int64_t key)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        if (stanza->repositories[i].key == key)
            return &stanza->repositories[i];
    }
    return NULL;
}

const struct info_database *info_current_database(const struct info_stanza *stanza, int64_t key)
{
    const struct info_database *current = NULL;
    for (size_t i = 0; i < stanza->database_count; i++) {
        const struct info_database *database = &stanza->databases[i];
        if (database->repo_key == key && (!current || database->id > current->id))
            current = database;
    }
    return current;
}
