#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "raw.h"
#include "tree_scan.h"

#define STOP_PASSES 8
#define QUIET_WAIT_NS 20000000

struct stopping {
    int seen[TREE_PROCESSES_MAX];
    size_t seen_count;
    bool met_new;
};

static void stop_unseen(void *context, int pid) {
    struct stopping *stopping = context;
    for (size_t i = 0; i < stopping->seen_count; i++)
        if (stopping->seen[i] == pid) return;
    raw2(SYS_kill, pid, SIGSTOP);
    stopping->met_new = true;
    if (stopping->seen_count < TREE_PROCESSES_MAX) stopping->seen[stopping->seen_count++] = pid;
}

/*
 * Stops descendants until a pass meets no new one. A process with a signal pending cannot complete a fork, and
 * stopped processes keep their places under the pids limit, so even a fork bomb converges.
 */
static void stop_all(struct process_table *table, int self) {
    struct stopping stopping;
    stopping.seen_count = 0;
    for (int pass = 0; pass < STOP_PASSES; pass++) {
        stopping.met_new = false;
        process_table_scan(table, self, stop_unseen, &stopping);
        if (!stopping.met_new) return;
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

static void signal_met(void *context, int pid) {
    uint64_t signals = *(const uint64_t *)context;
    for (int signal = 1; signals != 0; signal++) {
        if (signals & RAW_SIGNAL_BIT(signal)) raw2(SYS_kill, pid, signal);
        signals &= ~RAW_SIGNAL_BIT(signal);
    }
}

void tree_signal(uint64_t signals) {
    struct process_table table;
    process_table_scan(&table, (int)raw0(SYS_getpid), signal_met, &signals);
}

bool tree_kill(int group, tree_reaped *reaped, void *context) {
    struct process_table table;
    int self = (int)raw0(SYS_getpid);
    uint64_t deadline_ns = raw_now_ns() + TREE_KILL_LIMIT_MS * UINT64_C(1000000);
    // Most trees are one process group, and one call stops it however busy it is.
    if (group > 0) raw2(SYS_kill, -group, SIGSTOP);
    do {
        stop_all(&table, self);
        for (size_t i = 0; i < table.count; i++)
            if (table.rows[i].in_tree) raw2(SYS_kill, table.rows[i].pid, SIGKILL);
        if (reap_all(reaped, context)) return true;
    } while (raw_now_ns() < deadline_ns);
    return false;
}
