/* Exec streams, as the rest of the daemon sees them. */
#ifndef SANDGATE_EXEC_H
#define SANDGATE_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "frames.h"

#define EXECS_MAX 64

void exec_init(uint32_t uid, uint32_t gid);
void exec_on_frame(const struct frame *frame);
bool exec_on_credit(const struct frame *frame);
bool exec_owns_stream(uint32_t stream);
void exec_on_link_lost(void);

/* PID 1 has reaped a process; true when it was a supervisor. */
void exec_on_reaped(pid_t pid);

/* Moves every exec on: what started, ended, timed out, or can be freed. */
void exec_round(void);

/* Decides which pipes are read until the next round. */
void exec_resume(void);
uint64_t exec_deadline_ms(void);

#endif
