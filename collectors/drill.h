/*
 * drill - what other collectors may know of the restore drills of a repository.
 */
#ifndef COLLECTORS_DRILL_H
#define COLLECTORS_DRILL_H

#include <stdbool.h>

#include "collectors/drill_record.h"

/* How the last drill ended; while one runs, the one before it. */
enum drill_state { DRILL_NEVER, DRILL_FAILED, DRILL_SUCCEEDED };

/* Target: "main/repo1". Of the last one that succeeded; times are s since 1970, 0: there is none.
 */
struct drill_observation {
    enum drill_state state;
    double success_ended_at;
    double success_duration_s; /* until the restored server answered */
    double success_recovered_at;
};

void drill_observation_free(void *observation); /* takes NULL */

/* running: a drill of this record runs now. One that neither runs nor ended was killed. */
enum drill_state drill_state_of(const struct drill_record *record, bool running);

#endif
