/*
 * complete_work - the state of one completing, shared by its parts.
 */
#ifndef EXPORTER_COMMANDS_COMPLETE_WORK_H
#define EXPORTER_COMMANDS_COMPLETE_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "exporter/commands/complete.h"
#include "exporter/commands/complete_need.h"
#include "exporter/commands/complete_pg_wal.h"
#include "exporter/commands/complete_say.h"
#include "exporter/commands/complete_scratch.h"
#include "exporter/commands/complete_store.h"
#include "exporter/sources/pg.h"

enum wanted_state {
    WANTED,        /* not in the target yet */
    WANTED_PUSHED, /* pgbackrest says that it is there now; with a dry run: it could be */
    WANTED_BROKEN, /* cannot be mended here; it was told why */
};

/* A segment that is needed and was not in the target. */
struct wanted {
    const struct needed_segment *needed;
    enum wanted_state state;
};

struct work {
    const struct complete_request *request;
    struct teller teller;
    struct store_world world;
    struct pg_wal pg_wal;
    struct pg *pg; /* NULL: PostgreSQL is not asked */
    struct scratch scratch;
    struct store target;
    struct complete_need need;
    struct wanted *wanted;
    size_t wanted_count;
    size_t histories_copied;
    uint32_t newest_timeline; /* production's; known once pg_wal was looked into */
};

/* "repository 2 (r2)", for messages: a format and its values. */
#define REPOSITORY_FORMAT             "repository %d (%s)"
#define REPOSITORY_VALUES(repository) (int)(repository)->key, (repository)->name

/* How many of the wanted segments are in that state. */
size_t work_count(const struct work *work, enum wanted_state state);

/*
 * Take segments that are wanted from pg_wal. *ret_unfinished: how many of them PostgreSQL has not
 * finished yet. False: the work cannot go on.
 */
bool work_take_from_pg_wal(struct work *work, size_t *ret_unfinished, struct err *err) MUST_USE;

/* The same from another repository. One that fails is told and left. */
bool work_take_from_store(struct work *work, struct store *store, struct err *err) MUST_USE;

/*
 * Copy history files that the target has not: all up to production's timeline, because a recovery
 * tries them one after the other and ends at the first that is not there, and because a restored
 * copy takes a number for its own that it finds free. One of a newer timeline is another server's:
 * with it a default restore would leave production's way.
 */
bool work_take_histories_of_pg_wal(struct work *work, struct err *err) MUST_USE;
bool work_take_histories(struct work *work, struct store *store, struct err *err) MUST_USE;

/* The failure is told and the work goes on; false for one that ends it: stopped, out of memory. */
bool work_goes_on(struct work *work, const struct err *err);

#endif
