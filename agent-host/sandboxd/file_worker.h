/* The one thread that touches tenant files, with the tenant's file-system identity and no capability. */
#ifndef SANDGATE_FILE_WORKER_H
#define SANDGATE_FILE_WORKER_H

#include <stdint.h>

#include "file_task.h"

/* Starts the thread and waits until it has become harmless; aborts when it cannot. */
void file_worker_start(uint32_t uid, uint32_t gid);
void file_worker_submit(struct file_task *task);

/* The next finished task, or NULL. `file_worker_fd` becomes readable when there is one. */
struct file_task *file_worker_finished(void);
int file_worker_fd(void);

#endif
