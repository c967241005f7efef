/* File streams, as the rest of the daemon sees them. */
#ifndef SANDGATE_FILES_H
#define SANDGATE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"

#define FILE_STREAMS_MAX 32

/* Starts the file worker. */
void files_init(uint32_t uid, uint32_t gid);
void files_on_frame(const struct frame *frame);
void files_on_credit(const struct frame *frame);
bool files_own_stream(uint32_t stream);
void files_on_link_lost(void);

/* Gives every idle stream its next step. */
void files_round(void);
void files_resume(void);

#endif
