/* What a tenant could do to sandboxd, which shares its pid namespace but not its uid. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "probe.h"

static pid_t target = 1;

static long trace(void) { return ptrace(PTRACE_ATTACH, target, NULL, NULL); }
static long seize(void) { return ptrace(PTRACE_SEIZE, target, NULL, NULL); }
static long vm_copy(bool is_write) {
    char here[8] = {0};
    struct iovec local = {here, sizeof here}, remote = {(void *)0x400000, sizeof here};
    return is_write ? process_vm_writev(target, &local, 1, &remote, 1, 0) : process_vm_readv(target, &local, 1, &remote, 1, 0);
}
static long vm_read(void) { return vm_copy(false); }
static long vm_write(void) { return vm_copy(true); }
static long signal_kill(void) { return kill(target, SIGKILL); }
static long signal_stop(void) { return kill(target, SIGSTOP); }
static long signal_nothing(void) { return kill(target, 0); }
static long signal_queue(void) { return sigqueue(target, SIGUSR1, (union sigval){.sival_int = 1}); }
static long signal_pidfd(void) {
    int fd = (int)syscall(SYS_pidfd_open, target, 0);
    return fd < 0 ? fd : syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}
static long fd_steal(void) {
    int fd = (int)syscall(SYS_pidfd_open, target, 0);
    return fd < 0 ? fd : syscall(SYS_pidfd_getfd, fd, 3, 0);
}
static long renice(void) { return setpriority(PRIO_PROCESS, (id_t)target, 19); }
static long pin(void) {
    cpu_set_t none;
    CPU_ZERO(&none);
    CPU_SET(0, &none);
    return sched_setaffinity(target, sizeof none, &none);
}
static long idle(void) { return sched_setscheduler(target, SCHED_IDLE, &(struct sched_param){0}); }
static long io_idle(void) { return syscall(SYS_ioprio_set, 1, target, 3 << 13); }
static long starve(void) { return prlimit(target, RLIMIT_NOFILE, &(struct rlimit){4, 4}, NULL); }

static long open_in(const char *name, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", target, name);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) return fd;
    char byte;
    // Some files open for everybody and refuse, or are empty, when read.
    long length = (flags & (O_WRONLY | O_DIRECTORY)) ? 1 : read(fd, &byte, 1);
    if (length == 0) errno = ENODATA;
    return length > 0 ? length : -1;
}
#define OPEN(name, file, flags) \
    static long open_##name(void) { return open_in(file, flags); }
OPEN(environ, "environ", O_RDONLY)
OPEN(mem, "mem", O_RDONLY)
OPEN(mem_write, "mem", O_WRONLY)
OPEN(maps, "maps", O_RDONLY)
OPEN(pagemap, "pagemap", O_RDONLY)
OPEN(auxv, "auxv", O_RDONLY)
OPEN(stack, "stack", O_RDONLY)
OPEN(syscall, "syscall", O_RDONLY)
OPEN(io, "io", O_RDONLY)
OPEN(fds, "fd", O_RDONLY | O_DIRECTORY)
OPEN(fdinfo, "fdinfo", O_RDONLY | O_DIRECTORY)
OPEN(map_files, "map_files", O_RDONLY | O_DIRECTORY)
OPEN(root, "root", O_RDONLY | O_DIRECTORY)
OPEN(cwd, "cwd", O_RDONLY | O_DIRECTORY)
OPEN(exe, "exe", O_RDONLY)
OPEN(oom, "oom_score_adj", O_WRONLY)
OPEN(attr, "attr/current", O_WRONLY)
OPEN(clear_refs, "clear_refs", O_WRONLY)

static long dial(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof address);
}
static long dial_host(void) { return dial("/run/sandgate/sock"); }
static long enter_folder(void) { return chdir("/run/sandgate"); }
static long list_folder(void) { return open("/run/sandgate", O_RDONLY | O_DIRECTORY); }
static long stat_socket(void) {
    struct stat facts;
    return stat("/run/sandgate/sock", &facts);
}
static long replace_socket(void) { return rename("/run/sandgate/sock", "/run/sandgate/old"); }
static long open_folder_mode(void) { return chmod("/run/sandgate", 0777); }

const struct attempt neighbour_attempts[] = {
    {"trace", trace}, {"seize", seize}, {"vm-read", vm_read}, {"vm-write", vm_write}, {"kill", signal_kill},
    {"stop", signal_stop}, {"signal-0", signal_nothing}, {"sigqueue", signal_queue}, {"pidfd-kill", signal_pidfd},
    {"pidfd-getfd", fd_steal}, {"renice", renice}, {"pin", pin}, {"idle", idle}, {"io-idle", io_idle},
    {"prlimit", starve}, {"environ", open_environ}, {"mem", open_mem}, {"mem-write", open_mem_write},
    {"maps", open_maps}, {"pagemap", open_pagemap}, {"auxv", open_auxv}, {"stack", open_stack},
    {"syscall", open_syscall}, {"io", open_io}, {"fd", open_fds}, {"fdinfo", open_fdinfo}, {"map_files", open_map_files},
    {"root", open_root}, {"cwd", open_cwd}, {"exe", open_exe}, {"oom_score_adj", open_oom}, {"attr", open_attr},
    {"clear_refs", open_clear_refs}, {"dial", dial_host}, {"enter-folder", enter_folder}, {"list-folder", list_folder},
    {"stat-socket", stat_socket}, {"replace-socket", replace_socket}, {"chmod-folder", open_folder_mode}, {NULL, NULL},
};

/* Every attempt at every process here that is not the tenant's own: PID 1 and the supervisors. */
int command_roots(int argc, char **argv) {
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    struct stat facts;
    char path[300];
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        if (!isdigit((unsigned char)entry->d_name[0]) || stat(path, &facts) != 0 || facts.st_uid != 0) continue;
        target = atoi(entry->d_name);
        for (int i = 0; i < argc; i++)
            for (const struct attempt *row = neighbour_attempts; row->name != NULL; row++) {
                snprintf(path, sizeof path, "%d %s", target, row->name);
                if (strcmp(argv[i], row->name) == 0) say_outcome(path, row->run);
            }
    }
    return 0;
}
