/*
 * System calls that touch no libc state. A supervisor and its child share sandboxd's memory and thread-local
 * storage, so even a write to errno there would be a race with the I/O loop. Each call returns -errno.
 */
#ifndef SANDGATE_RAW_H
#define SANDGATE_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long raw_syscall(long number, long a, long b, long c, long d, long e) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long raw_syscall(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "sandboxd runs on x86-64 and arm64"
#endif

#define raw5(n, a, b, c, d, e) raw_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
#define raw4(n, a, b, c, d) raw5(n, a, b, c, d, 0)
#define raw3(n, a, b, c) raw4(n, a, b, c, 0)
#define raw2(n, a, b) raw3(n, a, b, 0)
#define raw1(n, a) raw2(n, a, 0)
#define raw0(n) raw1(n, 0)

/* The kernel's signal sets are 64 bits wide; libc's sigset_t is not. */
#define RAW_SIGSET_BYTES 8
#define RAW_SIGNAL_BIT(signal) (UINT64_C(1) << ((signal)-1))

/*
 * Clones and calls `entry(argument)` on the new stack; the child exits with its result. The parent gets the pid
 * or -errno. With CLONE_PARENT_SETTID the kernel stores the pid in *parent_tid before the child can run.
 */
long raw_clone(unsigned long flags, void *stack_top, int *parent_tid, int (*entry)(void *), void *argument);

static inline uint64_t raw_now_ns(void) {
    struct { int64_t seconds, nanoseconds; } now = {0, 0};
    raw2(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, &now);
    return (uint64_t)now.seconds * 1000000000u + (uint64_t)now.nanoseconds;
}

#endif
