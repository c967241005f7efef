/* Where an upload really goes: missing parents are made, a symlink at the end is followed by hand. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_task.h"

#define SYMLINKS_MAX 40

static int open_folder(int from_fd, const char *path) {
    return file_open(from_fd, path, O_PATH | O_DIRECTORY);
}

/* Opens the folder, making what is missing of it one component at a time. */
static int make_folder(char *path) {
    int fd = open_folder(AT_FDCWD, "/");
    char *save = NULL;
    for (char *part = strtok_r(path, "/", &save); part != NULL && fd >= 0; part = strtok_r(NULL, "/", &save)) {
        int next = open_folder(fd, part);
        if (next < 0 && errno == ENOENT && (mkdirat(fd, part, 0755) == 0 || errno == EEXIST)) next = open_folder(fd, part);
        int error = errno;
        close(fd);
        errno = error;
        fd = next;
    }
    return fd;
}

/* Splits off the last component in place; "name" and "/name" have the folders "." and "/". */
static const char *split(char *path, const char **folder) {
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        *folder = ".";
        return path;
    }
    *slash = '\0';
    *folder = slash == path ? "/" : path;
    return slash + 1;
}

static bool set_name(struct file_task *task, const char *name) {
    bool is_name = *name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    if (!is_name) file_task_refuse(task, ERROR_NOT_A_REGULAR_FILE, "the path names a folder");
    else if (strlen(name) > NAME_MAX) file_task_fail(task, ENAMETOOLONG);
    else strcpy(task->target_name, name);
    return task->error == 0;
}

/* Replaces folder and name by what the symlink there points to; false when it is no symlink, or on an error. */
static bool follow(struct file_task *task) {
    char link[4096];
    ssize_t length = readlinkat(task->directory_fd, task->target_name, link, sizeof link - 1);
    if (length < 0) {
        if (errno != EINVAL && errno != ENOENT) file_task_fail(task, errno);
        return false;
    }
    link[length] = '\0';
    const char *folder;
    const char *name = split(link, &folder);
    int next = open_folder(task->directory_fd, folder);
    if (next < 0) {
        file_task_fail(task, errno);
        return false;
    }
    close(task->directory_fd);
    task->directory_fd = next;
    return set_name(task, name);
}

bool file_target_parent(struct file_task *task) {
    char path[sizeof task->path];
    strcpy(path, task->path);
    const char *folder;
    const char *name = split(path, &folder);
    if (!set_name(task, name)) return false;
    task->directory_fd = open_folder(AT_FDCWD, folder);
    if (task->directory_fd < 0) file_task_fail(task, errno);
    return task->error == 0 && file_task_accepts(task, task->directory_fd);
}

void file_target_open(struct file_task *task) {
    char path[sizeof task->path];
    strcpy(path, task->path);
    const char *folder;
    const char *name = split(path, &folder);
    if (!set_name(task, name)) return;
    char to_make[sizeof task->path];
    strcpy(to_make, folder);
    task->directory_fd = make_folder(to_make);
    if (task->directory_fd < 0) {
        file_task_fail(task, errno);
        return;
    }
    for (int i = 0; i < SYMLINKS_MAX; i++)
        if (!follow(task)) return;
    file_task_fail(task, ELOOP);
}
