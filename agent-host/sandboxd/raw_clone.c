/*
 * A child that runs on its parent's stack frame would clobber it, and libc's clone() writes errno on failure:
 * both forbid the ordinary wrappers here.
 */
#include "raw.h"

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl raw_clone\n"
        ".type raw_clone,@function\n"
        "raw_clone:\n"
        "  and $-16, %rsi\n"
        "  sub $16, %rsi\n"
        "  mov %rcx, 0(%rsi)\n"
        "  mov %r8, 8(%rsi)\n"
        "  xor %r10d, %r10d\n"
        "  xor %r8d, %r8d\n"
        "  mov $56, %eax\n" /* clone */
        "  syscall\n"
        "  test %rax, %rax\n"
        "  jnz 1f\n"
        "  xor %ebp, %ebp\n"
        "  pop %rax\n"
        "  pop %rdi\n"
        "  call *%rax\n"
        "  mov %eax, %edi\n"
        "  mov $231, %eax\n" /* exit_group */
        "  syscall\n"
        "  hlt\n"
        "1: ret\n"
        ".size raw_clone,.-raw_clone\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl raw_clone\n"
        ".type raw_clone,%function\n"
        "raw_clone:\n"
        "  and x1, x1, #-16\n"
        "  stp x3, x4, [x1, #-16]!\n"
        "  mov x3, xzr\n"
        "  mov x4, xzr\n"
        "  mov x8, #220\n" /* clone */
        "  svc #0\n"
        "  cbz x0, 1f\n"
        "  ret\n"
        "1: mov x29, xzr\n"
        "  mov x30, xzr\n"
        "  ldp x1, x0, [sp], #16\n"
        "  blr x1\n"
        "  mov x8, #94\n" /* exit_group */
        "  svc #0\n"
        "  brk #0\n"
        ".size raw_clone,.-raw_clone\n");
#endif
