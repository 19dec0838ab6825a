/*
 * fuzz_mountinfo - any list of mounts is either refused with a reason or gives a table in which
 * the search for a path ends in it or nowhere.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void look_for(const struct mountinfo *table, const char *path)
{
    const struct mount_entry *found = mountinfo_holding(table, path);
    require(!found || (found >= table->items && found < table->items + table->count));
}

static void walk(const struct mountinfo *table)
{
    for (size_t i = 0; i < table->count && i < 20; i++) {
        const struct mount_entry *entry = &table->items[i];
        struct strbuf value = {0};
        require(entry->path[0] == '/' && entry->filesystem && entry->source);
        look_for(table, entry->path);
        mount_option_value(entry->super_options, "vers", &value);
        require(value.length == 0 || mount_option_is_set(entry->super_options, "vers"));
        strbuf_done(&value);
    }
    look_for(table, "/mnt/nas-postgresql/repo");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mountinfo table = {0};
    struct err err = {0};
    if (!mountinfo_parse((const char *)data, size, &table, &err)) {
        require(!table.items && err.code == ERR_PROTOCOL && err.text[0] != '\0');
        return 0;
    }
    walk(&table);
    mountinfo_done(&table);
    return 0;
}
