/*
 * One exec's supervisor: a process of its own (pid, children, subreaper flag, fd table) in the memory of sandboxd.
 * Nothing waits for it: if a tenant stops its own half-born sibling, only this process hangs in vfork, and the
 * loop's watchdog ends that. It runs as uid 0, so tenants cannot signal it. Raw system calls only.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "job.h"
#include "raw.h"
#include "tree.h"

struct supervision {
    struct job *job;
    bool main_ended;
    bool has_children;
};

static void publish(struct job *job, enum job_state state) {
    atomic_store_explicit(&job->state, state, memory_order_release);
}

static void notify_loop(void) {
    uint64_t one = 1;
    raw3(SYS_write, NOTIFY_FD, &one, sizeof one);
}

static int give_up(struct job *job, enum job_stage stage, long error) {
    if (stage != STAGE_NONE) {
        job->failed_stage = stage;
        job->failed_errno = (int)-error;
    }
    publish(job, JOB_FAILED);
    notify_loop();
    return 1;
}

/* Puts the three streams where the program expects them and closes everything else that the loop had open. */
static long take_fds(const struct job_spec *spec) {
    long error = raw3(SYS_dup3, spec->stdin_fd, 0, 0);
    if (error >= 0) error = raw3(SYS_dup3, spec->stdout_fd, 1, 0);
    if (error >= 0) error = raw3(SYS_dup3, spec->stderr_fd, 2, 0);
    if (error >= 0) error = raw3(SYS_close_range, NOTIFY_FD + 1, ~0u, 0);
    if (error >= 0) error = raw2(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
    return error;
}

static void close_window(struct job *job) {
    for (;;) {
        int open = WINDOW_OPEN;
        if (atomic_compare_exchange_strong(&job->window, &open, WINDOW_CLOSED)) return;
        raw0(SYS_sched_yield); // the loop is signalling the child right now
    }
}

/* True when the child was killed before it became the program; its status would then be no result of the exec. */
static bool died_unborn(int pid) {
    siginfo_t info;
    info.si_pid = 0;
    raw5(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT, 0);
    if (info.si_pid != pid || info.si_code == CLD_EXITED) return false;
    struct proc_stat stat;
    return proc_stat_read(pid, &stat) && (stat.flags & PROC_FLAG_NEVER_EXECUTED) != 0;
}

/* Returns the pid of the running program, or 0 with the failure in the job record. */
static int spawn(struct job *job) {
    uint8_t *stack_top = job->stack + 4096 + TENANT_STACK_BYTES;
    for (unsigned attempt = 1; attempt <= SPAWN_ATTEMPTS; attempt++) {
        job->failed_stage = STAGE_NONE;
        job->child_pid = 0;
        job->started_ns = raw_now_ns();
        atomic_store(&job->attempt, attempt);
        atomic_store(&job->window, WINDOW_OPEN);
        unsigned long flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD;
        long pid = raw_clone(flags, stack_top, &job->child_pid, tenant_main, job);
        close_window(job);
        if (pid < 0) {
            job->failed_stage = STAGE_FORK;
            job->failed_errno = (int)-pid;
            return 0;
        }
        bool unborn = job->failed_stage == STAGE_NONE && died_unborn((int)pid);
        if (job->failed_stage == STAGE_NONE && !unborn) return (int)pid;
        raw4(SYS_wait4, pid, 0, __WALL, 0);
        if (!unborn) return 0;
        if (atomic_load(&job->requests) & REQUEST_KILL_TREE) break;
    }
    job->failed_stage = STAGE_INTERRUPTED;
    return 0;
}

static void on_reaped(void *context, int pid, int wait_status) {
    struct supervision *supervision = context;
    struct job *job = supervision->job;
    if (pid != job->child_pid || supervision->main_ended) return;
    job->wait_status = wait_status;
    job->ended_ns = raw_now_ns();
    supervision->main_ended = true;
}

static void reap_ended(struct supervision *supervision) {
    for (;;) {
        int status;
        long pid = raw4(SYS_wait4, -1, &status, WNOHANG | __WALL, 0);
        if (pid <= 0) {
            supervision->has_children = pid == 0;
            return;
        }
        on_reaped(supervision, (int)pid, status);
    }
}

static void end_tree(struct supervision *supervision) {
    // Once the program is reaped, its number may name a stranger's group.
    int group = supervision->main_ended ? 0 : supervision->job->child_pid;
    supervision->has_children = !tree_kill(group, on_reaped, supervision);
    // Past the bound it is reported as what was asked for; the host can still kill the whole cgroup.
    if (!supervision->main_ended) on_reaped(supervision, supervision->job->child_pid, SIGKILL);
}

static void pass_signals(const struct supervision *supervision) {
    struct job *job = supervision->job;
    unsigned long wanted = atomic_exchange(&job->signal_requests, 0);
    for (int signal = 1; wanted != 0 && !supervision->main_ended; signal++) {
        if (wanted & RAW_SIGNAL_BIT(signal)) raw2(SYS_kill, -job->child_pid, signal);
        wanted &= ~RAW_SIGNAL_BIT(signal);
    }
    wanted = atomic_exchange(&job->tree_signal_requests, 0);
    if (wanted != 0 && !supervision->main_ended) tree_signal(wanted);
}

/* Reports how the program ended, with its tree if that was asked, and leaves when nobody needs it any more. */
static void supervise(struct supervision *supervision) {
    struct job *job = supervision->job;
    uint64_t wake_signals = RAW_SIGNAL_BIT(SIGCHLD) | RAW_SIGNAL_BIT(SIGUSR1);
    bool tree_ended = false, reported = false;
    for (;;) {
        reap_ended(supervision);
        unsigned requests = atomic_load(&job->requests);
        bool must_end_tree = (requests & REQUEST_KILL_TREE) || (supervision->main_ended && job->spec.kill_orphans);
        if (must_end_tree && !tree_ended) {
            if (supervision->has_children) end_tree(supervision);
            tree_ended = true;
        }
        if (supervision->main_ended && !reported) {
            publish(job, JOB_ENDED);
            reported = true;
            // When it leaves at once, the loop hears of it by SIGCHLD.
            if (supervision->has_children && !tree_ended) notify_loop();
        }
        if (reported && (!supervision->has_children || tree_ended || (requests & REQUEST_RELEASE))) return;
        pass_signals(supervision);
        raw4(SYS_rt_sigtimedwait, &wake_signals, 0, 0, RAW_SIGSET_BYTES);
    }
}

int supervisor_main(void *argument) {
    struct job *job = argument;
    long error = take_fds(&job->spec);
    if (error < 0) return give_up(job, STAGE_SETUP, error);
    int pid = spawn(job);
    if (pid == 0) return give_up(job, STAGE_NONE, 0);
    // The pipes reach end of file when the tenant's processes close them, not when this one does.
    raw3(SYS_close_range, 0, 2, 0);
    publish(job, JOB_RUNNING);
    notify_loop();
    struct supervision supervision = {.job = job};
    supervise(&supervision);
    return 0;
}
