#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "exec_state.h"
#include "raw.h"
#include "tree.h"

#define PAGE_BYTES 4096
#define STACK_MAP_BYTES (PAGE_BYTES + SUPERVISOR_STACK_BYTES)
#define SPARE_STACKS_MAX 8
#define POKE_FIRST_MS 20
#define SPAWN_STOPPED_LIMIT_MS 500
#define SPAWN_LIMIT_MS 5000

static uint8_t *spare_stacks[SPARE_STACKS_MAX];
static int spare_count;

static uint8_t *take_stack(void) {
    if (spare_count > 0) return spare_stacks[--spare_count];
    uint8_t *stack = mmap(NULL, STACK_MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return NULL;
    if (mprotect(stack, PAGE_BYTES, PROT_NONE) == 0) return stack;
    munmap(stack, STACK_MAP_BYTES);
    return NULL;
}

void exec_release_stack(struct exec *exec) {
    uint8_t *stack = exec->job.stack;
    exec->job.stack = NULL;
    if (stack == NULL) return;
    // A supervisor that walked the process table has dirtied much of its stack: that one is given back.
    bool is_small = !exec->job.spec.kill_orphans && (atomic_load(&exec->job.requests) & REQUEST_KILL_TREE) == 0 &&
                    !exec->has_signalled_tree;
    if (is_small && spare_count < SPARE_STACKS_MAX) spare_stacks[spare_count++] = stack;
    else munmap(stack, STACK_MAP_BYTES);
}

int exec_spawn(struct exec *exec) {
    exec->job.stack = take_stack();
    if (exec->job.stack == NULL) return ENOMEM;
    // All signals are blocked here and stay so in the supervisor; the tenant's child unblocks them at the very end.
    void *stack_top = exec->job.stack + STACK_MAP_BYTES;
    long pid = raw_clone(CLONE_VM | SIGCHLD, stack_top, NULL, supervisor_main, &exec->job);
    if (pid < 0) return (int)-pid;
    exec->supervisor_pid = (pid_t)pid;
    return 0;
}

void exec_wake_supervisor(struct exec *exec, unsigned request) {
    atomic_fetch_or(&exec->job.requests, request);
    // The pid is ours until we reap it.
    if (exec->supervisor_pid > 0) kill(exec->supervisor_pid, SIGUSR1);
}

/* Signals the child of an open window; the supervisor cannot reap it meanwhile. */
static void signal_child(struct job *job, int signal, bool only_when_stopped) {
    int open = WINDOW_OPEN;
    if (!atomic_compare_exchange_strong(&job->window, &open, WINDOW_HELD)) return;
    struct proc_stat stat;
    int pid = job->child_pid;
    bool wanted = pid > 0 && (!only_when_stopped || (proc_stat_read(pid, &stat) && stat.state == 'T'));
    if (wanted) kill(pid, signal);
    atomic_store(&job->window, WINDOW_OPEN);
}

/*
 * A tenant's kill(-1, SIGSTOP) can stop a sibling between setresuid and execve. It is continued at once; one that
 * is stopped again and again is killed, and the supervisor tries anew. A child that is only slow is left alone longer.
 */
void exec_poke_spawning(struct exec *exec, uint64_t now) {
    unsigned attempt = atomic_load(&exec->job.attempt);
    if (attempt != exec->watched_attempt) {
        exec->watched_attempt = attempt;
        exec->attempt_since_ms = now;
        exec->poke_delay_ms = POKE_FIRST_MS;
        exec->next_poke_ms = now + POKE_FIRST_MS;
    }
    if (now < exec->next_poke_ms) return;
    uint64_t waited_ms = now - exec->attempt_since_ms;
    if (waited_ms >= SPAWN_LIMIT_MS) signal_child(&exec->job, SIGKILL, false);
    else if (waited_ms >= SPAWN_STOPPED_LIMIT_MS) signal_child(&exec->job, SIGKILL, true);
    else signal_child(&exec->job, SIGCONT, true);
    exec->next_poke_ms = now + exec->poke_delay_ms;
    if (exec->poke_delay_ms < 160) exec->poke_delay_ms *= 2;
}
