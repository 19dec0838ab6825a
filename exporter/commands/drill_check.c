#include "exporter/commands/drill_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "collectors/model/wal.h"
#include "exporter/sources/pg.h"

#define QUERY_MS        600000
#define COLLATION_SINCE 150000 /* pg_database.datcollversion */

/* Those that take connections. -2 is one whose DROP DATABASE was broken off, or not yet through at
 * the moment that recovery went to: PostgreSQL lets nobody in, and nothing is missing. */
#define OF_DATABASES "FROM pg_database WHERE datallowconn AND datconnlimit <> -2"

/* A query inside the guard's bound, which is longer than any single answer may take. */
static bool ask(const struct drill_server *server, struct pg *pg, const char *statement,
                struct pg_rows **ret, struct err *err)
{
    struct bound bound = bound_after(QUERY_MS, server->guard->bound.stop_fd);
    if (bound.deadline_ms > server->guard->bound.deadline_ms)
        bound.deadline_ms = server->guard->bound.deadline_ms;
    return drill_guard_allows(server->guard, err) && pg_query(pg, statement, &bound, ret, err);
}

static struct pg *open_database(const struct drill_server *server, const char *database,
                                struct err *err)
{
    struct strbuf conninfo CLEANUP(strbuf_done) = {0};
    drill_server_conninfo(server, database, &conninfo);
    if (conninfo.failed) {
        err_memory(err);
        return NULL;
    }
    return pg_open(server->pool, strbuf_text(&conninfo), err);
}

static void add_literal(struct strbuf *out, const char *text)
{
    strbuf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            strbuf_putc(out, '\'');
        strbuf_putc(out, *text);
    }
    strbuf_putc(out, '\'');
}

/* Recovery has to have passed the place where the backup is consistent. */
static bool check_position(const struct drill_server *server, struct pg *pg,
                           const struct drill_backup *backup, struct drill_findings *ret,
                           struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "SELECT extract(epoch FROM pg_last_xact_replay_timestamp()),"
                       " current_setting('data_checksums') = 'on', pg_last_wal_replay_lsn(),");
    if (backup->lsn_stop && !backup->offline) {
        strbuf_puts(&text, " coalesce(pg_last_wal_replay_lsn() >= ");
        add_literal(&text, backup->lsn_stop);
        strbuf_puts(&text, "::pg_lsn, false)");
    } else {
        strbuf_puts(&text, " true");
    }
    if (text.failed)
        return err_memory(err);
    if (!ask(server, pg, strbuf_text(&text), &rows, err))
        return false;
    if (!pg_rows_bool(rows, 0, 3))
        return err_set(err, ERR_PROTOCOL, "recovery ended at %s, before the backup's end at %s",
                       pg_rows_text(rows, 0, 2), backup->lsn_stop);
    double replayed_at = pg_rows_double(rows, 0, 0);
    ret->recovered_at = isnan(replayed_at) ? backup->stop : fmax(replayed_at, backup->stop);
    ret->has_checksums = pg_rows_bool(rows, 0, 1);
    return true;
}

/*
 * PostgreSQL takes a segment that is missing for the end of the WAL and starts without a word. What
 * the repository listed before the restore must all have come.
 */
static bool check_newest(const struct drill_server *server, struct pg *pg, const char *newest,
                         struct err *err)
{
    static const char question[] =
        "SELECT setting, pg_last_wal_replay_lsn() - '0/0'::pg_lsn, pg_last_wal_replay_lsn()"
        " FROM pg_settings WHERE name = 'wal_segment_size'";
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct wal_segment segment;
    if (!ask(server, pg, question, &rows, err))
        return false;
    double size = pg_rows_double(rows, 0, 0);
    if (!(size > 0) || !wal_segment_parse(newest, (uint64_t)size, &segment))
        return err_set(err, ERR_PROTOCOL, "%s is no WAL segment of this cluster", newest);
    double begin = (double)wal_segment_end(&segment, (uint64_t)size) - size;
    return pg_rows_double(rows, 0, 1) > begin ||
           err_set(err, ERR_PROTOCOL,
                   "recovery ended at %s, though the repository lists WAL up to %s: a segment "
                   "between is missing, and a restore would lose what is behind it (to the end of "
                   "the backup only: --target backup)",
                   pg_rows_text(rows, 0, 2), newest);
}

static bool check_goal(const struct drill_server *server, struct pg *pg,
                       const struct drill_goal *goal, struct drill_findings *ret, struct err *err)
{
    const struct drill_backup *backup = goal->backup;
    if (backup->offline)
        return true;
    if (goal->one_moment)
        drill_server_stop_reason(server->scratch->log, &ret->stopped);
    if (goal->one_moment && ret->stopped.length == 0)
        return err_set(err, ERR_PROTOCOL, "recovery did not stop at the moment asked for");
    return !goal->all_wal || !backup->newest_wal ||
           check_newest(server, pg, backup->newest_wal, err);
}

/* Every row is turned into text, so that all of it is read, what is stored out of line too. */
static bool read_table(const struct drill_server *server, struct pg *pg, const char *table,
                       struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_printf(&text, "SELECT count(*), sum(length(t::text)) FROM pg_catalog.%s t", table);
    if (text.failed)
        return err_memory(err);
    return ask(server, pg, strbuf_text(&text), &rows, err) || err_prefix(err, "%s", table);
}

static bool read_catalogue(const struct drill_server *server, struct pg *pg, struct err *err)
{
    static const char tables[] =
        "SELECT quote_ident(relname) FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace ORDER BY 1";
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!ask(server, pg, tables, &rows, err))
        return false;
    for (int i = 0; i < pg_rows_count(rows); i++) {
        if (!read_table(server, pg, pg_rows_text(rows, i, 0), err))
            return false;
    }
    return true;
}

static bool check_database(const struct drill_server *server, const char *name, struct err *err)
{
    struct pg *pg CLEANUP(pg_closep) = open_database(server, name, err);
    return (pg && read_catalogue(server, pg, err)) || err_prefix(err, "database %s", name);
}

static bool check_all(const struct drill_server *server, struct pg *pg, struct drill_findings *ret,
                      struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (!ask(server, pg, "SELECT datname " OF_DATABASES " ORDER BY 1", &rows, err))
        return false;
    for (int i = 0; i < pg_rows_count(rows); i++) {
        if (!check_database(server, pg_rows_text(rows, i, 0), err))
            return false;
    }
    ret->databases = pg_rows_count(rows);
    return true;
}

static bool count_collations(const struct drill_server *server, struct pg *pg,
                             struct drill_findings *ret, struct err *err)
{
    struct pg_rows *rows CLEANUP(pg_rows_freep) = NULL;
    if (pg_server_version(pg) < COLLATION_SINCE)
        return true;
    if (!ask(server, pg,
             "SELECT count(*) " OF_DATABASES
             " AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)",
             &rows, err))
        return false;
    ret->collation_mismatches = (int)pg_rows_double(rows, 0, 0);
    return true;
}

void drill_findings_done(struct drill_findings *findings)
{
    strbuf_done(&findings->stopped);
}

bool drill_check_databases(const struct drill_server *server, const struct drill_goal *goal,
                           struct drill_findings *ret, struct err *err)
{
    struct drill_findings findings = {0};
    struct pg *pg CLEANUP(pg_closep) = open_database(server, "postgres", err);
    bool sound = pg && check_position(server, pg, goal->backup, &findings, err) &&
                 check_goal(server, pg, goal, &findings, err) &&
                 check_all(server, pg, &findings, err) &&
                 count_collations(server, pg, &findings, err);
    if (sound)
        *ret = findings;
    else
        drill_findings_done(&findings);
    return sound;
}

bool drill_check_pages(const struct drill_server *server, struct err *err)
{
    const char *const arguments[] = {"--check", "-D", server->scratch->data, NULL};
    return drill_server_run(server, "pg_checksums", arguments, err);
}
