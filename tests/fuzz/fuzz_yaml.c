/*
 * fuzz_yaml - any bytes either fill the struct within its limits or are told as problems, each on
 * a line of its own that begins with the file's name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/config/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
    int64_t number;
    char *name;
    struct pair_list map;
};

struct subject {
    char *text;
    char *path;
    double duration;
    enum tristate maybe;
    struct text_list texts;
    struct item *items;
    size_t item_count;
};

static const struct option item_rows[] = {
    {.key = "key",
     .type = OPTION_INTEGER,
     .required = true,
     .min = 1,
     .max = 256,
     .offset = offsetof(struct item, number)},
    {.key = "name", .type = OPTION_TEXT, .fallback = "none", .offset = offsetof(struct item, name)},
    {.key = "options", .type = OPTION_MAP, .offset = offsetof(struct item, map)},
};
static const struct option_table item_table = {item_rows, COUNT_OF(item_rows), sizeof(struct item)};

static const struct option inner_rows[] = {
    {.key = "stanza", .type = OPTION_TEXT, .offset = offsetof(struct subject, text)},
    {.key = "config", .type = OPTION_PATH, .offset = offsetof(struct subject, path)},
    {.key = "stanzas", .type = OPTION_TEXTS, .offset = offsetof(struct subject, texts)},
};
static const struct option_table inner_table = {inner_rows, COUNT_OF(inner_rows), 0};

static const struct option rows[] = {
    {.key = "interval",
     .type = OPTION_DURATION,
     .min = 1,
     .max = 604800,
     .offset = offsetof(struct subject, duration)},
    {.key = "continuous-wal", .type = OPTION_TRISTATE, .offset = offsetof(struct subject, maybe)},
    {.key = "pgbackrest", .type = OPTION_SECTION, .section = &inner_table},
    {.key = "repositories",
     .type = OPTION_SECTIONS,
     .section = &item_table,
     .offset = offsetof(struct subject, items),
     .count_offset = offsetof(struct subject, item_count)},
};
static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct subject)};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_values(const struct subject *subject, bool sound)
{
    require(subject->duration == 0 || (subject->duration >= 1 && subject->duration <= 604800));
    require(!subject->path || subject->path[0] == '/');
    require(subject->item_count <= YAML_ITEMS_MAX && subject->texts.count <= YAML_ITEMS_MAX);
    for (size_t i = 0; sound && i < subject->item_count; i++)
        require(subject->items[i].number >= 1 && subject->items[i].number <= 256);
}

static void check_lines(const char *text)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        require(strncmp(line, "f.yml:", 6) == 0 || strncmp(line, "... and ", 8) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem_list problems CLEANUP(problem_list_done) = {0};
    struct subject subject = {0};
    struct err err = {0};
    struct yaml_file file = {
        .name = "f.yml", .text = (const char *)data, .length = size, .problems = &problems};
    require(option_defaults(&table, &subject, &err));
    require(yaml_load(&file, &table, &subject, &err));
    bool sound = problem_none(&problems, &err);
    check_values(&subject, sound);
    if (!sound)
        check_lines(err.text);
    yaml_file_done(&file);
    option_free(&table, &subject);
    return 0;
}
