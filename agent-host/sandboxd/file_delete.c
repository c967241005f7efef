/*
 * Deletions. A tree is taken down from its leaves with one open folder at a time, so no depth is too deep; the way back
 * up is `..`, and whoever moved the folder meanwhile is found out by its inode. Symlinks are deleted, never followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_task.h"

/* After so many entries other files have their turn. */
#define STEP_ENTRIES 2048
/* A folder that is filled as fast as it is emptied is given up. */
#define REFILLS_MAX 64

struct level {
    dev_t device;
    ino_t inode;
    char *name; // of the folder in this one that is being deleted
};

struct deletion {
    int fd; // the folder that is being emptied
    unsigned refills;
    size_t depth, capacity;
    struct level *levels; // from the parent of the tree down
};

static void push(struct deletion *deletion, const struct stat *folder, const char *name) {
    if (deletion->depth == deletion->capacity) {
        deletion->capacity = deletion->capacity * 2 + 16;
        deletion->levels = realloc(deletion->levels, deletion->capacity * sizeof *deletion->levels);
    }
    char *copy = strdup(name);
    if (deletion->levels == NULL || copy == NULL) abort();
    deletion->levels[deletion->depth++] =
        (struct level){.device = folder->st_dev, .inode = folder->st_ino, .name = copy};
}

/* Goes into a folder of the present one, and remembers the way back. */
static bool descend(struct file_task *task, const char *name) {
    struct deletion *deletion = task->deletion;
    struct stat here;
    int inner = file_open(deletion->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (inner < 0 || fstat(deletion->fd, &here) != 0 || !file_task_accepts(task, inner)) {
        file_task_fail(task, errno);
        if (inner >= 0) close(inner);
        return false;
    }
    push(deletion, &here, name);
    close(deletion->fd);
    deletion->fd = inner;
    return true;
}

/* Leaves the emptied folder and deletes it. */
static void ascend(struct file_task *task) {
    struct deletion *deletion = task->deletion;
    struct level *level = &deletion->levels[deletion->depth - 1];
    struct stat above;
    int outer = openat(deletion->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (outer < 0 || fstat(outer, &above) != 0) {
        file_task_fail(task, errno);
    } else if (above.st_dev != level->device || above.st_ino != level->inode) {
        file_task_refuse(task, ERROR_IO, "the folder was moved away");
    } else if (unlinkat(outer, level->name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        if (errno != ENOTEMPTY || ++deletion->refills > REFILLS_MAX) file_task_fail(task, errno);
        close(outer); // something new has appeared in the folder: it is emptied again
        return;
    }
    if (task->error != 0) {
        if (outer >= 0) close(outer);
        return;
    }
    close(deletion->fd);
    deletion->fd = outer;
    free(level->name);
    deletion->depth--;
}

/* Deletes what is no folder in the present one, until a folder is met or the budget is spent. */
static bool empty(struct file_task *task, unsigned *budget) {
    struct deletion *deletion = task->deletion;
    int own_fd = openat(deletion->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (folder == NULL) {
        file_task_fail(task, errno);
        if (own_fd >= 0) close(own_fd);
        return false;
    }
    bool is_empty = true;
    char name[NAME_MAX + 1] = "";
    for (struct dirent *entry = readdir(folder); entry != NULL && *budget > 0; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        is_empty = false;
        *budget -= 1;
        if (unlinkat(deletion->fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
        if (errno == EISDIR) strcpy(name, entry->d_name);
        else file_task_fail(task, errno);
        break;
    }
    closedir(folder);
    if (task->error == 0 && name[0] != '\0') descend(task, name);
    return is_empty && task->error == 0;
}

static void start(struct file_task *task) {
    if (!file_target_parent(task)) return;
    task->is_done = unlinkat(task->directory_fd, task->target_name, 0) == 0;
    if (task->is_done) return;
    if (errno != EISDIR) {
        file_task_fail(task, errno);
    } else if (unlinkat(task->directory_fd, task->target_name, AT_REMOVEDIR) == 0) {
        task->is_done = true;
    } else if (errno != ENOTEMPTY || !task->is_recursive) {
        file_task_fail(task, errno);
    } else {
        task->deletion = calloc(1, sizeof *task->deletion);
        if (task->deletion == NULL) abort();
        task->deletion->fd = task->directory_fd;
        task->directory_fd = -1;
        descend(task, task->target_name);
    }
}

void file_delete(struct file_task *task) {
    if (task->deletion == NULL) {
        start(task);
        return;
    }
    unsigned budget = STEP_ENTRIES;
    while (task->error == 0 && !task->is_done && budget > 0) {
        if (empty(task, &budget)) {
            ascend(task);
            budget--; // or empty folders would make a step endless
        }
        task->is_done = task->deletion->depth == 0;
    }
}

void file_delete_abandon(struct file_task *task) {
    struct deletion *deletion = task->deletion;
    if (deletion == NULL) return;
    if (deletion->fd >= 0) close(deletion->fd);
    while (deletion->depth > 0) free(deletion->levels[--deletion->depth].name);
    free(deletion->levels);
    free(deletion);
    task->deletion = NULL;
}
