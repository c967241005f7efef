/* Calls that would need a privilege. Arguments are such that a privileged caller would be let through or do no harm. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "probe.h"

#define UNSHARE(name, flag) \
    static long unshare_##name(void) { return unshare(flag); }
UNSHARE(user, CLONE_NEWUSER)
UNSHARE(mount, CLONE_NEWNS)
UNSHARE(net, CLONE_NEWNET)
UNSHARE(pid, CLONE_NEWPID)
UNSHARE(ipc, CLONE_NEWIPC)
UNSHARE(uts, CLONE_NEWUTS)
UNSHARE(cgroup, CLONE_NEWCGROUP)

static long clone_user(void) {
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid == 0) _exit(0);
    return pid;
}
static long clone3_user(void) {
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) _exit(0);
    return pid;
}
static long mount_tmpfs(void) { return mount("none", "/tmp", "tmpfs", 0, ""); }
static long mount_cgroup(void) { return mount("none", "/tmp", "cgroup", 0, "memory"); }
static long mount_bind(void) { return mount("/proc", "/tmp", NULL, MS_BIND, NULL); }
static long remount_root(void) { return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL); }
static long unmount(void) { return umount2("/etc/passwd", MNT_DETACH); }
static long fs_open(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long tree_open(void) { return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */); }
static long tree_move(void) { return syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/tmp", 0); }
static long mount_attributes(void) { return syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, NULL, 0L); }
static long root_pivot(void) { return syscall(SYS_pivot_root, ".", "."); }
static long root_change(void) { return chroot("/"); }
static long ns_enter(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? fd : setns(fd, 0);
}
static long ns_first(void) { return ns_enter("/proc/1/ns/mnt"); }
static long ns_own(void) { return ns_enter("/proc/self/ns/net"); }
static long handle_open(void) {
    struct { struct file_handle head; uint64_t inode; } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .inode = 2};
    return open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY);
}
static long node_block(void) { return mknod("probe-block", S_IFBLK | 0600, makedev(8, 0)); }
static long node_char(void) { return mknod("probe-char", S_IFCHR | 0600, makedev(1, 1)); }
static long node_whiteout(void) { return mknod("probe-whiteout", S_IFCHR | 0600, makedev(0, 0)); }

static long module_init(void) { return syscall(SYS_init_module, "", 0L, ""); }
static long module_file(void) { return syscall(SYS_finit_module, STDIN_FILENO, "", 0); }
static long module_delete(void) { return syscall(SYS_delete_module, "no_such_module", O_NONBLOCK); }
static long kexec(void) { return syscall(SYS_kexec_load, 0L, 0L, NULL, 0L); }
static long restart(void) { return reboot(RB_DISABLE_CAD); }
static long swap(void) { return swapon("/no/such/device", 0); }
static long account(void) { return acct(NULL); }
static long set_time(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return settimeofday(&now, NULL);
}
static long set_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return clock_settime(CLOCK_REALTIME, &now);
}
static long adjust_clock(void) {
    struct timex change = {.modes = ADJ_FREQUENCY};
    return adjtimex(&change);
}
static long host_name(void) { return sethostname("hostile", 7); }
static long io_level(void) {
#ifdef SYS_iopl
    return syscall(SYS_iopl, 3);
#else
    errno = EPERM;
    return -1;
#endif
}
static long kernel_log(void) { return syscall(SYS_syslog, 3, "", 0); }
static long quota(void) { return syscall(SYS_quotactl, 0, NULL, 0, NULL); }
static long nice_up(void) { return setpriority(PRIO_PROCESS, 0, -20); }
static long realtime(void) { return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 50}); }
static long deadline(void) {
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; }
        wanted = {sizeof wanted, SCHED_DEADLINE, 0, 0, 0, 10000000, 20000000, 20000000};
    return syscall(SYS_sched_setattr, 0, &wanted, 0);
}
static long io_realtime(void) { return syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 0); }
static long become_root(void) { return setresuid(0, 0, 0); }
static long become_root_group(void) { return setresgid(0, 0, 0); }
static long join_group(void) { return syscall(SYS_setgroups, 1, (gid_t[]){0}); }
static long take_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct all[2] = {{~0u, ~0u, 0}, {~0u, ~0u, 0}};
    return syscall(SYS_capset, &header, all);
}

const struct attempt privilege_attempts[] = {
    {"unshare-user", unshare_user}, {"unshare-mount", unshare_mount}, {"unshare-net", unshare_net},
    {"unshare-pid", unshare_pid}, {"unshare-ipc", unshare_ipc}, {"unshare-uts", unshare_uts},
    {"unshare-cgroup", unshare_cgroup}, {"clone-user", clone_user}, {"clone3-user", clone3_user},
    {"mount-tmpfs", mount_tmpfs}, {"mount-cgroup", mount_cgroup}, {"mount-bind", mount_bind},
    {"remount-root", remount_root}, {"unmount", unmount}, {"fsopen", fs_open}, {"open_tree", tree_open},
    {"move_mount", tree_move}, {"mount_setattr", mount_attributes}, {"pivot_root", root_pivot}, {"chroot", root_change},
    {"setns-1", ns_first}, {"setns-self", ns_own}, {"open_by_handle_at", handle_open},
    {"mknod-block", node_block}, {"mknod-char", node_char}, {"mknod-whiteout", node_whiteout},
    {"init_module", module_init}, {"finit_module", module_file}, {"delete_module", module_delete},
    {"kexec_load", kexec}, {"reboot", restart}, {"swapon", swap}, {"acct", account}, {"settimeofday", set_time},
    {"clock_settime", set_clock}, {"adjtimex", adjust_clock}, {"sethostname", host_name}, {"iopl", io_level},
    {"syslog", kernel_log}, {"quotactl", quota}, {"nice", nice_up}, {"sched-fifo", realtime},
    {"sched-deadline", deadline}, {"ioprio-realtime", io_realtime}, {"setresuid-0", become_root},
    {"setresgid-0", become_root_group}, {"setgroups-0", join_group}, {"capset", take_capabilities}, {NULL, NULL},
};
