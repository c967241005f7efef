/* Listings: stateless pages. Memory is bounded by depth, not by how many files there are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fields.h"
#include "file_task.h"
#include "frames.h"
#include "refused_fs.h"

#define BATCH_NAMES 256

/* The smallest names of a folder behind a given one, in order. */
struct batch {
    size_t count;
    char names[BATCH_NAMES][NAME_MAX + 1];
};

struct listing {
    struct file_task *task;
    uint32_t entries;
    size_t path_length;
    char path[LIST_PATH_BYTES + 1]; // of the folder that is being read, relative, "" or ending with a slash
};

static enum entry_type type_of(mode_t mode) {
    if (S_ISREG(mode)) return ENTRY_TYPE_FILE;
    if (S_ISDIR(mode)) return ENTRY_TYPE_DIRECTORY;
    return S_ISLNK(mode) ? ENTRY_TYPE_SYMLINK : ENTRY_TYPE_OTHER;
}

static void put_entry(struct buffer *to, const char *path, const struct stat *status, const char *target) {
    struct buffer payload = {0};
    append_field(&payload, FIELD_PATH, path, strlen(path));
    append_number(&payload, FIELD_ENTRY_TYPE, type_of(status->st_mode), 2);
    append_number(&payload, FIELD_SIZE, file_size(status), 8);
    append_number(&payload, FIELD_MODE, status->st_mode & 07777, 4);
    append_number(&payload, FIELD_UID, status->st_uid, 4);
    append_number(&payload, FIELD_GID, status->st_gid, 4);
    append_number(&payload, FIELD_MTIME_MS, file_mtime_ms(status), 8);
    if (target != NULL) append_field(&payload, FIELD_LINK_TARGET, target, strlen(target));
    uint8_t length[4];
    put_le(length, buffer_length(&payload), 4);
    buffer_append(to, length, sizeof length);
    buffer_append(to, buffer_front(&payload), buffer_length(&payload));
    buffer_free(&payload);
}

/* Where a symlink points to, or NULL. */
static const char *read_link(int fd, const char *name, const struct stat *status, char target[4096]) {
    if (!S_ISLNK(status->st_mode)) return NULL;
    ssize_t length = readlinkat(fd, name, target, 4095);
    if (length < 0) return NULL;
    target[length] = '\0';
    return target;
}

/* Adds the entry of that name; false when the page is full. One that has just gone is passed over. */
static bool add(struct listing *listing, int fd, const char *name, struct stat *status) {
    struct file_task *task = listing->task;
    if (fstatat(fd, name, status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
        status->st_mode = 0;
        return true;
    }
    if (listing->entries == task->limit || buffer_length(&task->bytes) > LIST_BYTES_MAX) {
        task->has_more = true;
        return false;
    }
    char target[4096];
    strcpy(listing->path + listing->path_length, name);
    put_entry(&task->bytes, listing->path, status, read_link(fd, name, status, target));
    listing->path[listing->path_length] = '\0';
    listing->entries++;
    return true;
}

/* Puts the name into its place; the largest falls out of a full batch. */
static void keep(struct batch *batch, const char *name) {
    size_t at = batch->count;
    while (at > 0 && strcmp(name, batch->names[at - 1]) < 0) at--;
    if (at == BATCH_NAMES) return;
    size_t moved = (batch->count < BATCH_NAMES ? batch->count : BATCH_NAMES - 1) - at;
    memmove(batch->names[at + 1], batch->names[at], moved * sizeof batch->names[0]);
    strcpy(batch->names[at], name);
    if (batch->count < BATCH_NAMES) batch->count++;
}

static void fill(struct batch *batch, int fd, const char *after) {
    batch->count = 0;
    int own_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (folder == NULL) {
        if (own_fd >= 0) close(own_fd);
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (strcmp(entry->d_name, after) > 0) keep(batch, entry->d_name);
    }
    closedir(folder);
}

static bool list_folder(struct listing *listing, int fd, uint32_t depth, const char *after);

/* Lists what is in a folder, if it may be read and is one of the tenant's; false when the page is full. */
static bool enter(struct listing *listing, int fd, const char *name, uint32_t depth, const char *after) {
    struct statfs filesystem;
    int inner = file_open(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (inner < 0) return true;
    size_t outer_length = listing->path_length;
    bool goes_on = true;
    if (fstatfs(inner, &filesystem) == 0 && !filesystem_is_refused((unsigned long)filesystem.f_type)) {
        strcpy(listing->path + outer_length, name);
        strcat(listing->path + outer_length, "/");
        listing->path_length += strlen(name) + 1;
        goes_on = list_folder(listing, inner, depth, after);
        listing->path_length = outer_length;
        listing->path[outer_length] = '\0';
    }
    close(inner);
    return goes_on;
}

/* `after`: the path behind which to go on, relative to this folder; NULL for all of it. */
static bool list_folder(struct listing *listing, int fd, uint32_t depth, const char *after) {
    char last[NAME_MAX + 1] = "";
    bool goes_on = true;
    if (after != NULL) {
        const char *slash = strchr(after, '/');
        size_t length = slash == NULL ? strlen(after) : (size_t)(slash - after);
        memcpy(last, after, length);
        last[length] = '\0';
        if (depth > 1) goes_on = enter(listing, fd, last, depth - 1, slash == NULL ? NULL : slash + 1);
    }
    struct batch *batch = malloc(sizeof *batch);
    if (batch == NULL) abort();
    for (fill(batch, fd, last); goes_on && batch->count > 0; fill(batch, fd, last)) {
        for (size_t i = 0; goes_on && i < batch->count; i++) {
            struct stat status;
            goes_on = add(listing, fd, batch->names[i], &status);
            if (goes_on && depth > 1 && S_ISDIR(status.st_mode))
                goes_on = enter(listing, fd, batch->names[i], depth - 1, NULL);
        }
        strcpy(last, batch->names[batch->count - 1]);
        if (batch->count < BATCH_NAMES) break;
    }
    free(batch);
    return goes_on;
}

/* The thing itself, a symlink at the end included. */
static void list_one(struct file_task *task) {
    struct stat status;
    char target[4096];
    task->fd = file_open(AT_FDCWD, task->path, O_PATH | O_NOFOLLOW);
    if (task->fd < 0 || fstat(task->fd, &status) != 0) file_task_fail(task, errno);
    else if (file_task_accepts(task, task->fd))
        put_entry(&task->bytes, "", &status, read_link(task->fd, "", &status, target));
}

/* ENOTDIR of a path through a file means that there is nothing; of a file itself, that it is no folder. */
static bool is_there(const char *path) {
    int fd = file_open(AT_FDCWD, path, O_PATH);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

void file_list(struct file_task *task) {
    if (task->depth == 0) {
        list_one(task);
        return;
    }
    task->fd = file_open(AT_FDCWD, task->path, O_RDONLY | O_DIRECTORY);
    if (task->fd < 0 && errno == ENOTDIR && is_there(task->path))
        file_task_refuse(task, ERROR_NOT_A_DIRECTORY, "not a folder");
    else if (task->fd < 0) file_task_fail(task, errno);
    if (task->error != 0 || !file_task_accepts(task, task->fd)) return;
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL) abort();
    listing->task = task;
    list_folder(listing, task->fd, task->depth, task->after[0] == '\0' ? NULL : task->after);
    free(listing);
}
