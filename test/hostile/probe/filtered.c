/* Calls that any user may make on a plain kernel: only the filter stands in their way. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "probe.h"

static long ring(void) {
    char parameters[120] = {0};
    return syscall(SYS_io_uring_setup, 4, parameters);
}
static long ring_enter(void) { return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0L); }
static long ring_register(void) { return syscall(SYS_io_uring_register, -1, 0, NULL, 0); }
static long aio(void) {
    unsigned long context = 0;
    return syscall(SYS_io_setup, 1, &context);
}
static long vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long vsock_pair(void) {
    int pair[2];
    return socketpair(AF_VSOCK, SOCK_STREAM, 0, pair);
}

#ifdef __x86_64__
/* The 32-bit table of the same kernel, where every socket call hides behind one number that filters often allow. */
static long int80(long number, long first, long second) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second) : "memory", "r8", "r9", "r10", "r11");
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
}
static long vsock_i386(void) {
    uint32_t *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (arguments == MAP_FAILED) return -1;
    arguments[0] = AF_VSOCK;
    arguments[1] = SOCK_STREAM;
    arguments[2] = 0;
    return int80(102 /* socketcall */, 1 /* SYS_SOCKET */, (long)arguments);
}
static long getpid_i386(void) { return int80(20, 0, 0); }
static long getpid_x32(void) { return syscall(0x40000000 | SYS_getpid); }
#endif

static long bpf_map(void) {
    union bpf_attr wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.map_type = BPF_MAP_TYPE_ARRAY;
    wanted.key_size = wanted.value_size = 4;
    wanted.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &wanted, sizeof wanted);
}
static long perf(void) {
    struct perf_event_attr wanted = {.type = PERF_TYPE_SOFTWARE, .size = sizeof wanted, .exclude_kernel = 1};
    return syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0);
}
static long fault(void) { return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */); }
static long key_ring(void) { return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 1); }
static long key_add(void) { return syscall(SYS_add_key, "user", "probe", "x", 1, -2 /* process */); }
static long key_request(void) { return syscall(SYS_request_key, "user", "probe", NULL, 0); }
static long secret(void) { return syscall(SYS_memfd_secret, 0); }
static long compare(void) { return syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0); }
static long page_move(void) { return syscall(SYS_move_pages, 0, 0L, NULL, NULL, NULL, 0); }
static long handle_name(void) { return syscall(SYS_name_to_handle_at, 0, NULL, NULL, NULL, 0); }
static long tracked(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static long persona(void) { return personality(READ_IMPLIES_EXEC); }
static long memory_read(pid_t pid) {
    char here[8];
    struct iovec to = {here, sizeof here}, from = {here, sizeof here};
    return process_vm_readv(pid, &to, 1, &from, 1, 0);
}
static long memory_read_own(void) { return memory_read(getpid()); }
static long control(void) { return getpid(); }

#define SOCKET(name, family, type, protocol) \
    static long socket_##name(void) { return socket(family, type, protocol); }
SOCKET(raw, AF_INET, SOCK_RAW, 1)
SOCKET(packet, AF_PACKET, SOCK_RAW, 0)
SOCKET(alg, AF_ALG, SOCK_SEQPACKET, 0)
SOCKET(xdp, AF_XDP, SOCK_RAW, 0)
SOCKET(bluetooth, AF_BLUETOOTH, SOCK_RAW, 0)
SOCKET(tipc, AF_TIPC, SOCK_STREAM, 0)
SOCKET(can, AF_CAN, SOCK_RAW, 1)
SOCKET(key, AF_KEY, SOCK_RAW, 2)
SOCKET(inet, AF_INET, SOCK_STREAM, 0)
SOCKET(unix, AF_UNIX, SOCK_STREAM, 0)

const struct attempt filter_attempts[] = {
    {"getpid", control}, {"io_uring_setup", ring}, {"io_uring_enter", ring_enter}, {"io_uring_register", ring_register},
    {"io_setup", aio}, {"vsock", vsock}, {"vsock-pair", vsock_pair},
#ifdef __x86_64__
    {"vsock-i386", vsock_i386}, {"getpid-i386", getpid_i386}, {"getpid-x32", getpid_x32},
#endif
    {"bpf", bpf_map}, {"perf_event_open", perf}, {"userfaultfd", fault}, {"keyctl", key_ring}, {"add_key", key_add},
    {"request_key", key_request}, {"memfd_secret", secret}, {"kcmp", compare}, {"move_pages", page_move},
    {"name_to_handle_at", handle_name}, {"ptrace-traceme", tracked}, {"personality", persona},
    {"process_vm_readv-self", memory_read_own}, {"socket-raw", socket_raw}, {"socket-packet", socket_packet},
    {"socket-alg", socket_alg}, {"socket-xdp", socket_xdp}, {"socket-bluetooth", socket_bluetooth},
    {"socket-tipc", socket_tipc}, {"socket-can", socket_can}, {"socket-key", socket_key}, {"socket-inet", socket_inet},
    {"socket-unix", socket_unix}, {NULL, NULL},
};
