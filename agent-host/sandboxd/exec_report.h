/* How one exec moves on, and what the host is told of it. */
#ifndef SANDGATE_EXEC_REPORT_H
#define SANDGATE_EXEC_REPORT_H

#include "exec_state.h"
#include "protocol.h"

enum sandboxd_error exec_error_of(enum job_stage stage, int error);

/* Looks at what the supervisor and the clocks say and reports what is due. */
void exec_advance(struct exec *exec, uint64_t now);

/* Watches the pipes that may flow, and lets the grace clock run only while the host is not the one who holds them. */
void exec_rearm(struct exec *exec, uint64_t now);

uint64_t exec_own_deadline_ms(const struct exec *exec);

#endif
