#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "raw.h"
#include "tree_scan.h"

#define STOP_PASSES 8
#define QUIET_WAIT_NS 20000000

static bool was_seen(const int *seen, size_t count, int pid) {
    for (size_t i = 0; i < count; i++)
        if (seen[i] == pid) return true;
    return false;
}

/*
 * Stops descendants until a pass meets no new one. A process with a signal pending cannot complete a fork, and
 * stopped processes keep their places under the pids limit, so even a fork bomb converges.
 */
static void stop_all(struct process_table *table, int self) {
    int seen[TREE_PROCESSES_MAX];
    size_t seen_count = 0;
    for (int pass = 0; pass < STOP_PASSES; pass++) {
        bool met_new = false;
        process_table_scan(table, self);
        for (size_t i = 0; i < table->count; i++) {
            int pid = table->rows[i].pid;
            if (!table->rows[i].in_tree || was_seen(seen, seen_count, pid)) continue;
            raw2(SYS_kill, pid, SIGSTOP);
            met_new = true;
            if (seen_count < TREE_PROCESSES_MAX) seen[seen_count++] = pid;
        }
        if (!met_new) return;
    }
}

/* Reaps until the deaths stop coming. True when no child is left, and so no descendant either. */
static bool reap_all(tree_reaped *reaped, void *context) {
    uint64_t child_signal = RAW_SIGNAL_BIT(SIGCHLD);
    for (;;) {
        int status;
        long pid = raw4(SYS_wait4, -1, &status, WNOHANG | __WALL, 0);
        if (pid == -ECHILD) return true;
        if (pid > 0) {
            reaped(context, (int)pid, status);
            continue;
        }
        struct { int64_t seconds, nanoseconds; } wait = {0, QUIET_WAIT_NS};
        if (raw4(SYS_rt_sigtimedwait, &child_signal, 0, &wait, RAW_SIGSET_BYTES) < 0) return false;
    }
}

bool tree_kill(tree_reaped *reaped, void *context) {
    struct process_table table;
    int self = (int)raw0(SYS_getpid);
    uint64_t deadline_ns = raw_now_ns() + TREE_KILL_LIMIT_MS * UINT64_C(1000000);
    do {
        stop_all(&table, self);
        for (size_t i = 0; i < table.count; i++)
            if (table.rows[i].in_tree) raw2(SYS_kill, table.rows[i].pid, SIGKILL);
        if (reap_all(reaped, context)) return true;
    } while (raw_now_ns() < deadline_ns);
    return false;
}
