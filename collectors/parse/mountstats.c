#include "collectors/parse/mountstats.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/parse/mountinfo.h"
#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

/* Columns of "OPERATION: ..." after its name. */
enum { OPERATIONS, TRANSMISSIONS, TIMEOUTS, OPERATION_COLUMNS };

/* Columns of "xprt: tcp ..." after its protocol: source port, binds, connects. */
enum { SOURCE_PORT, BINDS, CONNECTS, CONNECTION_COLUMNS };

struct reader {
    const char *path;
    const char *filesystem;
    bool inside;             /* the line belongs to the section that is looked for */
    bool counts_operations;  /* it is one of those after "per-op statistics" */
    struct mountstats stats; /* of the section */
};

/* Numbers separated by blanks; false when there are fewer. */
static bool read_numbers(const char *text, uint64_t *ret, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text += strspn(text, " ");
        if (*text < '0' || *text > '9')
            return false;
        char *end;
        ret[i] = strtoull(text, &end, 10);
        text = end;
    }
    return true;
}

static bool name_is(const char *begin, const char *end, const char *name)
{
    struct strbuf plain CLEANUP(strbuf_done) = {0};
    mount_unescape(begin, (size_t)(end - begin), &plain);
    return !plain.failed && plain.length == strlen(name) &&
           memcmp(strbuf_text(&plain), name, plain.length) == 0;
}

/* "device SOURCE mounted on PATH with fstype TYPE statvers=1.1": blanks in names are escaped. */
static bool is_section_of(const struct reader *reader, const char *line)
{
    static const char on[] = " mounted on ";
    static const char with[] = " with fstype ";
    const char *found = strstr(line, on);
    const char *path = found ? found + sizeof on - 1 : NULL;
    const char *path_end = path ? strstr(path, with) : NULL;
    if (!path_end)
        return false;
    const char *type = path_end + sizeof with - 1;
    return name_is(path, path_end, reader->path) &&
           name_is(type, type + strcspn(type, " "), reader->filesystem);
}

static bool is_header(const char *line)
{
    return strncmp(line, "device ", strlen("device ")) == 0 ||
           strncmp(line, "no device ", strlen("no device ")) == 0;
}

static void read_lease(struct mountstats *stats, const char *line)
{
    static const char key[] = ",lease_expired=";
    const char *found = strstr(line, key);
    if (found)
        stats->has_lease = read_numbers(found + sizeof key - 1, &stats->lease_expired_s, 1);
}

/* One line for each connection; one over UDP has no connects. */
static void read_connection(struct mountstats *stats, const char *line)
{
    uint64_t columns[CONNECTION_COLUMNS];
    line += strspn(line, " \t");
    if (strncmp(line, "tcp ", 4) != 0 && strncmp(line, "rdma ", 5) != 0)
        return;
    if (!read_numbers(strchr(line, ' '), columns, CONNECTION_COLUMNS))
        return;
    stats->has_connects = true;
    stats->connects += columns[CONNECTS];
}

static void read_operation(struct mountstats *stats, const char *line)
{
    uint64_t columns[OPERATION_COLUMNS];
    const char *colon = strchr(line, ':');
    if (!colon || !read_numbers(colon + 1, columns, OPERATION_COLUMNS))
        return;
    stats->has_operations = true;
    stats->requests += columns[OPERATIONS];
    stats->major_timeouts += columns[TIMEOUTS];
    if (columns[TRANSMISSIONS] > columns[OPERATIONS])
        stats->retransmissions += columns[TRANSMISSIONS] - columns[OPERATIONS];
}

static const char *after(const char *line, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(line, prefix, length) == 0 ? line + length : NULL;
}

static void read_line(struct reader *reader, const char *line)
{
    if (is_header(line)) {
        reader->counts_operations = false;
        reader->inside = is_section_of(reader, line);
        if (reader->inside)
            reader->stats = (struct mountstats){0};
        return;
    }
    if (!reader->inside)
        return;
    line += strspn(line, " \t");
    const char *connection = after(line, "xprt:");
    if (reader->counts_operations)
        read_operation(&reader->stats, line);
    else if (connection)
        read_connection(&reader->stats, connection);
    else if (after(line, "nfsv4:"))
        read_lease(&reader->stats, line);
    else if (after(line, "per-op statistics"))
        reader->counts_operations = true;
}

/* The line at the start of text, as a text of its own; how many bytes it took. */
static size_t take_line(const char *text, size_t length, struct strbuf *line)
{
    const char *newline = memchr(text, '\n', length);
    size_t taken = newline ? (size_t)(newline - text) : length;
    strbuf_truncate(line, 0);
    strbuf_add(line, text, taken);
    return taken + (newline != NULL);
}

bool mountstats_find(const char *text, size_t length, const char *path, const char *filesystem,
                     struct mountstats *ret)
{
    struct reader reader = {.path = path, .filesystem = filesystem};
    struct strbuf line CLEANUP(strbuf_done) = {0};
    while (length > 0 && !line.failed) {
        size_t taken = take_line(text, length, &line);
        read_line(&reader, strbuf_text(&line));
        text += taken;
        length -= taken;
    }
    const struct mountstats *stats = &reader.stats;
    if (!stats->has_lease && !stats->has_operations && !stats->has_connects)
        return false;
    *ret = *stats;
    return true;
}
