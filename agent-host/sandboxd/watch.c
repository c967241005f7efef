/*
 * A watch is a tenant's own process: what it may see, the kernel decides as for any of the tenant's programs, and the
 * kernel's limits count it as theirs. It opens every folder below the one it was given and follows no symlink.
 */
#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "refused_fs.h"
#include "watch_tree.h"

#define MASK (IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
/* Both halves of a renaming are queued at once; one that is alone after this long was from or to elsewhere. */
#define RENAME_WAIT_MS 20

static struct watch_tree tree;
static struct {
    const char *path;
    bool is_recursive;
    int inotify_fd;
    dev_t device;
    ino_t inode;
    // The first half of a renaming.
    bool has_half;
    uint32_t cookie, half_mask;
    int half_row;
    char half_name[NAME_MAX + 1];
} watch;

static enum sandboxd_error code_of(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG: return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM: return ERROR_PERMISSION_DENIED;
    case ELOOP: return ERROR_PATH_REFUSED;
    case ENOSPC:
    case EMFILE: return ERROR_TOO_MANY;
    default: return ERROR_IO;
    }
}

static int open_as(int from_fd, const char *path, int flags, uint64_t resolve) {
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};
    return (int)syscall(SYS_openat2, from_fd, path, &how, sizeof how);
}

/*
 * What is watched, by its path: -1 when that is another one by now. It is not kept open, because the kernel tells of the
 * end of a folder when nobody has it open any more.
 */
static int open_root(void) {
    struct stat status;
    int fd = open_as(AT_FDCWD, watch.path, O_PATH, RESOLVE_NO_MAGICLINKS);
    bool is_same = fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == watch.device && status.st_ino == watch.inode;
    if (fd >= 0 && !is_same) close(fd);
    return is_same ? fd : -1;
}

static bool is_refused(int fd) {
    struct statfs filesystem;
    return fstatfs(fd, &filesystem) != 0 || filesystem_is_refused((unsigned long)filesystem.f_type);
}

/* By descriptor: between a name and its opening there may be another file. */
static int add_watch(int fd, uint32_t more) {
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return inotify_add_watch(watch.inotify_fd, name, MASK | more);
}

static bool is_folder(int folder_fd, const struct dirent *entry) {
    struct stat status;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    return fstatat(folder_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static void add_folder(int parent, const char *name, int depth, bool is_told);
static void add_content(DIR *folder, int row, int depth, bool is_told) {
    char path[WATCH_PATH_BYTES];
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        bool has_content = is_folder(dirfd(folder), entry);
        if (is_told && watch_tree_path(&tree, row, entry->d_name, path))
            watch_tell(WATCH_RECORD_CREATE, has_content ? WATCH_FLAG_FOLDER : 0, path);
        if (has_content) add_folder(row, entry->d_name, depth + 1, is_told);
    }
}

/* Watches a folder below what was asked for, then what is in it: what came meanwhile may be told twice, never not. */
static void add_folder(int parent, const char *name, int depth, bool is_told) {
    char path[WATCH_PATH_BYTES];
    if (depth > WATCH_DEPTH_MAX || !watch_tree_path(&tree, parent, name, path)) watch_refuse(ERROR_TOO_MANY);
    int root_fd = open_root();
    int fd = open_as(root_fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (root_fd >= 0) close(root_fd);
    // Gone again, or not the tenant's to read: as for any program that looks.
    if (fd < 0) return;
    int descriptor = is_refused(fd) ? -1 : add_watch(fd, IN_ONLYDIR);
    if (descriptor < 0 && errno == ENOSPC) watch_refuse(ERROR_TOO_MANY);
    DIR *folder = descriptor < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        close(fd);
        return;
    }
    int row = watch_tree_put(&tree, descriptor, parent, name);
    if (row == WATCH_NO_FOLDER) watch_refuse(ERROR_TOO_MANY);
    add_content(folder, row, depth, is_told);
    closedir(folder);
}

/* Everything from the beginning: at the start, and whenever the kernel has lost events. */
static void build(int root_fd) {
    watch_tree_clear(&tree);
    watch.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch.inotify_fd < 0) watch_refuse(code_of(errno));
    int descriptor = add_watch(root_fd, 0);
    if (descriptor < 0) watch_refuse(code_of(errno));
    int row = watch_tree_put(&tree, descriptor, WATCH_NO_FOLDER, "");
    int fd = watch.is_recursive ? openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    close(root_fd);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) return; // a file
    add_content(folder, row, 1, false);
    closedir(folder);
}

static void tell(enum watch_record kind, uint32_t mask, int row, const char *name) {
    char path[WATCH_PATH_BYTES];
    if (watch_tree_path(&tree, row, name, path)) watch_tell(kind, mask & IN_ISDIR ? WATCH_FLAG_FOLDER : 0, path);
}

static bool is_watched_folder(uint32_t mask) {
    return watch.is_recursive && (mask & IN_ISDIR) != 0;
}

/* A folder that went elsewhere takes what is below it along: none of it is ours any more. */
static void unwatch(int top) {
    for (int row = 0; row < tree.used; row++)
        if (watch_tree_is_below(&tree, row, top)) inotify_rm_watch(watch.inotify_fd, tree.folders[row].descriptor);
}

static void settle_half(void) {
    if (!watch.has_half) return;
    watch.has_half = false;
    tell(WATCH_RECORD_REMOVE, watch.half_mask, watch.half_row, watch.half_name);
    int moved = is_watched_folder(watch.half_mask) ? watch_tree_child(&tree, watch.half_row, watch.half_name) : -1;
    if (moved != WATCH_NO_FOLDER) unwatch(moved);
}

static void on_arrival(uint32_t mask, int row, const char *name) {
    tell(WATCH_RECORD_CREATE, mask, row, name);
    if (is_watched_folder(mask)) add_folder(row, name, 1, true);
}

static void on_renamed(uint32_t mask, int row, const char *name) {
    char from[WATCH_PATH_BYTES], to[WATCH_PATH_BYTES];
    watch.has_half = false;
    bool is_known = watch_tree_path(&tree, watch.half_row, watch.half_name, from) && watch_tree_path(&tree, row, name, to);
    int moved = is_watched_folder(mask) ? watch_tree_child(&tree, watch.half_row, watch.half_name) : WATCH_NO_FOLDER;
    if (moved != WATCH_NO_FOLDER) watch_tree_put(&tree, tree.folders[moved].descriptor, row, name);
    if (is_known) watch_tell_rename(mask & IN_ISDIR ? WATCH_FLAG_FOLDER : 0, from, to);
}

static void on_event(const struct inotify_event *event) {
    int row = watch_tree_find(&tree, event->wd);
    const char *name = event->len > 0 ? event->name : "";
    bool is_second_half = watch.has_half && (event->mask & IN_MOVED_TO) != 0 && event->cookie == watch.cookie;
    if (!is_second_half) settle_half();
    if (row == WATCH_NO_FOLDER) return;
    bool is_root = tree.folders[row].parent == WATCH_NO_FOLDER;
    if (is_root && (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0) watch_end();
    if (event->mask & IN_IGNORED) watch_tree_forget(&tree, row);
    // What happens to a folder itself is told by the one that it is in.
    if (*name == '\0' && !is_root) return;
    if (event->mask & IN_CREATE) on_arrival(event->mask, row, name);
    if (event->mask & IN_MODIFY) tell(WATCH_RECORD_WRITE, event->mask, row, name);
    if (event->mask & IN_ATTRIB) tell(WATCH_RECORD_CHMOD, event->mask, row, name);
    if (event->mask & IN_DELETE) tell(WATCH_RECORD_REMOVE, event->mask, row, name);
    if (is_second_half) on_renamed(event->mask, row, name);
    else if (event->mask & IN_MOVED_TO) on_arrival(event->mask, row, name);
    if ((event->mask & IN_MOVED_FROM) == 0) return;
    watch.has_half = true;
    watch.cookie = event->cookie;
    watch.half_mask = event->mask;
    watch.half_row = row;
    snprintf(watch.half_name, sizeof watch.half_name, "%s", name);
}

/* The watches may be incomplete and the paths old: they are made anew, and whoever listens has to look again. */
static void on_overflow(void) {
    watch.has_half = false;
    close(watch.inotify_fd);
    int root_fd = open_root();
    if (root_fd < 0) watch_end(); // its end was among what was lost
    build(root_fd);
    watch_tell(WATCH_RECORD_OVERFLOW, 0, "");
}

static void on_events(void) {
    alignas(struct inotify_event) char bytes[16 * 1024];
    ssize_t length = read(watch.inotify_fd, bytes, sizeof bytes);
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const struct inotify_event *)(bytes + at);
        at += (ssize_t)(sizeof *event + event->len);
        if (event->mask & IN_Q_OVERFLOW) {
            on_overflow();
            return;
        }
        on_event(event);
    }
}

int watch_main(const char *depth, const char *path) {
    watch.path = path;
    watch.is_recursive = strcmp(depth, "1") == 0;
    struct stat status;
    int root_fd = open_as(AT_FDCWD, path, O_PATH, RESOLVE_NO_MAGICLINKS);
    if (root_fd < 0 || fstat(root_fd, &status) != 0) watch_refuse(code_of(errno));
    if (is_refused(root_fd)) watch_refuse(ERROR_PATH_REFUSED);
    watch.device = status.st_dev;
    watch.inode = status.st_ino;
    build(root_fd);
    watch_tell(WATCH_RECORD_READY, 0, "");
    for (;;) {
        watch_flush();
        struct pollfd fds[] = {{watch.inotify_fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        int ready = poll(fds, 2, watch.has_half ? RENAME_WAIT_MS : -1);
        if (ready == 0) settle_half();
        if (ready > 0 && fds[0].revents != 0) on_events();
        // The host has closed it, or is gone: nobody listens.
        if (ready > 0 && fds[1].revents != 0) return 0;
    }
}
