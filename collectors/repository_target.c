#include "collectors/repository_target.h"

#include <inttypes.h>

#include "collectors/repository.h"
#include "exporter/base/strbuf.h"

const char *const repository_target_labels[] = {"stanza", "repo_key", NULL};

/* FNV-1a: good enough to see that something was edited, and no way back to a secret. */
static uint64_t add_hash(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    } while (*text++);
    return hash;
}

static uint64_t hash_pairs(uint64_t hash, const struct pair_list *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        hash = add_hash(add_hash(hash, pairs->items[i].name), pairs->items[i].value);
    return add_hash(hash, "");
}

static uint64_t hash_objectives(uint64_t hash, const struct objectives *promised)
{
    const double seconds[] = {promised->full,           promised->diff,  promised->incr,
                              promised->recovery_point, promised->drill, promised->restore_time};
    struct strbuf text CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < COUNT_OF(seconds); i++)
        strbuf_printf(&text, "%.17g ", seconds[i]);
    return add_hash(hash, strbuf_text(&text));
}

/* Everything that a collection depends on. */
static uint64_t hash_repository(const struct settings *settings,
                                const struct stanza_repository *repository)
{
    const struct repository_settings *own = repository->settings;
    uint64_t hash = add_hash(UINT64_C(0xcbf29ce484222325), settings->pgbackrest.command);
    hash = add_hash(add_hash(hash, repository->name), repository->storage);
    hash = add_hash(hash, repository->cipher);
    hash = add_hash(hash, repository_has_continuous_wal(repository) ? "continuous" : "");
    hash = hash_pairs(hash_pairs(hash, &repository->options), &repository->stanza->options);
    if (!own)
        return hash;
    hash = add_hash(hash, own->mount_path ? own->mount_path : "");
    hash = add_hash(hash, own->credentials_file ? own->credentials_file : "");
    hash = hash_objectives(hash, &own->objectives);
    return hash_pairs(hash, &own->credentials_map);
}

struct target *repository_target_add(struct target_list *list, const struct settings *settings,
                                     const struct stanza_repository *repository)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    struct strbuf key CLEANUP(strbuf_done) = {0};
    struct strbuf fingerprint CLEANUP(strbuf_done) = {0};
    strbuf_printf(&name, "%s/repo%" PRId64, repository->stanza->name, repository->key);
    strbuf_printf(&key, "%" PRId64, repository->key);
    strbuf_printf(&fingerprint, "%016" PRIx64, hash_repository(settings, repository));
    if (name.failed || key.failed || fingerprint.failed)
        return NULL;
    const struct label labels[] = {
        {"stanza", repository->stanza->name}, {"repo_key", strbuf_text(&key)}, {NULL, NULL}};
    struct target *target = target_add(list, strbuf_text(&name), strbuf_text(&fingerprint), labels);
    if (target)
        target->spec = repository;
    return target;
}

static bool add_targets(struct target_list *list, const struct settings *settings,
                        const struct stanza *stanza)
{
    for (size_t i = 0; i < stanza->repository_count; i++) {
        if (!repository_target_add(list, settings, &stanza->repositories[i]))
            return false;
    }
    return true;
}

bool repository_targets(const struct settings *settings, struct target_list *ret, struct err *err)
{
    struct target_list list CLEANUP(target_list_done) = {0};
    for (size_t i = 0; i < settings->stanza_count; i++) {
        if (!add_targets(&list, settings, &settings->stanzas[i]))
            return err_memory(err);
    }
    *ret = list;
    list = (struct target_list){0};
    return true;
}

struct report_item *repository_group(struct report *report, const char *what,
                                     const struct stanza_repository *repository)
{
    struct strbuf title CLEANUP(strbuf_done) = {0};
    strbuf_printf(&title, "%s of repository %" PRId64 " (%s)", what, repository->key,
                  repository->name);
    return report_group(report, NULL, strbuf_text(&title));
}
