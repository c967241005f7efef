/*
 * One step of a file stream, done by the file worker as the tenant. A task belongs to the worker between submit
 * and completion, and to the loop otherwise; no step waits for the other side, so no stream can hold the worker.
 */
#ifndef SANDGATE_FILE_TASK_H
#define SANDGATE_FILE_TASK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "buffer.h"
#include "protocol.h"

enum file_step { FILE_READ_OPEN, FILE_READ_CHUNK, FILE_WRITE_OPEN, FILE_WRITE_CHUNK,
                 FILE_LIST, FILE_DELETE, FILE_ABANDON };

#define LIST_DEPTH_MAX 32
#define LIST_ENTRIES_MAX 1001
/* A page also ends here, so that it fits into a window and a few of them into the output queue. */
#define LIST_BYTES_MAX (128 * 1024)
/* A relative path of LIST_DEPTH_MAX components. */
#define LIST_PATH_BYTES (LIST_DEPTH_MAX * (NAME_MAX + 1))

struct deletion;

struct file_stat {
    uint64_t size, mtime_ms, ctime_ns, inode;
    uint32_t mode, uid, gid;
};

struct file_task {
    enum file_step step;
    struct file_task *next;

    char path[4096 + 1];
    uint64_t offset, left_bytes; // of a read
    bool has_mode;
    uint32_t mode;
    uint32_t depth, limit;           // of a listing
    char after[LIST_PATH_BYTES + 1]; // of a listing: it goes on behind this path, relative to the listed one
    bool is_recursive;               // of a deletion

    int fd, directory_fd;
    char target_name[NAME_MAX + 1], temporary_name[32]; // of a write; the latter is empty once renamed

    struct buffer bytes;     // read: what came; write: what is to go; list: {u32 length, payload} for each entry
    bool has_more;           // list: the page is full
    bool is_last;            // write: nothing follows these bytes
    bool is_done;            // read, write, delete: nothing is left to do
    struct deletion *deletion;
    uint32_t want_bytes;     // read: at most this many
    struct file_stat stat;

    enum sandboxd_error error; // 0: none
    const char *message;
};

void file_task_run(struct file_task *task);

/* Sets the task's error from an errno. */
void file_task_fail(struct file_task *task, int error);
void file_task_refuse(struct file_task *task, enum sandboxd_error code, const char *message);

/* As JavaScript can hold them: a tenant may give a file any size and any time. */
uint64_t file_size(const struct stat *status);
uint64_t file_mtime_ms(const struct stat *status);

/* Sets the error of a path that is not on a file system of the tenant's files. */
bool file_task_accepts(struct file_task *task, int fd);

/* Opens below a folder as all paths are opened: no magic links, and nothing that waits. -1 and errno on failure. */
int file_open(int from_fd, const char *path, int flags);

/* file_list.c: one page of a tree, in the order of bytes, folders before what is in them. */
void file_list(struct file_task *task);

/* file_delete.c: a bounded part of a deletion; file_delete_abandon frees what a longer one holds. */
void file_delete(struct file_task *task);
void file_delete_abandon(struct file_task *task);

/* The folder of the path in directory_fd, its last component in target_name. */
bool file_target_parent(struct file_task *task);

/* file_target.c: makes the parents, follows symlinks, and leaves the real folder and name in the task. */
void file_target_open(struct file_task *task);

#endif
