/**
 * The system calls a sandbox may make. Docker's own list of 20.10 lets io_uring and AF_VSOCK through, and even
 * today's leaves AF_VSOCK reachable over the 32-bit ABI: ours names the native ABI only, and a sandbox does not
 * start without it. Absent on purpose: io_uring, aio (its limit is shared by the machine), ptrace, process_vm_*,
 * bpf, perf, keyctl, userfaultfd, memfd_secret, kcmp, mounts, namespaces, modules, clocks, modify_ldt, socketcall.
 */
const allowed = {
  files: `access chmod chown chdir close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock
    fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr
    llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe
    pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
    rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync
    sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev`,
  memory: `brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect`,
  processes: `arch_prctl capget capset execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid
    getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set kill landlock_add_rule
    landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 rseq
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield seccomp set_robust_list get_robust_list set_tid_address setpgid setpriority setrlimit setsid
    tgkill times tkill vfork wait4 waitid`,
  ids: `getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups setregid
    setresgid setresuid setreuid setuid`,
  signals: `alarm pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4`,
  time: `clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time timer_create
    timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime`,
  waiting: `epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 futex
    futex_requeue futex_wait futex_waitv futex_wake poll ppoll pselect6 select`,
  ipc: `mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl
    semget semop semtimedop shmat shmctl shmdt shmget`,
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
    sendmsg sendto setsockopt shutdown`,
  facts: "getrandom sysinfo uname",
};

const unix = 1;
const socketFamilies = [unix, 2, 10, 16]; // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]; // Linux, 16-bit uids, 2.6 names, both, "tell me"
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET */
const namespaceFlags = 0x7e020000;
const enosys = 38;
const eperm = 1;

type Rule = {
  names: string[];
  action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ" }[];
};

const allow = (names: string[], args?: Rule["args"]): Rule => ({
  names,
  action: "SCMP_ACT_ALLOW",
  ...(args && { args }),
});
const whenFirst = (name: string, value: number) => allow([name], [{ index: 0, value, op: "SCMP_CMP_EQ" }]);

const architectures = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" } as const;
export type Architecture = keyof typeof architectures;

/** The profile as the engine takes it inline: `seccomp=<this>`. */
export function seccompProfile(architecture: Architecture): string {
  const names = Object.values(allowed).flatMap((list) => list.split(/\s+/));
  const rules: Rule[] = [
    allow(names),
    allow(["clone"], [{ index: 0, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]),
    // Its flags are behind a pointer that no filter can read; libc falls back to clone on ENOSYS.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: enosys },
    ...socketFamilies.map((family) => whenFirst("socket", family)),
    whenFirst("socketpair", unix),
    ...personalities.map((persona) => whenFirst("personality", persona)),
  ];
  return JSON.stringify({
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: eperm,
    // No sub-architectures: a 32-bit or x32 call ends the process.
    architectures: [architectures[architecture]],
    syscalls: rules,
  });
}
