/* Finding and ending the descendants of a supervisor. Raw system calls only: it runs in the supervisor. */
#ifndef SANDGATE_TREE_H
#define SANDGATE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_stat {
    char state;
    int parent_pid;
    uint32_t flags;
};

/* Forked, but has not called execve (the kernel's PF_FORKNOEXEC; it outlives the process in its zombie). */
#define PROC_FLAG_NEVER_EXECUTED 0x40u

/* Parses a line of /proc/<pid>/stat. The command in it is the tenant's choice and may hold anything. */
bool proc_stat_parse(const char *line, size_t length, struct proc_stat *stat);

/* Reads /proc/<pid>/stat; false when the process is gone. */
bool proc_stat_read(int pid, struct proc_stat *stat);

/* Called for each child that was reaped meanwhile. */
typedef void tree_reaped(void *context, int pid, int wait_status);

/*
 * Ends every descendant of the calling process, a subreaper, and reaps them. `group` is a process group among
 * them whose leader has not been reaped, or 0. Returns false when some are still
 * there after TREE_KILL_LIMIT_MS (a process in uninterruptible sleep): the cgroup is the host's last word.
 */
bool tree_kill(int group, tree_reaped *reaped, void *context);

/* Sends the signals, as RAW_SIGNAL_BITs, to every descendant of the calling process that it meets in one pass. */
void tree_signal(uint64_t signals);

#define TREE_KILL_LIMIT_MS 3000
#define TREE_PROCESSES_MAX 2048

#endif
