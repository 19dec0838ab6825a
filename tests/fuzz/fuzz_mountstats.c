/*
 * fuzz_mountstats - any statistics give numbers for the mount that is looked for, or nothing.
 */
#include <stdint.h>
#include <stdlib.h>

#include "collectors/parse/mountstats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"nfs", "nfs4"};
    for (size_t i = 0; i < 2; i++) {
        struct mountstats stats = {0};
        bool found =
            mountstats_find((const char *)data, size, "/mnt/nas-postgresql", types[i], &stats);
        if (found != (stats.has_lease || stats.has_operations || stats.has_connects))
            abort();
    }
    return 0;
}
