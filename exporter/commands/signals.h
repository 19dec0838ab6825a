/*
 * signals - those that mean something to the program come through a descriptor.
 */
#ifndef EXPORTER_COMMANDS_SIGNALS_H
#define EXPORTER_COMMANDS_SIGNALS_H

/*
 * Block TERM, INT and HUP for this thread and all that it starts from now on; returns a signalfd
 * for them, close-on-exec, or -1 with errno. The caller closes it.
 */
int signals_take(void);

#endif
