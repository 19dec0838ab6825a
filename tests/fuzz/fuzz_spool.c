/*
 * fuzz_spool - whatever stands in pgBackRest's spool and log, what is taken from it is a segment.
 *
 * The input is the text of a file; its first line is a file's name and an option's value as well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char capitals[] = "0123456789ABCDEF";

static void look_for_drops(const char *text, size_t size)
{
    struct text_list dropped = {0};
    struct err err = {0};
    if (!spool_dropped(text, size, &dropped, &err))
        abort();
    for (size_t i = 0; i < dropped.count; i++) {
        if (strspn(dropped.items[i], capitals) != 24 || strchr(dropped.items[i], '\''))
            abort();
    }
    text_list_done(&dropped);
}

static void look_for_repositories(const char *text)
{
    bool names_any = spool_error_names(text, 1) || spool_error_names(text, 256);
    if (names_any && !spool_error_names_one(text))
        abort();
}

static void expect_wal_name(const char *text)
{
    if (strspn(text, capitals) < 8)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    uint64_t bytes = 0;
    if (!text)
        return 0;
    look_for_drops((const char *)data, size);
    look_for_repositories(text);
    text[strcspn(text, "\n")] = '\0';
    if (spool_file_of(text) == SPOOL_OK || spool_file_of(text) == SPOOL_ERROR)
        expect_wal_name(text);
    if (spool_parse_size(text, &bytes) && (*text < '0' || *text > '9'))
        abort();
    free(text);
    return 0;
}
