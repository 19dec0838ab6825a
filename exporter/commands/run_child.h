/*
 * run_child - runs a program in the foreground, as a shell would: it has our terminal, our
 * descriptors and our place in the process group.
 */
#ifndef EXPORTER_COMMANDS_RUN_CHILD_H
#define EXPORTER_COMMANDS_RUN_CHILD_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"

/* What a shell adds to the number of a signal. */
#define RUN_CHILD_SIGNAL_STATUS 128

/*
 * Run argv[0], an absolute path, to its end. Signals that come through the descriptor of
 * signals_take() are passed on to it, but for those that the terminal has sent to both of us.
 * *ret_status: its exit status, or 128 + the signal that ended it. ERR_SYSTEM: it cannot be run.
 * Blocks for as long as it runs. No thread of ours may be running.
 */
bool run_child(char *const argv[], char *const envp[], int signals, int *ret_status,
               struct err *err) MUST_USE;

#endif
