#include "file_task.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "refused_fs.h"

static enum sandboxd_error code_of(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_PERMISSION_DENIED;
    case ENOTEMPTY:
        return ERROR_NOT_EMPTY;
    case EISDIR:
    case ENXIO: // a socket
    case ENODEV:
        return ERROR_NOT_A_REGULAR_FILE;
    case ELOOP: // a magic link, or too many ordinary ones
        return ERROR_PATH_REFUSED;
    case ENOSPC:
    case EDQUOT:
        return ERROR_NO_SPACE;
    case EFBIG:
    case EOVERFLOW:
        return ERROR_FILE_TOO_LARGE;
    default:
        return ERROR_IO;
    }
}

void file_task_refuse(struct file_task *task, enum sandboxd_error code, const char *message) {
    if (task->error != 0) return;
    task->error = code;
    task->message = message;
}

void file_task_fail(struct file_task *task, int error) {
    file_task_refuse(task, code_of(error), strerrordesc_np(error));
}

uint64_t file_size(const struct stat *status) {
    uint64_t most = UINT64_C(1) << 53;
    return (uint64_t)status->st_size < most ? (uint64_t)status->st_size : most - 1;
}

uint64_t file_mtime_ms(const struct stat *status) {
    int64_t most = INT64_C(1) << 43;
    if (status->st_mtim.tv_sec < 0) return 0;
    if (status->st_mtim.tv_sec >= most) return (uint64_t)most * 1000;
    return (uint64_t)status->st_mtim.tv_sec * 1000 + (uint64_t)status->st_mtim.tv_nsec / 1000000;
}

int file_open(int from_fd, const char *path, int flags) {
    // O_NONBLOCK: neither a FIFO without a writer nor a leased file may hold the worker.
    struct open_how how = {.flags = (uint64_t)(flags | O_NOCTTY | O_CLOEXEC), .resolve = RESOLVE_NO_MAGICLINKS};
    if ((flags & O_PATH) == 0) how.flags |= O_NONBLOCK;
    else how.flags &= ~(uint64_t)O_NOCTTY;
    return (int)syscall(SYS_openat2, from_fd, path, &how, sizeof how);
}

bool file_task_accepts(struct file_task *task, int fd) {
    struct statfs filesystem;
    if (fstatfs(fd, &filesystem) != 0) file_task_fail(task, errno);
    else if (filesystem_is_refused((unsigned long)filesystem.f_type))
        file_task_refuse(task, ERROR_PATH_REFUSED, "not on a file system of files");
    return task->error == 0;
}

/* Loads the stat of an open file; only regular files on the tenant's own file systems pass. */
static bool check_regular(struct file_task *task, int fd) {
    struct stat status;
    if (!file_task_accepts(task, fd)) return false;
    if (fstat(fd, &status) != 0) {
        file_task_fail(task, errno);
    } else if (!S_ISREG(status.st_mode)) {
        file_task_refuse(task, ERROR_NOT_A_REGULAR_FILE, "not a regular file");
    } else {
        task->stat = (struct file_stat){.size = file_size(&status),
                                        .mtime_ms = file_mtime_ms(&status),
                                        .ctime_ns = (uint64_t)status.st_ctim.tv_sec * 1000000000u +
                                                    (uint64_t)status.st_ctim.tv_nsec,
                                        .inode = status.st_ino,
                                        .mode = status.st_mode & 07777,
                                        .uid = status.st_uid,
                                        .gid = status.st_gid};
    }
    return task->error == 0;
}

static void close_all(struct file_task *task) {
    if (task->fd >= 0) close(task->fd);
    if (task->directory_fd >= 0) close(task->directory_fd);
    task->fd = task->directory_fd = -1;
}

/* As much as is wanted, and whether that was the end: a short file is read in one step. */
static void read_chunk(struct file_task *task) {
    size_t want = task->left_bytes < task->want_bytes ? task->left_bytes : task->want_bytes;
    bool is_at_end = false;
    while (want > 0 && !is_at_end) {
        ssize_t length = pread(task->fd, buffer_reserve(&task->bytes, want), want, (off_t)task->offset);
        if (length < 0) {
            file_task_fail(task, errno);
            return;
        }
        is_at_end = length == 0;
        buffer_commit(&task->bytes, (size_t)length);
        task->offset += (size_t)length;
        task->left_bytes -= (size_t)length;
        want -= (size_t)length;
    }
    task->is_done = is_at_end || task->left_bytes == 0;
    if (task->is_done) close_all(task);
}

static void read_open(struct file_task *task) {
    task->fd = file_open(AT_FDCWD, task->path, O_RDONLY);
    if (task->fd < 0) file_task_fail(task, errno);
    else if (check_regular(task, task->fd)) read_chunk(task);
}

/* The mode for the new file: the one asked for, else that of the file it replaces. */
static bool choose_mode(struct file_task *task) {
    struct stat old;
    if (fstatat(task->directory_fd, task->target_name, &old, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) file_task_fail(task, errno);
        else if (!task->has_mode) task->mode = 0644;
    } else if (!S_ISREG(old.st_mode)) {
        file_task_refuse(task, ERROR_NOT_A_REGULAR_FILE, "not a regular file");
    } else if (!task->has_mode) {
        task->mode = old.st_mode & 0777;
    }
    return task->error == 0;
}

static void write_open(struct file_task *task) {
    file_target_open(task);
    if (task->error != 0) return;
    uint64_t random;
    if (!file_task_accepts(task, task->directory_fd) || !choose_mode(task)) return;
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        file_task_fail(task, EIO);
        return;
    }
    snprintf(task->temporary_name, sizeof task->temporary_name, ".sandgate-%016lx", (unsigned long)random);
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    task->fd = openat(task->directory_fd, task->temporary_name, flags, 0600);
    if (task->fd >= 0) return;
    task->temporary_name[0] = '\0';
    file_task_fail(task, errno);
}

static void write_chunk(struct file_task *task) {
    while (buffer_length(&task->bytes) > 0) {
        ssize_t length = write(task->fd, buffer_front(&task->bytes), buffer_length(&task->bytes));
        if (length < 0) {
            file_task_fail(task, errno);
            return;
        }
        buffer_consume(&task->bytes, (size_t)length, 0);
    }
}

static void write_commit(struct file_task *task) {
    int folder = task->directory_fd;
    if (fchmod(task->fd, task->mode) != 0 || !check_regular(task, task->fd)) {
        file_task_fail(task, errno);
    } else if (renameat(folder, task->temporary_name, folder, task->target_name) != 0) {
        file_task_fail(task, errno);
    } else {
        task->temporary_name[0] = '\0';
        check_regular(task, task->fd); // the renaming has changed its revision
        task->is_done = true;
        close_all(task);
    }
}

/* What has come by now, and the end if that has come too: a short file is written in one step. */
static void write_rest(struct file_task *task) {
    if (task->error == 0) write_chunk(task);
    if (task->error == 0 && task->is_last) write_commit(task);
}

static void abandon(struct file_task *task) {
    if (task->temporary_name[0] != '\0') unlinkat(task->directory_fd, task->temporary_name, 0);
    close_all(task);
    file_delete_abandon(task);
    buffer_free(&task->bytes);
}

void file_task_run(struct file_task *task) {
    switch (task->step) {
    case FILE_READ_OPEN: read_open(task); break;
    case FILE_READ_CHUNK: read_chunk(task); break;
    case FILE_WRITE_OPEN:
        write_open(task);
        write_rest(task);
        break;
    case FILE_WRITE_CHUNK: write_rest(task); break;
    case FILE_LIST: file_list(task); break;
    case FILE_DELETE: file_delete(task); break;
    case FILE_ABANDON: abandon(task); break;
    }
}
