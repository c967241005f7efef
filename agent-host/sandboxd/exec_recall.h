/* What a host that comes back asks for: what is kept, one of it on a stream again, and to let it go. */
#ifndef SANDGATE_EXEC_RECALL_H
#define SANDGATE_EXEC_RECALL_H

#include "frames.h"

void recall_on_frame(const struct frame *frame);

#endif
