/*
 * fuzz_pgbackrest_conf - any bytes are either refused with file and line, without showing them, or
 * give sections that can be walked and completed into stanzas.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/discover.h"
#include "collectors/parse/pgbackrest_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void walk_stanza(const struct stanza *stanza)
{
    require(stanza->name[0] != '\0' && strchr(stanza->name, ':') == NULL);
    require(stanza->repository_count >= 1 && stanza->repository_count <= 256);
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct stanza_repository *repository = &stanza->repositories[i];
        require(repository->stanza == stanza && repository->key >= 1 && repository->key <= 256);
        require(i == 0 || repository->key > stanza->repositories[i - 1].key);
        require(repository->name && repository->storage && repository->cipher);
        require(pair_list_get(&repository->options, "path") != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pgbackrest_conf conf CLEANUP(pgbackrest_conf_done) = {0};
    struct settings settings = {0};
    struct err err = {0};
    if (!pgbackrest_conf_parse(&conf, "p.conf", (const char *)data, size, &err)) {
        require(err.code == ERR_CONFIG && strncmp(err.text, "p.conf:", 7) == 0);
        require(strlen(err.text) < 100);
        return 0;
    }
    require(discover_stanzas(&settings, &conf, "info", &err));
    for (size_t i = 0; i < settings.stanza_count; i++)
        walk_stanza(&settings.stanzas[i]);
    discover_stanzas_free(&settings);
    return 0;
}
