/*
 * pgbackrest_info - one `pgbackrest info` on one repository, for who needs its catalogue now.
 */
#ifndef COLLECTORS_PGBACKREST_INFO_H
#define COLLECTORS_PGBACKREST_INFO_H

#include "collectors/parse/info.h"
#include "collectors/pgbackrest.h"

/*
 * Run it and parse what it prints. call->arguments is not used. The errors of pgbackrest_run() and
 * of info_parse(), with the repository named. *ret is unreferenced by the caller.
 */
bool pgbackrest_info(const struct pgbackrest_call *call, const struct bound *bound,
                     struct info **ret, struct err *err) MUST_USE;

#endif
