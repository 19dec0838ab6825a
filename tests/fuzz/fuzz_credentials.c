/*
 * fuzz_credentials - any bytes are either refused with a line or give names that can be asked for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials credentials CLEANUP(credentials_done) = {0};
    struct err err = {0};
    if (!credentials_parse((const char *)data, size, &credentials, &err)) {
        require(err.code == ERR_CONFIG && credentials.pairs.count == 0);
        return 0;
    }
    for (size_t i = 0; i < credentials.pairs.count; i++) {
        const struct text_pair *pair = &credentials.pairs.items[i];
        require(pair->name[0] != '\0' && strlen(pair->value) <= size);
        require(credentials_get(&credentials, pair->name) != NULL);
    }
    return 0;
}
