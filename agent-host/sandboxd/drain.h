/* Pipes of finished execs that background processes still hold: read and dropped until they close them. */
#ifndef SANDGATE_DRAIN_H
#define SANDGATE_DRAIN_H

#include "loop.h"

#define DRAINS_MAX 128

/* Takes the descriptor over. Beyond DRAINS_MAX it is closed, and its writers get EPIPE. */
void drain_adopt(struct source *source);

/* Reads once and drops it; closes the source at end of file. */
void drain_read(struct source *source);

#endif
