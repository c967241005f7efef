/*
 * What the I/O loop and one exec's supervisor share. The loop writes `spec` before the clone and reads the result
 * after it has seen `state` (acquire); the record and the stack live until the supervisor has been reaped.
 */
#ifndef SANDGATE_JOB_H
#define SANDGATE_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The eventfd by which supervisors wake the loop; opened first so that its number is known (see main.c). */
#define NOTIFY_FD 3
#define SPAWN_ATTEMPTS 3
#define SUPERVISOR_STACK_BYTES (80 * 1024)
#define TENANT_STACK_BYTES (16 * 1024)

enum job_state { JOB_SPAWNING, JOB_RUNNING, JOB_ENDED, JOB_FAILED };

enum job_stage { STAGE_NONE, STAGE_SETUP, STAGE_FORK, STAGE_PRIVILEGES, STAGE_CWD, STAGE_EXEC, STAGE_INTERRUPTED };

enum job_request { REQUEST_KILL_TREE = 1, REQUEST_RELEASE = 2 };

/*
 * Guards the pid of a child that has not become the program yet. While the window is open the child cannot be
 * reaped, so the loop, holding it, can signal the pid without hitting a stranger.
 */
enum spawn_window { WINDOW_CLOSED, WINDOW_OPEN, WINDOW_HELD };

struct job_spec {
    char **argv, **envp;
    const char *cwd;
    const char *search_path;
    uint32_t uid, gid;
    bool kill_orphans;
    bool has_terminal; // the three streams are one, which becomes the controlling terminal
    int stdin_fd, stdout_fd, stderr_fd;
};

struct job {
    struct job_spec spec;
    uint8_t *stack; // guard page, then the tenant's stack, then the supervisor's

    atomic_int state;
    atomic_int window;
    atomic_uint attempt;
    atomic_uint requests;
    atomic_ulong signal_requests; // RAW_SIGNAL_BITs for the program's process group
    atomic_ulong tree_signal_requests; // and for all that it has started
    int child_pid; // stored by the kernel (CLONE_PARENT_SETTID)

    // Results, valid once `state` has left JOB_SPAWNING.
    int failed_stage, failed_errno;
    int wait_status;
    uint64_t started_ns, ended_ns;
};

/* Entry of the supervisor process: runs one exec from clone to the end of its tree. Raw system calls only. */
int supervisor_main(void *job);

/* Entry of the tenant's process: gives up every privilege and becomes the program. Raw system calls only. */
int tenant_main(void *job);

#endif
