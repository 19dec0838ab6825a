/*
 * fuzz_info - any output of `pgbackrest info` is either refused with a reason or gives a catalogue
 * that can be walked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/model/reason.h"
#include "collectors/parse/info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void walk_backup(const struct info_backup *backup)
{
    require(backup->label && backup->type && backup->references);
    for (size_t i = 0; i < backup->reference_count; i++)
        require(strlen(backup->references[i]) < SIZE_MAX);
}

static void walk_stanza(const struct info_stanza *stanza)
{
    require(stanza->name && stanza->status.message);
    for (size_t i = 0; i < stanza->backup_count; i++)
        walk_backup(&stanza->backups[i]);
    for (size_t i = 0; i < stanza->archive_count; i++)
        require(stanza->archives[i].id != NULL);
    for (size_t i = 0; i < stanza->repository_count; i++) {
        const struct info_repository *repository = &stanza->repositories[i];
        const struct info_database *now = info_current_database(stanza, repository->key);
        require(repository->cipher && (!now || now->repo_key == repository->key));
        enum err_code reason =
            reason_of_status(repository->status.code, repository->status.message, i % 2 == 0);
        require((reason == ERR_NONE) == (repository->status.code == INFO_OK));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct info *info CLEANUP(info_unrefp) = NULL;
    struct err err = {0};
    require(info_message_length((const char *)data, size) <= size);
    if (!info_parse((const char *)data, size, &info, &err)) {
        require(!info && err.code == ERR_PROTOCOL && err.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < info->stanza_count; i++)
        walk_stanza(&info->stanzas[i]);
    return 0;
}
