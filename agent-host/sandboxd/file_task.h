/*
 * One step of a file stream, done by the file worker as the tenant. A task belongs to the worker between submit
 * and completion, and to the loop otherwise; no step waits for the other side, so no stream can hold the worker.
 */
#ifndef SANDGATE_FILE_TASK_H
#define SANDGATE_FILE_TASK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "protocol.h"

enum file_step { FILE_READ_OPEN, FILE_READ_CHUNK, FILE_WRITE_OPEN, FILE_WRITE_CHUNK, FILE_WRITE_COMMIT, FILE_ABANDON };

struct file_stat {
    uint64_t size, mtime_ms;
    uint32_t mode, uid, gid;
};

struct file_task {
    enum file_step step;
    struct file_task *next;

    char path[4096 + 1];
    uint64_t offset, left_bytes; // of a read
    bool has_mode;
    uint32_t mode;

    int fd, directory_fd;
    char target_name[NAME_MAX + 1], temporary_name[32]; // of a write; the latter is empty once renamed

    struct buffer bytes;     // read: what came; write: what is to go
    uint32_t want_bytes;     // read: at most this many
    struct file_stat stat;

    enum sandboxd_error error; // 0: none
    const char *message;
};

void file_task_run(struct file_task *task);

/* Sets the task's error from an errno. */
void file_task_fail(struct file_task *task, int error);
void file_task_refuse(struct file_task *task, enum sandboxd_error code, const char *message);

/* file_target.c: makes the parents, follows symlinks, and leaves the real folder and name in the task. */
void file_target_open(struct file_task *task);

#endif
