/*
 * user - gives root's rights up before anything else is done.
 *
 * pgBackRest refuses root, and its repositories belong to one user; so the program becomes that
 * user, once and for good.
 */
#ifndef EXPORTER_COMMANDS_USER_H
#define EXPORTER_COMMANDS_USER_H

#include <stdbool.h>

#include "exporter/base/err.h"

/*
 * Started as root, become the user of that name with its groups, for good. Started as anyone else
 * this does nothing. ERR_CONFIG: there is no such user, or it is root itself; ERR_SYSTEM.
 */
bool user_become(const char *name, struct err *err) MUST_USE;

#endif
