#include "collectors/queue_server.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROW_RUNS,
    ROW_SEGMENT_SIZE,
    ROW_COMMAND,
    ROW_DATA_DIRECTORY,
    ROW_SAME_HOST,
    ROW_BACKEND,
};

/* Everybody may read these; the view hides data_directory from those who may not know it. A local
 * socket has no addresses. */
static const char settings_query[] =
    "SELECT current_setting('archive_mode') = 'always' OR"
    "  (current_setting('archive_mode') = 'on' AND NOT pg_is_in_recovery()),"
    " (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),"
    " CASE coalesce(current_setting('archive_library', true), '')" /* since version 15 */
    "  WHEN '' THEN current_setting('archive_command') ELSE '' END,"
    " (SELECT setting FROM pg_settings WHERE name = 'data_directory'),"
    " coalesce(host(inet_client_addr()) = host(inet_server_addr()), true),"
    " pg_backend_pid()";

enum { ROW_FILES, ROW_SEGMENTS, ROW_OLDEST, ROW_FIRST, ROW_FIRST_AT };

/* This takes pg_monitor. */
static const char queue_query[] =
    "WITH ready AS (SELECT name, modification, name ~ '^[0-9A-F]{24}[.]ready$' AS is_segment,"
    "  name ~ '^[0-9A-F]{24}([.]partial)?[.]ready$' AS has_wal"
    "  FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),"
    " first AS (SELECT left(name, 24) AS name, modification FROM ready WHERE is_segment"
    "  ORDER BY ready.name LIMIT 1)"
    " SELECT count(*), count(*) FILTER (WHERE has_wal), extract(epoch FROM min(modification)),"
    " (SELECT name FROM first), (SELECT extract(epoch FROM modification) FROM first)"
    " FROM ready";

static bool read_settings(struct pg *pg, const struct bound *bound, struct queue_server *server,
                          struct err *err)
{
    if (!pg_query(pg, settings_query, bound, &server->settings, err))
        return false;
    const struct pg_rows *rows = server->settings;
    if (pg_rows_count(rows) != 1)
        return err_set(err, ERR_QUERY, "the settings of archiving have %d rows, expected 1",
                       pg_rows_count(rows));
    server->seen.runs = pg_rows_bool(rows, 0, ROW_RUNS);
    server->archive_command = pg_rows_text(rows, 0, ROW_COMMAND);
    if (!pg_rows_null(rows, 0, ROW_DATA_DIRECTORY))
        server->data_directory = pg_rows_text(rows, 0, ROW_DATA_DIRECTORY);
    server->is_here = pg_rows_bool(rows, 0, ROW_SAME_HOST);
    server->backend = (pid_t)pg_rows_double(rows, 0, ROW_BACKEND);
    return true;
}

static uint64_t number(const struct pg_rows *rows, int column)
{
    return strtoull(pg_rows_text(rows, 0, column), NULL, 10);
}

static bool read_queue(struct pg *pg, const struct bound *bound, struct queue_server *server,
                       struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct queue_observation *seen = &server->seen;
    if (!pg_query(pg, queue_query, bound, &rows, err))
        return false;
    seen->may_look = true;
    seen->files = number(rows, ROW_FILES);
    seen->bytes = number(rows, ROW_SEGMENTS) * number(server->settings, ROW_SEGMENT_SIZE);
    if (seen->files > 0)
        seen->oldest_at = pg_rows_double(rows, 0, ROW_OLDEST);
    if (pg_rows_null(rows, 0, ROW_FIRST))
        return true;
    snprintf(seen->first, sizeof seen->first, "%s", pg_rows_text(rows, 0, ROW_FIRST));
    seen->first_at = pg_rows_double(rows, 0, ROW_FIRST_AT);
    return true;
}

bool queue_server_ask(struct pg *pg, const struct bound *bound, struct queue_server *ret,
                      struct err *err)
{
    struct queue_server server CLEANUP(queue_server_done) = {0};
    if (!read_settings(pg, bound, &server, err))
        return false;
    if (server.seen.runs && !read_queue(pg, bound, &server, &server.hidden) &&
        server.hidden.code != ERR_PERMISSION)
        return err_set(err, server.hidden.code, "%s", server.hidden.text);
    *ret = server;
    server = (struct queue_server){0};
    return true;
}

void queue_server_done(struct queue_server *server)
{
    pg_rows_free(server->settings);
    *server = (struct queue_server){0};
}
