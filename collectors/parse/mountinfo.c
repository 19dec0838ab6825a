#include "collectors/parse/mountinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The fields of a line; between OPTIONS and the "-" there may be any number of further ones. */
enum { ID, PARENT, DEVICE, ROOT, PATH, OPTIONS, FIXED_COUNT };

/* The parent of the root is a mount that this process cannot see. */
#define OUTSIDE (-1)

/* A part of the text that is being read. */
struct piece {
    const char *text;
    size_t length;
};

static bool is_octal(char byte)
{
    return byte >= '0' && byte <= '7';
}

void mount_unescape(const char *text, size_t length, struct strbuf *out)
{
    for (size_t i = 0; i < length; i++) {
        bool escape = text[i] == '\\' && i + 3 < length && is_octal(text[i + 1]) &&
                      is_octal(text[i + 2]) && is_octal(text[i + 3]);
        if (!escape) {
            strbuf_putc(out, text[i]);
            continue;
        }
        int byte = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
        strbuf_putc(out, (char)byte);
        i += 3;
    }
}

/* Cut the next field off *rest, which ends at a blank. A field may be empty, as a source can. */
static bool next_field(struct piece *rest, struct piece *ret)
{
    if (!rest->text)
        return false;
    const char *blank = memchr(rest->text, ' ', rest->length);
    size_t length = blank ? (size_t)(blank - rest->text) : rest->length;
    *ret = (struct piece){rest->text, length};
    *rest = blank ? (struct piece){blank + 1, rest->length - length - 1} : (struct piece){0};
    return true;
}

static bool is_text(const struct piece *piece, const char *text)
{
    return piece->length == strlen(text) && memcmp(piece->text, text, piece->length) == 0;
}

static bool read_number(const struct piece *piece, int64_t *ret)
{
    int64_t number = 0;
    if (piece->length == 0 || piece->length > 18)
        return false;
    for (size_t i = 0; i < piece->length; i++) {
        if (piece->text[i] < '0' || piece->text[i] > '9')
            return false;
        number = number * 10 + (piece->text[i] - '0');
    }
    *ret = number;
    return true;
}

static char *read_name(const struct piece *piece)
{
    struct strbuf name CLEANUP(strbuf_done) = {0};
    mount_unescape(piece->text, piece->length, &name);
    strbuf_puts(&name, "");
    return name.failed ? NULL : strdup(strbuf_text(&name));
}

static void entry_done(struct mount_entry *entry)
{
    free(entry->path);
    free(entry->options);
    free(entry->filesystem);
    free(entry->source);
    free(entry->super_options);
}

/* The part behind the "-". */
static bool split_line(struct piece line, struct piece fixed[FIXED_COUNT], struct piece *filesystem,
                       struct piece *source, struct piece *ret_super)
{
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        if (!next_field(&line, &fixed[i]))
            return false;
    }
    struct piece field = {0};
    do {
        if (!next_field(&line, &field))
            return false;
    } while (!is_text(&field, "-"));
    if (!next_field(&line, filesystem) || !next_field(&line, source))
        return false;
    *ret_super = line.text ? line : (struct piece){"", 0};
    return true;
}

static bool fill_entry(struct mount_entry *entry, const struct piece fixed[FIXED_COUNT],
                       const struct piece *filesystem, const struct piece *source,
                       const struct piece *super)
{
    entry->path = read_name(&fixed[PATH]);
    entry->options = read_name(&fixed[OPTIONS]);
    entry->filesystem = read_name(filesystem);
    entry->source = read_name(source);
    entry->super_options = read_name(super);
    return entry->path && entry->options && entry->filesystem && entry->source &&
           entry->super_options;
}

static bool append_entry(struct mountinfo *table, struct mount_entry *entry)
{
    struct mount_entry *items = table->items;
    if ((table->count & (table->count - 1)) == 0) /* room for the next power of two */
        items = reallocarray(items, table->count ? 2 * table->count : 1, sizeof *items);
    if (!items)
        return false;
    items[table->count++] = *entry;
    table->items = items;
    *entry = (struct mount_entry){0};
    return true;
}

static bool parse_line(struct mountinfo *table, struct piece line, struct err *err)
{
    struct piece fixed[FIXED_COUNT];
    struct piece filesystem;
    struct piece source;
    struct piece super;
    struct mount_entry entry CLEANUP(entry_done) = {0};
    if (!split_line(line, fixed, &filesystem, &source, &super) ||
        !read_number(&fixed[ID], &entry.id) || !read_number(&fixed[PARENT], &entry.parent) ||
        fixed[PATH].length == 0 || fixed[PATH].text[0] != '/')
        return err_set(err, ERR_PROTOCOL, "line %zu of mountinfo is no mount", table->count + 1);
    if (!fill_entry(&entry, fixed, &filesystem, &source, &super) || !append_entry(table, &entry))
        return err_memory(err);
    return true;
}

bool mountinfo_parse(const char *text, size_t length, struct mountinfo *ret, struct err *err)
{
    struct mountinfo table CLEANUP(mountinfo_done) = {0};
    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        struct piece line = {text, newline ? (size_t)(newline - text) : length};
        if (!parse_line(&table, line, err))
            return false;
        size_t used = line.length + (newline != NULL);
        text += used;
        length -= used;
    }
    *ret = table;
    table = (struct mountinfo){0};
    return true;
}

void mountinfo_done(struct mountinfo *table)
{
    for (size_t i = 0; i < table->count; i++)
        entry_done(&table->items[i]);
    free(table->items);
    *table = (struct mountinfo){0};
}

static bool has_id(const struct mountinfo *table, int64_t id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].id == id)
            return true;
    }
    return false;
}

/* Whether a mount stands on `parent`; a parent that is not in the table is outside of it. */
static bool stands_on(const struct mountinfo *table, const struct mount_entry *entry,
                      int64_t parent)
{
    if (parent != OUTSIDE)
        return entry->parent == parent && entry->id != parent;
    return entry->parent == entry->id || !has_id(table, entry->parent);
}

/* The mount that `parent` carries at the first `length` bytes of path; of several the last. */
static const struct mount_entry *mounted_at(const struct mountinfo *table, int64_t parent,
                                            const char *path, size_t length)
{
    const struct mount_entry *found = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct mount_entry *entry = &table->items[i];
        if (strncmp(entry->path, path, length) == 0 && entry->path[length] == '\0' &&
            stands_on(table, entry, parent))
            found = entry;
    }
    return found;
}

/*
 * Climb the mounts that stand on each other at one place. No table is higher than it has entries:
 * the limit ends a circle, which the kernel never writes.
 */
static const struct mount_entry *topmost(const struct mountinfo *table,
                                         const struct mount_entry *below, const char *path,
                                         size_t length)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct mount_entry *above =
            mounted_at(table, below ? below->id : OUTSIDE, path, length);
        if (!above)
            break;
        below = above;
    }
    return below;
}

/* The path with single slashes and none at its end, but for the root itself. */
static void add_plain(struct strbuf *out, const char *path)
{
    while (*path) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            break;
        strbuf_putc(out, '/');
        strbuf_add(out, path, length);
        path += length;
    }
    if (out->length == 0)
        strbuf_putc(out, '/');
}

const struct mount_entry *mountinfo_holding(const struct mountinfo *table, const char *path)
{
    struct strbuf plain CLEANUP(strbuf_done) = {0};
    add_plain(&plain, path);
    const char *text = strbuf_text(&plain);
    const struct mount_entry *holding = topmost(table, NULL, "/", 1);
    if (plain.failed || plain.length == 1)
        return plain.failed ? NULL : holding;
    for (size_t end = 1; end < plain.length;) {
        end += strcspn(text + end, "/");
        holding = topmost(table, holding, text, end);
        end++;
    }
    return holding;
}

bool mount_entry_is_at(const struct mount_entry *entry, const char *path)
{
    struct strbuf plain CLEANUP(strbuf_done) = {0};
    add_plain(&plain, path);
    return !plain.failed && strcmp(strbuf_text(&plain), entry->path) == 0;
}

/* Where "name" or "name=" stands in the list, as a whole option; NULL when it does not. */
static const char *find_option(const char *options, const char *name)
{
    size_t length = strlen(name);
    for (const char *option = options; *option; option += *option == ',') {
        if (strncmp(option, name, length) == 0 && strchr("=,", option[length]))
            return option;
        option += strcspn(option, ",");
    }
    return NULL;
}

bool mount_option_is_set(const char *options, const char *name)
{
    return find_option(options, name) != NULL;
}

void mount_option_value(const char *options, const char *name, struct strbuf *out)
{
    const char *option = find_option(options, name);
    if (!option || option[strlen(name)] != '=')
        return;
    const char *value = option + strlen(name) + 1;
    strbuf_add(out, value, strcspn(value, ","));
}

bool mount_entry_is_read_only(const struct mount_entry *entry)
{
    return mount_option_is_set(entry->options, "ro") ||
           mount_option_is_set(entry->super_options, "ro");
}
